"""`napari-sam predict` with a table of prompts, and on images of any kind and size."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr

import napari_sam
from napari_sam.cli import many, predict_table
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from tests.cli.conftest import Run

POINTS = [(30, 40), (5, 6), (28, 44), (50, 80), (31, 38)]

SLIDE = "synthetic:300x400@3"


@pytest.fixture
def points(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    path.write_text("y,x\n" + "".join(f"{y},{x}\n" for y, x in POINTS))
    return path


@pytest.fixture
def ome_zarr(tmp_path: Path) -> Path:
    """Return an OME-Zarr image of two planes and two levels, with physical sizes."""
    path = tmp_path / "image.zarr"
    group = zarr.create_group(path, zarr_format=3)
    y, x = np.mgrid[:80, :120]
    plane = np.where((y - 30) ** 2 + (x - 40) ** 2 < 15**2, 200, 50).astype(np.uint8)
    levels = [np.stack([plane, 255 - plane])[:, ::step, ::step] for step in (1, 2)]
    datasets = []
    for level, (pixels, size) in enumerate(zip(levels, (0.25, 0.5), strict=True)):
        group.create_array(str(level), data=pixels, chunks=(1, 32, 32))
        scale = {"type": "scale", "scale": [2.0, size, size]}
        datasets.append({"path": str(level), "coordinateTransformations": [scale]})
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
    multiscale = {"axes": axes, "datasets": datasets}
    group.update_attributes({"ome": {"version": "0.5", "multiscales": [multiscale]}})
    return path


def answers(model: Path, image: Path, prompts: Sequence[tuple[float, float]]) -> list[Any]:
    session = napari_sam.Segmenter(
        napari_sam.load_model(model, device="cpu"), napari_sam.open_image(image)
    )
    return [session.predict(points=[prompt])[0] for prompt in prompts]


def test_every_prompt_of_a_table_is_an_id_in_order(
    run: Run, disc: Path, tiny_model: Path, points: Path, tmp_path: Path
) -> None:
    out, measured = tmp_path / "labels.tif", tmp_path / "objects.csv"
    arguments = ("--points", points, "--model", tiny_model, "-o", out, "--table", measured)
    result = run("predict", disc, *arguments, "--json")
    said = json.loads(result.stdout)
    expected = answers(tiny_model, disc, POINTS)
    labels = np.zeros((60, 90), int)
    for number, candidate in enumerate(expected, start=1):
        mask = candidate.draw((0, 0, 60, 90))
        labels[mask & (labels == 0)] = number
    assert {1, 2} <= set(np.unique(labels)), "test invalid: too little is found"
    np.testing.assert_array_equal(tifffile.imread(out), labels)

    assert [row["id"] for row in said["objects"]] == [1, 2, 3, 4, 5]
    assert said["labels"] == str(out)
    for row, candidate in zip(said["objects"], expected, strict=True):
        assert row["predicted_iou"] == pytest.approx(candidate.score, abs=1e-5)
        assert row["area"] == candidate.area
        assert row["labelled"] == np.count_nonzero(labels == row["id"])
        assert row["sampling"] == list(candidate.window.sampling)
    with measured.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["id"]) for row in rows] == [1, 2, 3, 4, 5]
    assert list(rows[0])[1:4] == ["predicted_iou", "stability", "area"]
    assert [float(row["y0"]) for row in rows] == [row["box"][0] for row in said["objects"]]


def test_a_table_is_printed_when_it_is_not_written(
    run: Run, disc: Path, tiny_model: Path, points: Path, tmp_path: Path
) -> None:
    arguments = ("--points", points, "--model", tiny_model)
    header, _rule, *rows = run("predict", disc, *arguments).stdout.splitlines()
    assert header.split()[:2] == ["id", "predicted"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3", "4", "5"]
    assert run("predict", disc, *arguments, "--table", tmp_path / "out.csv").stdout == ""


def test_the_answers_do_not_depend_on_how_many_are_asked_at_once(
    run: Run, disc: Path, tiny_model: Path, points: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("predict", disc, "--points", points, "--model", tiny_model, "--json")
    together = json.loads(run(*arguments).stdout)["objects"]
    monkeypatch.setattr(many, "TOGETHER", 1)
    alone = json.loads(run(*arguments).stdout)["objects"]
    assert [row["id"] for row in alone] == [row["id"] for row in together]
    for one, other in zip(alone, together, strict=True):
        assert one["predicted_iou"] == pytest.approx(other["predicted_iou"], abs=1e-5)
        assert one["area"] == pytest.approx(other["area"], abs=3)


def test_boxes_keep_the_ids_of_their_objects(
    run: Run, disc: Path, tiny_model: Path, tmp_path: Path
) -> None:
    boxes, out = tmp_path / "boxes.csv", tmp_path / "labels.zarr"
    boxes.write_text("object,y0,x0,y1,x1\n700,15,25,45,55\n70,2,60,30,88\n")
    result = run("predict", disc, "--boxes", boxes, "--model", tiny_model, "-o", out, "--json")
    said = json.loads(result.stdout)["objects"]
    assert [row["id"] for row in said] == [700, 70]
    found = set(np.unique(LabelPyramid.open(out).levels[0][...])) - {0}
    assert found == {row["id"] for row in said if row["labelled"]} != set()
    assert LabelPyramid.open(out).next_id() == 701


def test_labels_become_a_part_of_their_image(
    run: Run, ome_zarr: Path, tiny_model: Path, tmp_path: Path
) -> None:
    table, out = tmp_path / "points.csv", ome_zarr / "labels" / "nuclei"
    table.write_text("index,axis-0,axis-1,axis-2\n0,0,30,40\n1,1,30,40\n")
    arguments = ("--points", table, "--model", tiny_model, "--sampling", 1)
    assert run("predict", ome_zarr, *arguments, "-o", out).exit_code == 0
    labels = LabelPyramid.open(out)
    fine, coarse = (level[...] for level in labels.levels)
    assert fine.shape == (2, 80, 120)
    assert [set(np.unique(plane)) - {0} for plane in fine] == [{1}, {2}]
    # Of the pixels that it stands for, a coarse one shows the next to its centre, the later one.
    np.testing.assert_array_equal(coarse, fine[:, 1::2, 1::2])
    listed = zarr.open_group(ome_zarr / "labels").attrs["ome"]["labels"]
    assert listed == ["nuclei"]

    again = run("predict", ome_zarr, *arguments, "-o", out)
    assert again.exit_code == 2
    assert "exists already" in again.stderr


def test_labels_beside_their_image_have_its_scale(
    run: Run, ome_zarr: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels.ome.zarr"
    prompt = ("--point", 30, 40, "--plane", 1, "--sampling", 1, "--model", tiny_model)
    assert run("predict", ome_zarr, *prompt, "-o", out).exit_code == 0
    (multiscale,) = zarr.open_group(out).attrs["ome"]["multiscales"]
    steps = multiscale["datasets"][0]["coordinateTransformations"]
    assert steps[0]["scale"] == [2.0, 0.25, 0.25]
    fine = LabelPyramid.open(out).levels[0][...]
    assert [int(plane.max()) for plane in fine] == [0, 1]


def test_a_synthetic_slide_is_an_image(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    prompt = ("--point", 150, 200, "--model", tiny_model, "--json")
    said = json.loads(run("predict", SLIDE, *prompt).stdout)
    assert said["image"] == SLIDE
    other = json.loads(run("predict", "synthetic:300x400", *prompt).stdout)
    assert said["limits"] != other["limits"], "the seed makes another slide"


def test_the_labels_of_a_slide_have_all_levels(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.zarr"
    prompt = ("--point", 1000, 2000, "--sampling", 1, "--model", tiny_model)
    result = run("predict", "synthetic:2000x3000", *prompt, "-o", out, "--json")
    best = json.loads(result.stdout)["candidates"][0]
    fine, middle, coarse = (level[...] for level in LabelPyramid.open(out).levels)
    assert fine.shape == (2000, 3000)
    assert np.count_nonzero(fine == 1) == np.count_nonzero(fine) > 0
    assert np.count_nonzero(fine) == pytest.approx(best["area"], rel=0.02)
    np.testing.assert_array_equal(middle, fine[1::2, 1::2])
    np.testing.assert_array_equal(coarse, fine[2::4, 2::4])


@pytest.mark.parametrize("size", ["100", "100x", "-5x5", "5x5@", "0x10", "1e3x1e3", "9x300000"])
def test_a_synthetic_slide_that_cannot_be_made_is_exit_code_2(
    size: str, run: Run, tiny_model: Path
) -> None:
    result = run("predict", f"synthetic:{size}", "--point", 1, 1, "--model", tiny_model)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1


def test_a_store_keeps_the_tiles_of_prompts(
    run: Run, disc: Path, tiny_model: Path, points: Path, tmp_path: Path
) -> None:
    arguments = ("--points", points, "--model", tiny_model, "--json", "--store", tmp_path / "store")
    first = json.loads(run("predict", disc, *arguments).stdout)["objects"]
    assert list((tmp_path / "store").glob("*/embeddings/c.*"))
    assert json.loads(run("predict", disc, *arguments).stdout)["objects"] == first
    other = run("predict", disc, *arguments, "--limits", 0, 99)
    assert other.exit_code == 2
    assert "limits" in other.stderr


def test_the_diameter_sets_the_sampling(run: Run, tiny_model: Path) -> None:
    prompt = ("--point", 150, 200, "--model", tiny_model, "--json")
    for diameter, sampling in ((4, 0.25), (32, 2)):
        said = json.loads(run("predict", SLIDE, *prompt, "--diameter", diameter).stdout)
        assert said["sampling"][0] >= sampling
    assert run("predict", SLIDE, *prompt, "--diameter", 0).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--point", "1", "2", "--points", "TABLE"), "cannot be used together"),
        (("--points", "TABLE", "--all"), "cannot be used together"),
        (("--point", "1", "2", "--table", "out.csv"), "needs a table of prompts"),
        (("--points", "none.csv"), "none.csv"),
        (("--points", "TABLE", "--table", "/nowhere/out.csv"), "/nowhere"),
        (("--points", "TABLE", "--plane", "1"), "plane"),
        (("--points", "TABLE", "-o", "labels.jpg"), "labels.jpg"),
    ],
)
def test_tables_that_cannot_be_used_are_exit_code_2(
    arguments: tuple[str, ...], says: str, run: Run, disc: Path, tiny_model: Path, points: Path
) -> None:
    given = [str(points) if each == "TABLE" else each for each in arguments]
    result = run("predict", disc, *given, "--model", tiny_model)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in result.stderr


def test_a_bad_line_is_said_before_the_model_is_loaded(run: Run, disc: Path, points: Path) -> None:
    points.write_text("y,x\n1,2\n1,here\n")
    result = run("predict", disc, "--points", points, "--model", "sam_of_atlantis")
    assert result.exit_code == 2
    assert result.stderr.endswith(
        "line 3, column x: 'here' is not a number: expected one such as 120.5\n"
    )


def test_columns_that_are_not_used_are_said(
    run: Run, disc: Path, tiny_model: Path, points: Path
) -> None:
    points.write_text("y,x,weight\n30,40,0\n")
    result = run("predict", disc, "--points", points, "--model", tiny_model)
    assert result.exit_code == 0
    assert "column weight" in result.stderr


@pytest.mark.parametrize(
    ("name", "says"),
    [("labels.zarr", "labels.zarr holds them"), ("labels.tif", "no labels were written")],
)
def test_ctrl_c_says_what_is_there(
    name: str,
    says: str,
    run: Run,
    disc: Path,
    tiny_model: Path,
    points: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(many, "TOGETHER", 2)

    def stopped(*arguments: Any) -> Iterator[Any]:
        yield next(many.answer(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(predict_table, "answer", stopped)
    out = tmp_path / name
    result = run("predict", disc, "--points", points, "--model", tiny_model, "-o", out)
    assert result.exit_code == 130
    assert "stopped after 2 of 5 objects" in result.stderr
    assert says in result.stderr
    assert out.exists() == (name == "labels.zarr")
