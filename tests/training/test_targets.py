"""Which objects of a view are asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam.training.targets import choose_targets


def labels() -> torch.Tensor:
    ids = torch.zeros(32, 32, dtype=torch.int32)
    ids[0:8, 0:8] = 5
    ids[10:20, 10:21] = 6
    ids[25:32, 0:30] = 7
    ids[0:3, 20:25] = 8  # fewer than four logits
    return ids


def test_targets_are_shares_of_logits() -> None:
    targets = choose_targets(labels(), 6, 4, np.random.default_rng(0))
    assert targets.shape == (4, 16, 16)
    whole = targets.sum((1, 2)) * 4
    assert sorted(set(whole.tolist())) == [64, 110, 210]
    wide = targets[whole == 110][0]
    assert wide[7, 5:11].tolist() == [1, 1, 1, 1, 1, 0.5]


def test_every_object_is_asked_for_and_specks_are_not_unless_planned() -> None:
    for seed in range(20):
        areas = choose_targets(labels(), 5, 6, np.random.default_rng(seed)).sum((1, 2)) * 4
        assert sorted(areas.tolist()) == [64, 64, 110, 110, 210, 210]
        areas = choose_targets(labels(), 8, 1, np.random.default_rng(seed)).sum((1, 2)) * 4
        assert areas.tolist() == [15]


def test_the_planned_object_is_asked_for_at_any_place() -> None:
    places = set()
    for seed in range(40):
        areas = choose_targets(labels(), 6, 2, np.random.default_rng(seed)).sum((1, 2)) * 4
        assert 110 in areas.tolist()
        places.add(areas.tolist().index(110))
    assert places == {0, 1}


def test_one_object_alone_is_asked_for_again_and_again() -> None:
    ids = torch.where(labels() == 6, 6, 0)
    targets = choose_targets(ids, 6, 5, np.random.default_rng(0))
    assert (targets == targets[0]).all()
    assert float(targets[0].sum()) == pytest.approx(110 / 4)
