"""The demo's job: a click and a box on two images that ship with scikit-image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from skimage import data

from napari_sam.cli.label_image import place, write_labels
from napari_sam.cli.overlay import Drawing, Panel, draw
from napari_sam.images.source import open_image
from napari_sam.segmentation.predict import Segmenter
from napari_sam.segmentation.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from napari_sam.model.sam import Sam
    from napari_sam.segmentation.candidates import Candidates

__all__ = ["EXAMPLES", "Answer", "Example", "run_demo"]


@dataclass(frozen=True, slots=True)
class Example:
    """An image of scikit-image's wheel and named prompts on it; the n-th prompt becomes id n."""

    name: str
    load: Callable[[], npt.NDArray[np.uint8]]
    prompts: Mapping[str, Prompt]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model answered to one prompt."""

    image: str
    prompt: str
    candidates: Candidates


EXAMPLES = (
    Example(
        name="coins",
        load=data.coins,
        prompts={
            "click": Prompt(points=[(44, 334)]),
            "box": Prompt(box=(230.5, 15.5, 289.5, 76.5)),
        },
    ),
    # First a bright granule, then the cell around it: a part and its whole.
    Example(
        name="cell",
        load=data.cell,
        prompts={
            "box": Prompt(box=(384.5, 397.5, 416.5, 437.5)),
            "click": Prompt(points=[(350, 440)]),
        },
    ),
)


def run_demo(folder: Path, model: Sam) -> list[Answer]:
    """Ask the model about every example and write images, label images and an overlay.

    Parameters
    ----------
    folder : Path
        Where the files go; made when it is not there. For each example ``<name>.png`` and
        ``<name>_labels.tif``, in which the best candidate of the n-th prompt is id n (an earlier
        one keeps its pixels), and ``overlay.png`` for all.
    model : Sam
        The model to ask.

    Returns
    -------
    list of Answer
        In the order of the examples and their prompts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    answers: list[Answer] = []
    panels: list[Panel] = []
    for example in EXAMPLES:
        pixels = example.load()
        session = Segmenter(model, open_image(pixels))
        several = session.predict_many(list(example.prompts.values()))
        answered = [
            Answer(example.name, name, candidates)
            for name, candidates in zip(example.prompts, several, strict=True)
        ]
        _write_example(folder, example, pixels, answered)
        panels.append(_panel(example, pixels, answered))
        answers += answered
    draw(panels).save(folder / "overlay.png")
    return answers


def _write_example(
    folder: Path, example: Example, pixels: npt.NDArray[np.uint8], answers: list[Answer]
) -> None:
    labels = np.zeros(pixels.shape, dtype=np.uint16)
    for number, answer in enumerate(answers, start=1):
        place(labels, answer.candidates[0], number)
    Image.fromarray(pixels).save(folder / f"{example.name}.png")
    write_labels(folder / f"{example.name}_labels.tif", labels)


def _panel(example: Example, pixels: npt.NDArray[np.uint8], answers: list[Answer]) -> Panel:
    return Panel(
        title=example.name,
        image=pixels,
        drawings=[
            _drawing(prompt, answer, pixels.shape[:2])
            for prompt, answer in zip(example.prompts.values(), answers, strict=True)
        ],
    )


def _drawing(prompt: Prompt, answer: Answer, shape: tuple[int, ...]) -> Drawing:
    best = answer.candidates[0]
    whole = np.zeros(shape, dtype=np.uint8)
    place(whole, best, 1)
    return Drawing(
        mask=whole.astype(bool),
        text=f"{answer.prompt}: predicted IoU {best.score:.2f}, {best.area:,} px",
        points=[(y, x) for y, x in prompt.points.tolist()],
        box=None if prompt.box is None else tuple(prompt.box.tolist()),
    )
