"""The conversation: what is asked in which round, and what is fed back."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor

from napari_sam.model.sam import Sam, build_sam
from napari_sam.training.conversation import converse

if TYPE_CHECKING:
    from napari_sam.model.mask_decoder import Outputs
    from napari_sam.model.prompt_encoder import PromptTensors

CELLS, CORNER = 5, (2, 1)  # of 8 x 8 cells of 16 model pixels


@dataclass(frozen=True)
class Round:
    """What the model was asked, and what it answered."""

    prompts: PromptTensors
    multimask: Outputs
    logits: Tensor
    scores: Tensor


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[Round]:
    """Return the list to which every question and its answer is added."""
    heard: list[Round] = []
    decode_part = Sam.decode_part

    def listen(
        sam: Sam,
        embedding: Tensor,
        prompts: PromptTensors,
        multimask: Outputs,
        corner: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        assert corner == CORNER
        answer = decode_part(sam, embedding, prompts, multimask, corner)
        heard.append(Round(prompts, multimask, *answer))
        return answer

    monkeypatch.setattr(Sam, "decode_part", listen)
    return heard


def talk(corrections: int, *, by_box: bool, seed: int = 0, followed: int = 3) -> list[float]:
    """Have a conversation about three objects, with gradients, and return the losses."""
    sam = build_sam("tiny_tiny_vit", seed=0)
    embedding = torch.randn(1, 32, CELLS, CELLS, generator=torch.Generator().manual_seed(5))
    targets = torch.zeros(3, 4 * CELLS, 4 * CELLS)
    targets[0, 2:9, 3:12] = 1
    targets[1, 12:18, 1:6] = 1
    targets[2, 10:20, 10:20] = 1
    losses = []
    for loss in converse(
        sam,
        embedding,
        targets,
        CORNER,
        by_box=by_box,
        corrections=corrections,
        followed=followed,
        generator=torch.Generator().manual_seed(seed),
    ):
        (loss.mask + loss.score).backward()
        losses.append(float(loss.mask.detach()))
    return losses


def clicks(rounds: list[Round]) -> list[int]:
    return [0 if r.prompts.points is None else r.prompts.points.shape[1] for r in rounds]


@pytest.mark.parametrize("corrections", [0, 1, 3, 8])
@pytest.mark.parametrize("by_box", [False, True])
def test_corrections_come_one_by_one_and_two_rounds_have_none(
    corrections: int, by_box: bool, rounds: list[Round]
) -> None:
    pauses = set()
    for seed in range(12):
        rounds.clear()
        assert len(talk(corrections, by_box=by_box, seed=seed)) == corrections + 3
        count = clicks(rounds)
        first = 0 if by_box else 1
        assert (count[0], count[-1]) == (first, first + corrections)
        more = [after - before for before, after in itertools.pairwise(count)]
        assert set(more) <= {0, 1}
        assert more[-1] == 0
        [pause] = [index for index, n in enumerate(more[:-1]) if n == 0]
        pauses.add(pause)
    assert (len(pauses) > 1) == (corrections > 0)  # somewhere else every time


def test_the_last_mask_is_fed_back_without_gradient(rounds: list[Round]) -> None:
    talk(3, by_box=False)
    assert rounds[0].prompts.masks is None
    for before, after in itertools.pairwise(rounds):
        assert after.prompts.masks is not None
        assert not after.prompts.masks.requires_grad
        best = before.scores.argmax(1)
        assert torch.equal(after.prompts.masks[:, 0], before.logits[torch.arange(3), best])
        assert before.logits.requires_grad


@pytest.mark.parametrize("by_box", [False, True])
def test_only_the_objects_that_are_followed_are_corrected(
    by_box: bool, rounds: list[Round]
) -> None:
    talk(2, by_box=by_box, followed=1)
    asked, first = rounds[0].prompts, rounds[0]
    assert [len(r.scores) for r in rounds] == [3, 1, 1, 1, 1]
    for later in rounds[1:]:
        if by_box:
            assert asked.boxes is not None
            assert later.prompts.boxes is not None
            assert torch.equal(later.prompts.boxes, asked.boxes[:1])
        else:
            assert asked.points is not None
            assert later.prompts.points is not None
            assert torch.equal(later.prompts.points[:, :1], asked.points[:1])
    assert rounds[1].prompts.masks is not None
    best = int(first.scores[0].argmax())
    assert torch.equal(rounds[1].prompts.masks[0, 0], first.logits[0, best])


def test_a_first_click_is_answered_by_all_masks_and_everything_else_by_one(
    rounds: list[Round],
) -> None:
    talk(1, by_box=False)
    assert [r.multimask for r in rounds] == ["every", False, False, False]
    assert [r.logits.shape[1] for r in rounds] == [4, 1, 1, 1]
    rounds.clear()
    talk(1, by_box=True)
    assert not any(r.multimask for r in rounds)


def test_prompts_are_in_the_coordinates_of_the_tile(rounds: list[Round]) -> None:
    talk(3, by_box=True)
    low = torch.tensor([CORNER[1], CORNER[0]]) * 16
    high = low + CELLS * 16
    boxes = rounds[0].prompts.boxes
    assert boxes is not None
    # Logits are 4 model pixels wide; the noise is 10 % of the side.
    drawn = torch.tensor([[3, 2, 12, 9], [1, 12, 6, 18], [10, 10, 20, 20]]) * 4.0 + low.repeat(2)
    assert (boxes - drawn).abs().max() < 0.4 * 40
    assert (boxes != drawn).any()
    for r in rounds:
        assert r.prompts.boxes is not None
        assert torch.equal(r.prompts.boxes, boxes)
    points = rounds[-1].prompts.points
    assert points is not None
    assert (points >= low).all()
    assert (points <= high).all()
    rounds.clear()
    talk(0, by_box=False)
    points = rounds[0].prompts.points
    assert points is not None
    assert rounds[0].prompts.boxes is None
    x, y = ((points[:, 0] - low) / 4).long().unbind(1)
    assert 3 <= x[0] < 12
    assert 2 <= y[0] < 9
    assert 1 <= x[1] < 6
    assert 12 <= y[1] < 18


def test_points_that_were_given_stay(rounds: list[Round]) -> None:
    talk(4, by_box=False)
    last = rounds[-1].prompts
    assert last.points is not None
    assert last.labels is not None
    assert last.labels[:, 0].tolist() == [1, 1, 1]
    for r in rounds:
        assert r.prompts.points is not None
        assert r.prompts.labels is not None
        n = r.prompts.points.shape[1]
        assert torch.equal(r.prompts.points, last.points[:, :n])
        assert torch.equal(r.prompts.labels, last.labels[:, :n])
