"""`napari-sam evaluate`: tables, files, and what it refuses."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

CENTRES = {"one": (12, 14), "two": (30, 40), "three": (32, 15)}


def labels_of(*centres: tuple[int, int]) -> np.ndarray:
    """Label image with discs of 7 pixels radius."""
    y, x = np.mgrid[:48, :60]
    labels = np.zeros(y.shape, np.uint8)
    for index, (cy, cx) in enumerate(centres, start=1):
        labels[np.hypot(y - cy, x - cx) < 7] = index
    return labels


def write_image(folder: Path, name: str, labels: np.ndarray) -> None:
    """Write an image of bright objects with its labels."""
    for kind, array in (("images", np.where(labels > 0, 200, 30)), ("labels", labels)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(
            folder / kind / f"{name}.tif", array.astype(np.uint8), photometric="minisblack"
        )


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Return a data set of two sources, `blobs` with two images and `stacks` with three planes."""
    folder = tmp_path / "annotated"
    write_image(folder / "blobs", "a", labels_of(CENTRES["one"], CENTRES["two"]))
    write_image(folder / "blobs", "b", labels_of(CENTRES["three"]))
    planes = [labels_of(CENTRES["two"]), labels_of(), labels_of(CENTRES["one"])]
    write_image(folder / "stacks", "c", np.stack(planes))
    rows = ["source,name,axes", "blobs,a,YX", "blobs,b,YX", "stacks,c,ZYX"]
    (folder / "manifest.csv").write_text("\n".join(rows), encoding="utf-8")
    return folder


@pytest.fixture
def found(tmp_path: Path, dataset: Path) -> Path:
    """Return results that miss an object of `a`, and are right about the rest."""
    folder = tmp_path / "found"
    (folder / "stacks").mkdir(parents=True)
    tifffile.imwrite(folder / "a.tif", labels_of(CENTRES["two"]))
    Image.fromarray(labels_of(CENTRES["three"]) * 9).save(folder / "b.png")
    stack = tifffile.imread(dataset / "stacks" / "labels" / "c.tif").astype(np.uint16) * 300
    tifffile.imwrite(folder / "stacks" / "c.tif", stack, photometric="minisblack")
    return folder


def test_a_model_gets_a_row_for_every_source(run: Run, dataset: Path, tiny_model: Path) -> None:
    result = run("evaluate", dataset, "--model", tiny_model)
    assert result.exit_code == 0, result.stderr
    header, _, blobs, stacks, _, macro = result.stdout.splitlines()
    columns = "source objects click oracle box share error correlation"
    assert " ".join(header.split()) == columns
    assert blobs.split()[:2] == ["blobs", "3"]
    assert stacks.split()[:2] == ["stacks", "2"]
    assert macro.split()[:2] == ["macro", "5"]
    click = [float(line.split()[2]) for line in (blobs, stacks, macro)]
    assert click[2] == pytest.approx((click[0] + click[1]) / 2, abs=0.001)


def test_files_hold_every_object(run: Run, dataset: Path, tiny_model: Path, tmp_path: Path) -> None:
    options = ("--corrections", 2, "--sampling", "1/2", "-o", tmp_path / "report", "--json")
    result = run("evaluate", dataset, "--model", tiny_model, *options)
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    assert said == json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert (said["corrections"], said["sampling"]) == (2, 0.5)
    assert said["model"]["name"] == "tiny"
    with (tmp_path / "report" / "objects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["source"], row["object"]) for row in rows] == [
        *[("blobs", "1"), ("blobs", "2"), ("blobs", "1")],
        *[("stacks", "1"), ("stacks", "1")],
    ]
    assert rows[-1]["image"].endswith("c.tif (2,)")
    for column, measure in (("click_iou", "click"), ("corrected_2_iou", "+2")):
        mean = np.mean([float(row[column]) for row in rows if row["source"] == "blobs"])
        assert said["sources"]["blobs"][measure] == pytest.approx(mean)
    assert sum(each["count"] for each in said["reliability"]["click"]) == 5
    pictures = sorted(file.name for file in (tmp_path / "report").glob("*.png"))
    assert pictures == ["clicks.png", "reliability.png"]
    for name in pictures:
        with Image.open(tmp_path / "report" / name) as picture:
            assert picture.getextrema() != ((255, 255),) * 3


def test_sources_are_chosen_and_objects_limited(run: Run, dataset: Path, tiny_model: Path) -> None:
    def counts(*options: object) -> dict[str, int]:
        result = run("evaluate", dataset, "--model", tiny_model, "--json", *options)
        assert result.exit_code == 0, result.stderr
        rows = json.loads(result.stdout)["sources"]
        return {source: row["objects"] for source, row in rows.items()}

    assert counts("--leave-out", "stacks") == {"blobs": 3}
    assert counts("--source", "stacks") == {"stacks": 2}
    assert counts("--limit-objects", 1) == {"blobs": 2, "stacks": 2}


def test_found_labels_are_compared_by_name(run: Run, dataset: Path, found: Path) -> None:
    result = run("evaluate", dataset, "--found", found)
    assert result.exit_code == 0, result.stderr
    header, _, blobs, stacks, _, macro = result.stdout.splitlines()
    columns = "source objects AP AP50 AP75 precision recall F1 IoU"
    assert " ".join(header.split()) == columns
    assert " ".join(blobs.split()) == "blobs 3 0.667 0.667 0.667 1.000 0.667 0.800 1.000"
    assert stacks.split() == ["stacks", "2", *["1.000"] * 7]
    assert macro.split()[:3] == ["macro", "5", "0.833"]


def test_files_say_which_objects_were_missed(
    run: Run, dataset: Path, found: Path, tmp_path: Path
) -> None:
    both = labels_of(CENTRES["two"], (8, 50))
    tifffile.imwrite(found / "a.tif", both)
    result = run("evaluate", dataset, "--found", found, "--json", "-o", tmp_path / "report")
    assert json.loads(result.stdout)["sources"]["blobs"]["AP"] == pytest.approx(2 / 4)
    with (tmp_path / "report" / "objects.csv").open(newline="") as file:
        rows = [tuple(row.values())[2:] for row in csv.DictReader(file)]
    assert rows[:4] == [("1", "", ""), ("2", "1", "1.0"), ("", "2", ""), ("1", "9", "1.0")]
    assert (tmp_path / "report" / "average_precision.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--sampling", "3"), "power of two"),
        (("--source", "blob"), "no source 'blob'; choose among blobs, stacks"),
        (("--leave-out", "blob"), "no source 'blob'"),
        (("--leave-out", "blobs", "--leave-out", "stacks"), "left to evaluate"),
        (("-o", "nowhere/report"), "does not exist"),
        (("--found", "."), "there is no label image a"),
        (("--found", ".", "--corrections", "2"), "leave out --corrections"),
        (("--found", ".", "--model", "mobile_sam"), "leave out --model"),
    ],
)
def test_a_mistake_is_said_before_a_model_is_loaded(
    arguments: tuple[str, ...],
    says: str,
    run: Run,
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    model = () if "--found" in arguments else ("--model", "sam_of_atlantis")
    result = run("evaluate", dataset, *model, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in result.stderr


def test_a_folder_that_is_no_data_set_is_refused(run: Run, tmp_path: Path) -> None:
    result = run("evaluate", tmp_path)
    assert result.exit_code == 2
    assert "is no data set" in result.stderr
    assert result.stderr.count("\n") == 1


def test_objects_too_small_to_evaluate_are_refused(
    run: Run, tmp_path: Path, tiny_model: Path
) -> None:
    labels = labels_of()
    labels[10:14, 10:15] = 1  # 20 pixels
    write_image(tmp_path / "small", "a", labels)
    result = run("evaluate", tmp_path / "small", "--model", tiny_model)
    assert result.exit_code == 2
    assert "no object of 30 pixels or more" in result.stderr


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros((48, 61), np.uint8), r"shape (48, 61) but"),
        (np.zeros((48, 60), np.float32), "holds float32"),
        (np.zeros((3, 48, 60), np.uint8), r"shape (3, 48, 60) but"),
    ],
)
def test_found_labels_that_do_not_fit_are_refused(
    labels: np.ndarray, says: str, run: Run, dataset: Path, found: Path
) -> None:
    tifffile.imwrite(found / "a.tif", labels, photometric="minisblack")
    result = run("evaluate", dataset, "--found", found)
    assert result.exit_code == 2
    assert "a.tif" in result.stderr
    assert says in result.stderr


def test_a_found_stack_with_too_few_planes_is_refused(run: Run, dataset: Path, found: Path) -> None:
    tifffile.imwrite(
        found / "stacks" / "c.tif", np.zeros((2, 48, 60), np.uint8), photometric="minisblack"
    )
    result = run("evaluate", dataset, "--found", found)
    assert result.exit_code == 2
    assert "no plane (2,)" in result.stderr
