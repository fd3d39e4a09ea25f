"""`napari-sam segment`: what it writes, what it refuses, and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

import napari_sam
from napari_sam.cli import segment_labels
from napari_sam.cli.segment_run import summary
from napari_sam.segmentation.automatic import find_masks
from napari_sam.segmentation.automatic import output as segment_output
from napari_sam.segmentation.automatic.coco import read_coco
from napari_sam.segmentation.automatic.found import FoundMasks
from napari_sam.segmentation.automatic.merge_rules import MergeRules
from napari_sam.segmentation.automatic.run_lengths import encode
from napari_sam.segmentation.automatic.settings import AutomaticSettings
from napari_sam.segmentation.automatic.tile_masks import TileFinding
from napari_sam.segmentation.labels.pyramid import LabelPyramid

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

LOOSE = ("--min-score", 0, "--min-stability", 0)

RULES = MergeRules(min_score=0, min_stability=0)

FEW_POINTS = {"points_per_side": 6}


def find_squares(
    decoder: Any,
    tile: Any,
    window: Any,
    points: np.ndarray,
    settings: AutomaticSettings,
    plane_shape: tuple[int, int],
    *,
    tile_index: Any,
    batch: int,
    smallest: float,
    on_points: Any = None,
) -> TileFinding:
    """Stand in for `find_in_tile`: a square around every point, each surer than the one before."""
    low = np.maximum(np.round(points).astype(int) - 3, 0)
    high = np.minimum(np.round(points).astype(int) + 4, plane_shape)
    n = len(points)
    rles = np.empty(n, np.object_)
    rles[:] = [encode(np.ones(shape, bool)) for shape in high - low]
    found = replace(
        FoundMasks.empty(),
        boxes=np.concatenate([low, high], axis=1),
        rles=rles,
        scores=np.linspace(0.1, 0.9, n, dtype=np.float32),
        stability=np.full(n, 0.5, np.float32),
        areas=(high - low).prod(axis=1),
        points=points,
        prompts=np.arange(n),
        tokens=np.ones(n, np.uint8),
        samplings=np.full(n, window.sampling[0]),
        tiles=np.tile(tile_index, (n, 1)),
    )
    return TileFinding(found, n, 0, 0)


@pytest.fixture(autouse=True)
def _known_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask few points and know what they find: random weights find next to nothing."""
    monkeypatch.setattr(find_masks, "find_in_tile", find_squares)
    for name, value in FEW_POINTS.items():
        monkeypatch.setitem(AutomaticSettings.__init__.__kwdefaults__, name, value)


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """Return a TIFF of two planes of noise."""
    path = tmp_path / "noise.tif"
    planes = np.random.default_rng(0).integers(0, 255, (2, 140, 150), np.uint8)
    tifffile.imwrite(path, planes, metadata={"axes": "ZYX"}, ome=False, imagej=True)
    return path


def expected(model: Path, image: Path, **options: Any) -> Any:
    session = napari_sam.Segmenter(
        napari_sam.load_model(model, device="cpu"), napari_sam.open_image(image)
    )
    return session.segment(rules=RULES, **options)


def test_labels_table_and_masks_say_the_same(
    run: Run, noise: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out, table, coco = (tmp_path / name for name in ("out.tif", "out.csv", "out.json"))
    result = run(
        *("segment", noise, "--plane", 1, "--model", tiny_model, *LOOSE),
        *("-o", out, "--objects", table, "--coco", coco, "--json"),
    )
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    truth = expected(tiny_model, noise, planes=[1])
    assert len(truth) > 1, "test invalid: too little is found"
    labels = tifffile.imread(out)
    np.testing.assert_array_equal(labels, np.asarray(truth.labels)[1])
    rows = pd.read_csv(table)
    np.testing.assert_array_equal(rows["id"], truth.objects["id"])
    np.testing.assert_array_equal(rows["z"], 1)
    np.testing.assert_allclose(rows["predicted_iou"], truth.objects["predicted_iou"], atol=1e-5)
    (masks,) = read_coco(coco)
    assert masks.ids.tolist() == rows["id"].tolist()
    assert masks.found.areas.tolist() == rows["area"].tolist()
    assert said["objects"] == len(rows)
    assert said["labels"] == str(out)
    assert said["seams"] == list(truth.seams)
    assert said["asked"] > 0
    assert said["tiles"] >= 4


def test_a_png_holds_the_plane(run: Run, disc: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.png"
    result = run("segment", disc, "--model", tiny_model, *LOOSE, "-o", out)
    assert result.exit_code == 0, result.stderr
    truth = expected(tiny_model, disc)
    assert len(truth), "test invalid: nothing is found"
    np.testing.assert_array_equal(np.asarray(Image.open(out)), np.asarray(truth.labels))
    assert f"{len(truth)} objects in {out}" in result.stdout
    assert "prompts decoded" in result.stdout
    assert "tile at sampling" in result.stderr


def test_more_objects_than_a_png_holds_become_a_tiff(
    run: Run, disc: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_labels, "LARGEST_PNG_ID", 0)
    out = tmp_path / "labels.png"
    result = run("segment", disc, "--model", tiny_model, *LOOSE, "-o", out, "--json")
    assert json.loads(result.stdout)["labels"] == str(tmp_path / "labels.tif")
    assert "writing" in result.stderr
    assert tifffile.imread(tmp_path / "labels.tif").any()
    assert not out.exists()


def test_all_planes_are_in_one_file(
    run: Run, noise: Path, tiny_model: Path, tmp_path: Path
) -> None:
    tiff, folder = tmp_path / "labels.tif", tmp_path / "labels.zarr"
    arguments = ("segment", noise, "--all-planes", "--model", tiny_model, *LOOSE)
    for out in (tiff, folder):
        assert run(*arguments, "-o", out).exit_code == 0
    truth = np.asarray(expected(tiny_model, noise).labels)
    assert all(plane.any() for plane in truth)
    np.testing.assert_array_equal(tifffile.imread(tiff), truth)
    np.testing.assert_array_equal(LabelPyramid.open(folder).levels[0][:], truth)


def test_labels_too_large_for_memory_become_a_tiff_by_way_of_the_disk(
    run: Run, noise: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_output, "LONGEST_SIDE", 100)
    out, table = tmp_path / "labels.tif", tmp_path / "objects.csv"
    arguments = ("segment", noise, "--model", tiny_model, *LOOSE)
    before = {*tmp_path.iterdir()}
    assert run(*arguments, "--all-planes", "-o", out).exit_code == 0
    assert run(*arguments, "--plane", 0, "--objects", table).exit_code == 0
    assert {*tmp_path.iterdir()} == before | {out, table}, "what was written meanwhile is gone"
    monkeypatch.undo()
    assert tifffile.imread(out).any()
    assert len(pd.read_csv(table))


def test_records_make_other_labels_without_asking_again(
    run: Run, disc: Path, tiny_model: Path, tmp_path: Path
) -> None:
    arguments = ("segment", disc, "--model", tiny_model, "--records", tmp_path / "records")
    all_ = run(*arguments, *LOOSE, "-o", tmp_path / "all.tif", "--json")
    none = run(*arguments, "--min-score", 1, "-o", tmp_path / "none.tif", "--json")
    all_, none = json.loads(all_.stdout), json.loads(none.stdout)
    assert all_["records"] == none["records"] == str(tmp_path / "records")
    assert all_["asked"] > 0
    assert none["asked"] == 0
    assert all_["objects"] > none["objects"] == 0
    other = run(
        "segment", disc, "--model", tiny_model, *arguments[4:], "--diameter", 90, "-o", "x.tif"
    )
    assert other.exit_code == 2
    assert "found for something else" in other.stderr


def test_what_is_far_smaller_than_the_diameter_is_no_object(
    run: Run, disc: Path, tiny_model: Path, tmp_path: Path
) -> None:
    arguments = ("segment", disc, "--model", tiny_model, *LOOSE, "-o", tmp_path / "l.tif", "--json")
    about, far = (
        json.loads(run(*arguments, "--diameter", diameter).stdout) for diameter in (12, 40)
    )
    assert about["objects"] > 0
    assert far["asked"] > 0
    assert far["objects"] == 0  # squares of 7 pixels against a disc of 13


def test_a_region_or_a_mask_image_limits_what_is_asked(
    run: Run, noise: Path, tiny_model: Path, tmp_path: Path
) -> None:
    mask = np.zeros((14, 15), np.uint8)
    mask[2:6, 3:9] = 1
    tifffile.imwrite(tmp_path / "mask.tif", mask)
    arguments = ("segment", noise, "--plane", 0, "--model", tiny_model, *LOOSE, "--json")
    everywhere, region, within = (
        json.loads(run(*arguments, "-o", tmp_path / "labels.tif", *limited).stdout)
        for limited in (
            (),
            ("--region", 19.5, 29.5, 59.5, 89.5),
            ("--within", tmp_path / "mask.tif"),
        )
    )
    assert 0 < region["asked"] < everywhere["asked"]
    assert within["asked"] == region["asked"]
    assert within["objects"] == region["objects"]


def test_boxes_of_a_detector_become_objects(
    run: Run, noise: Path, tiny_model: Path, tmp_path: Path
) -> None:
    boxes, table = tmp_path / "boxes.csv", tmp_path / "objects.csv"
    boxes.write_text("z,y0,x0,y1,x1\n1,15,25,45,55\n0,2,60,30,88\n")
    result = run(
        *("segment", noise, "--boxes", boxes, "--model", tiny_model),
        *("-o", tmp_path / "labels.tif", "--objects", table, "--json"),
    )
    assert result.exit_code == 0, result.stderr
    said, rows = json.loads(result.stdout), pd.read_csv(table)
    assert said["asked"] == 2
    assert 0 < len(rows) <= 2
    assert set(zip(rows["z"], rows["box"], strict=True)) <= {(1, 0), (0, 1)}
    assert tifffile.imread(tmp_path / "labels.tif").shape == (2, 140, 150)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "Nothing would be kept"),
        (("-o", "labels.tif", "--plane", 0, "--all-planes"), "--plane or --all-planes"),
        (("-o", "labels.tif"), "leading axes"),
        (("-o", "labels.jpg", "--plane", 0), "says no format"),
        (("-o", "labels.png", "--all-planes"), "cannot hold the planes"),
        (("-o", "missing/labels.tif", "--plane", 0), "does not exist"),
        (("-o", "there.zarr", "--plane", 0), "exists already"),
        (("--objects", "objects.xlsx", "--plane", 0), "says no format"),
        (("-o", "labels.tif", "--plane", 0, "--region", 5, 5, 5, 9), "no area"),
        (
            ("-o", "l.tif", "--plane", 0, "--region", 1, 1, 5, 9, "--within", "noise.tif"),
            "not both",
        ),
        (("-o", "labels.tif", "--plane", 0, "--within", "noise.tif"), "expected a mask"),
        (("-o", "labels.tif", "--boxes", "noise.tif", "--plane", 0), "CSV"),
        (("-o", "l.tif", "--boxes", "noise.tif", "--region", 1, 1, 5, 9), "leave --region"),
    ],
)
def test_what_cannot_be_used_is_said_before_a_model_is_loaded(
    arguments: tuple[object, ...],
    problem: str,
    run: Run,
    noise: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.zarr").mkdir()
    result = run("segment", noise, *arguments, "--model", "no_such_model")
    assert result.exit_code == 2
    assert problem in result.stderr
    assert "no_such_model" not in result.stderr


@pytest.mark.parametrize(
    ("name", "limit", "said"),
    [
        ("labels.tif", (segment_labels, "LARGEST_TIFF"), "too large for one file"),
        ("labels.png", (segment_output, "LONGEST_SIDE"), "too large for labels.png"),
    ],
)
def test_labels_too_large_for_a_file_are_refused_with_a_way_out(
    name: str,
    limit: tuple[Any, str],
    said: str,
    run: Run,
    disc: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ("segment", disc, "-o", tmp_path / name, "--model", "no_such_model")
    assert "no_such_model" in run(*arguments).stderr
    monkeypatch.setattr(*limit, 10)
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert f"write OME-Zarr, for example -o {tmp_path / 'labels.zarr'}" in result.stderr


def test_objects_cut_between_tiles_are_counted_and_named() -> None:
    files: dict[str, Any] = {"labels": "labels.tif", "table": None, "coco": None}
    said = files | {"objects": 40, "tiles": 1, "asked": 9, "skipped": 0, "seconds": 2.0}
    assert "none ends straight along a line between tiles" in summary({**said, "seams": []})
    cut = summary({**said, "seams": list(range(3, 15))})
    assert "12 of them end straight along a line between tiles: 3, 4," in cut
    assert "12 ..." in cut


def test_ctrl_c_ends_with_a_line_and_the_same_command_goes_on(
    tiny_model: Path, tmp_path: Path, run: Run
) -> None:
    code = (
        "import signal, time\n"
        "from napari_sam.cli import main\n"
        "from napari_sam.segmentation.automatic import find_masks\n"
        "from napari_sam.segmentation.automatic.settings import AutomaticSettings\n"
        f"AutomaticSettings.__init__.__kwdefaults__.update({FEW_POINTS})\n"
        "find = find_masks.find_in_tile\n"
        "find_masks.find_in_tile = lambda *a, **b: (time.sleep(0.2), find(*a, **b))[1]\n"
        # Tests that a shell runs in the background have been told to ignore it.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "main(prog_name='napari-sam')"
    )
    arguments = ["segment", "synthetic:600x700@1", "--model", str(tiny_model), "--json"]
    arguments += ["-o", str(tmp_path / "labels.zarr")]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    records = tmp_path / "labels.records"
    deadline = time.monotonic() + 120
    while not list(records.glob("*/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert "the same command goes on from there" in stderr
    done = len(list(records.glob("*/*.npz")))
    said = json.loads(run(*arguments).stdout)
    assert 0 < done < said["tiles"]
    assert said["labels"] == str(tmp_path / "labels.zarr")
    assert not (tmp_path / "labels.zarr.unfinished").exists()
