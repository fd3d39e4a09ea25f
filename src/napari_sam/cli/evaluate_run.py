"""What `napari-sam evaluate` does: go over a data set, ask or compare, write the results."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.cli.program import writing
from napari_sam.cli.progress import Progress
from napari_sam.errors import InputError
from napari_sam.evaluate import (
    ObjectResult,
    evaluate_prompts,
    plot_clicks,
    plot_reliability,
    reliability,
    report_prompts,
)
from napari_sam.evaluate.interactive import MIN_AREA
from napari_sam.evaluate.truth import true_objects
from napari_sam.training.dataset import read_dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from PIL.Image import Image

    from napari_sam.model.sam import Sam
    from napari_sam.segmentation.sampling import Sampling
    from napari_sam.training.annotated import AnnotatedImage

__all__ = ["Evaluation", "Selection", "evaluate_model", "select"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results, ready to be shown and written.

    Attributes
    ----------
    table : str
        For people.
    facts : mapping
        For JSON.
    rows : sequence of dict
        One for each object, for a CSV file.
    plots : mapping of str to Image
        By file name.
    """

    table: str
    facts: Mapping[str, Any]
    rows: Sequence[dict[str, Any]]
    plots: Mapping[str, Image]

    def write(self, folder: Path) -> None:
        """Write all of it into a folder, which is made when it is not there.

        Raises
        ------
        InputError
            When that cannot be done.
        """
        with writing(folder):
            folder.mkdir(exist_ok=True)
            (folder / "evaluation.json").write_text(
                json.dumps(self.facts, indent=2, allow_nan=False) + "\n", encoding="utf-8"
            )
            with (folder / "objects.csv").open("w", newline="", encoding="utf-8") as file:
                table = csv.DictWriter(file, list(self.rows[0]) if self.rows else [])
                table.writeheader()
                table.writerows(self.rows)
            for name, image in self.plots.items():
                image.save(folder / name)


@dataclass(frozen=True, slots=True)
class Selection:
    """Images of a data set, chosen by their source.

    Attributes
    ----------
    dataset : Path
    sources : frozenset of str
        Those that are chosen.
    at_most : int, optional
        Objects of an image that are looked at.
    images, objects : int
        How many there are.
    """

    dataset: Path
    sources: frozenset[str]
    at_most: int | None
    images: int
    objects: int

    def __iter__(self) -> Iterator[AnnotatedImage]:
        return (image for image in read_dataset(self.dataset) if image.source in self.sources)


def select(
    dataset: Path, only: Sequence[str], leave_out: Sequence[str], at_most: int | None
) -> Selection:
    """Read a data set once, so that a mistake is said before the work begins.

    Parameters
    ----------
    dataset : Path
    only : sequence of str
        Sources to choose; all when empty.
    leave_out : sequence of str
        Sources not to choose.
    at_most : int, optional
        Objects of an image to look at.

    Raises
    ------
    InputError
        When a file cannot be used, a source is not there, or nothing is left.
    """
    images: Counter[str] = Counter()
    objects: Counter[str] = Counter()
    for image in read_dataset(dataset):
        images[image.source] += 1
        objects[image.source] += len(true_objects(image.labels, MIN_AREA, at_most))
    for source in (*only, *leave_out):
        if source not in images:
            raise InputError(
                f"{dataset} has no source {source!r}; choose among {', '.join(sorted(images))}"
            )
    sources = frozenset(only or images) - set(leave_out)
    if not sources:
        raise InputError(f"no source of {dataset} is left to evaluate; leave out fewer of them")
    return Selection(
        dataset=dataset,
        sources=sources,
        at_most=at_most,
        images=sum(images[source] for source in sources),
        objects=sum(objects[source] for source in sources),
    )


def evaluate_model(
    selection: Selection, model: Sam, sampling: Sampling | None, corrections: int
) -> Evaluation:
    """Ask a model for every object.

    Raises
    ------
    InputError
        When no object is large enough, or the model does not take points and boxes.
    """
    if not selection.objects:
        raise InputError(
            f"{selection.dataset} has no object of {MIN_AREA} pixels or more to evaluate; give "
            "images with larger objects"
        )
    results: defaultdict[str, list[ObjectResult]] = defaultdict(list)
    rows = []
    with Progress("objects", selection.objects) as progress:
        for image in selection:
            answers = evaluate_prompts(
                model,
                image.pixels,
                image.labels,
                sampling=sampling,
                corrections=corrections,
                at_most=selection.at_most,
            )
            for result in answers:
                results[image.source].append(result)
                rows.append(_object_row(image, result))
                progress.show(len(rows))
    report = report_prompts(results)
    every = [result for some in results.values() for result in some]
    bins = {
        "click": reliability([r.click_score for r in every], [r.click_iou for r in every]),
        "box": reliability([r.box_score for r in every], [r.box_iou for r in every]),
    }
    plots = {"reliability.png": plot_reliability(bins)}
    if corrections:
        plots["clicks.png"] = plot_clicks(
            {
                source: np.mean([(r.click_iou, *r.corrected) for r in some], axis=0).tolist()
                for source, some in results.items()
            }
        )
    facts = {
        "dataset": str(selection.dataset),
        "model": {"name": model.name, "sha256": model.sha256},
        "sampling": sampling,
        "corrections": corrections,
        "limit_objects": selection.at_most,
        **report.as_json(),
        "reliability": {
            name: [{"count": b.count, "score": b.score, "iou": b.iou} for b in some]
            for name, some in bins.items()
        },
    }
    return Evaluation(report.table(), facts, rows, plots)


def _object_row(image: AnnotatedImage, result: ObjectResult) -> dict[str, Any]:
    rounds = enumerate(zip(result.corrected, result.corrected_scores, strict=True), start=1)
    return {
        "source": image.source,
        "image": image.name,
        "object": result.id,
        "area": result.area,
        "diameter": round(result.diameter, 2),
        "click_iou": result.click_iou,
        "click_score": result.click_score,
        "oracle_iou": result.oracle_iou,
        "box_iou": result.box_iou,
        "box_score": result.box_score,
        **{
            f"corrected_{number}_{what}": value
            for number, pair in rounds
            for what, value in zip(("iou", "score"), pair, strict=True)
        },
    }
