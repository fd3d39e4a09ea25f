"""How well a model answers a user: one click, a box, and clicks that correct the answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.evaluate.truth import deepest_point, true_objects
from napari_sam.images.source import open_image
from napari_sam.segmentation.predict import Segmenter
from napari_sam.segmentation.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    import numpy.typing as npt

    from napari_sam.evaluate.truth import TrueObject
    from napari_sam.model.sam import Sam
    from napari_sam.segmentation.candidates import Candidate
    from napari_sam.segmentation.sampling import Sampling

    Box = tuple[int, int, int, int]

__all__ = ["MIN_AREA", "ObjectResult", "evaluate_prompts", "protocol_sampling"]

MIN_AREA = 30
"""Objects below this many pixels are left out: a pixel more or less decides about their IoU."""

SMALL_PLANE = 300
"""Pixels along a side up to which a plane is looked at with sampling 1/4."""

TOGETHER = 128
"""Objects asked for at once: about 130 MB of logits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult:
    """How well one object was found.

    Attributes
    ----------
    id : int
        Its value in the label image.
    area : int
        Pixels in it.
    diameter : float
        Of the disc with the same area, in pixels.
    click_iou, click_score : float
        IoU with the truth, and predicted IoU, of the best candidate by score for one click.
    oracle_iou : float
        IoU of the best of the click's candidates, had one known which that is.
    box_iou, box_score : float
        For a tight box.
    corrected, corrected_scores : tuple of float
        IoU and predicted IoU after 1, 2, ... corrective clicks.
    """

    id: int
    area: int
    diameter: float
    click_iou: float
    click_score: float
    oracle_iou: float
    box_iou: float
    box_score: float
    corrected: tuple[float, ...]
    corrected_scores: tuple[float, ...]


def protocol_sampling(plane_shape: tuple[int, int]) -> float:
    """Image pixels per model pixel at which a plane is evaluated when nothing else is asked for.

    It depends on the plane alone, not on the objects, which a user does not know beforehand.
    """
    return 1 / 4 if max(plane_shape) <= SMALL_PLANE else 1 / 2


def evaluate_prompts(
    model: Sam,
    pixels: npt.NDArray[np.uint8],
    labels: npt.NDArray[Any],
    *,
    sampling: Sampling | None = None,
    corrections: int = 0,
    min_area: int = MIN_AREA,
    at_most: int | None = None,
) -> Iterator[ObjectResult]:
    """Ask a model for every object of an annotated plane, in the way that users do.

    The click is where the object is deepest (the maximum of its distance transform); the answer
    to it is the candidate with the best score. A corrective click is where the error is deepest,
    on what is missing (label 1) or on what is too much (label 0); it is given together with all
    clicks before it and with the previous answer as mask prompt, as in the training of Segment
    Anything (appendix A, "training algorithm"), and brings one mask.

    Parameters
    ----------
    model : Sam
        One that takes points and boxes; with corrections also masks.
    pixels : ndarray of uint8, shape (h, w, 3)
        RGB within the image's limits, 0..255.
    labels : ndarray of int, shape (h, w)
        0 is background.
    sampling : float or "fit", optional
        As in `Segmenter.predict`; that of `protocol_sampling` when not given.
    corrections : int
        Corrective clicks after the first one.
    min_area : int
        Objects of fewer pixels are left out.
    at_most : int, optional
        Where there are more objects, take so many, spread evenly over the ids.

    Yields
    ------
    ObjectResult
        In the order of the ids.

    Raises
    ------
    InputError
        When an array cannot be used, or the model does not take one of the prompts.
    """
    session = Segmenter(model, open_image(pixels, limits=(0, 255), axes="YXC"))
    if sampling is None:
        sampling = protocol_sampling(session.image.plane_shape)
    objects = true_objects(labels, min_area, at_most)
    for start in range(0, len(objects), TOGETHER):
        yield from _evaluate(session, objects[start : start + TOGETHER], sampling, corrections)


def _evaluate(
    session: Segmenter, objects: list[TrueObject], sampling: Sampling, corrections: int
) -> Iterator[ObjectResult]:
    clicks = [each.click for each in objects]
    clicked = session.predict_many([Prompt(points=[click]) for click in clicks], sampling)
    boxed = session.predict_many([Prompt(box=each.box) for each in objects], sampling)
    dialogues = [
        _Dialogue(each, click, found[0])
        for each, click, found in zip(objects, clicks, clicked, strict=True)
    ]
    for _ in range(corrections):
        _correct(session, dialogues, sampling)
    for dialogue, candidates, (in_box,) in zip(dialogues, clicked, boxed, strict=True):
        true = dialogue.true
        first, *corrected = dialogue.ious
        score, *corrected_scores = dialogue.scores
        yield ObjectResult(
            id=true.id,
            area=true.area,
            diameter=2 * math.sqrt(true.area / math.pi),
            click_iou=first,
            click_score=score,
            oracle_iou=max(first, *(_iou(true, each) for each in list(candidates)[1:]), 0.0),
            box_iou=_iou(true, in_box),
            box_score=in_box.score,
            corrected=tuple(corrected),
            corrected_scores=tuple(corrected_scores),
        )


class _Dialogue:
    """What was said about one object so far, and the latest answer."""

    def __init__(self, true: TrueObject, click: tuple[int, int], answer: Candidate) -> None:
        self.true = true
        self.ious: list[float] = []
        self.scores: list[float] = []
        self._points = [click]
        self._labels = [1]
        self.hear(answer)

    def hear(self, answer: Candidate) -> None:
        """Take the next answer."""
        self._answer = answer
        self.ious.append(_iou(self.true, answer))
        self.scores.append(answer.score)

    def hear_nothing_new(self) -> None:
        """Stay with the answer: there is nothing to correct."""
        self.ious.append(self.ious[-1])
        self.scores.append(self.scores[-1])

    def correct(self) -> Prompt | None:
        """Click where the answer is most wrong; None where it is perfect."""
        wrong = _worst_error(self.true, self._answer)
        if wrong is None:
            return None
        point, label = wrong
        self._points.append(point)
        self._labels.append(label)
        return Prompt(points=self._points, labels=self._labels, mask=self._answer)


def _correct(session: Segmenter, dialogues: list[_Dialogue], sampling: Sampling) -> None:
    """Give every object one more corrective click."""
    asked = [(dialogue, dialogue.correct()) for dialogue in dialogues]
    answers = iter(
        session.predict_many([prompt for _, prompt in asked if prompt is not None], sampling)
    )
    for dialogue, prompt in asked:
        if prompt is None:
            dialogue.hear_nothing_new()
        else:
            dialogue.hear(next(answers)[0])


def _worst_error(true: TrueObject, found: Candidate) -> tuple[tuple[int, int], int] | None:
    """Where the error is deepest, and whether object (1) or background (0) is there."""
    box = _around(true.bounds, found.bounds)
    is_found, is_true = _drawn(found, box), np.zeros((box[2] - box[0], box[3] - box[1]), bool)
    is_true[_inside(true.bounds, box)] = true.mask
    missing, extra = deepest_point(is_true & ~is_found), deepest_point(is_found & ~is_true)
    worst, label = (missing, 1) if missing.depth >= extra.depth else (extra, 0)
    if not worst.depth:
        return None
    return (box[0] + worst.point[0], box[1] + worst.point[1]), label


def _iou(true: TrueObject, found: Candidate) -> float:
    """Intersection over union at level 0; only the two boxes are looked at."""
    shared = int(np.count_nonzero(_drawn(found, true.bounds) & true.mask))
    return shared / (true.area + found.area - shared)


def _drawn(found: Candidate, box: Box) -> npt.NDArray[np.bool_]:
    """Draw a part of a mask. It ends with its bounds: beyond its window nothing is known."""
    drawn = np.zeros((box[2] - box[0], box[3] - box[1]), dtype=bool)
    if found.bounds is not None:
        y0, x0 = (max(box[i], found.bounds[i]) for i in (0, 1))
        y1, x1 = (min(box[i], found.bounds[i]) for i in (2, 3))
        if y0 < y1 and x0 < x1:
            drawn[_inside((y0, x0, y1, x1), box)] = found.draw((y0, x0, y1, x1))
    return drawn


def _around(box: Box, other: Box | None) -> Box:
    if other is None:
        return box
    (a, b, c, d), (e, f, g, h) = box, other
    return min(a, e), min(b, f), max(c, g), max(d, h)


def _inside(part: Box, box: Box) -> tuple[slice, slice]:
    """Slices of a part in an array that spans a box."""
    y, x = box[:2]
    return slice(part[0] - y, part[2] - y), slice(part[1] - x, part[3] - x)
