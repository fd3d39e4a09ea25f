"""`napari-sam predict`: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from tests.cli.conftest import Run


def tiff(path: Path, array: np.ndarray[Any, Any]) -> Path:
    tifffile.imwrite(path, array, photometric="minisblack")
    return path


def test_a_click_prints_three_candidates_best_first(run: Run, disc: Path, tiny_model: Path) -> None:
    result = run("predict", disc, "--point", 30, 40, "--model", tiny_model)
    assert result.exit_code == 0
    header, _rule, *rows = result.stdout.splitlines()
    assert header.split()[:3] == ["candidate", "predicted", "IoU"]
    scores = [float(row.split()[1]) for row in rows]
    assert len(rows) == 3
    assert scores == sorted(scores, reverse=True)


def test_json_says_the_same_as_the_library(run: Run, disc: Path, tiny_model: Path) -> None:
    import napari_sam

    arguments = ("--model", tiny_model, "--limits", 0, 255, "--sampling", "1/2", "--json")
    result = run("predict", disc, "--point", 30, 40, "--background", 2, 2, *arguments)
    said = json.loads(result.stdout)

    session = napari_sam.Segmenter(
        napari_sam.load_model(tiny_model, device="cpu"), napari_sam.open_image(disc, (0, 255))
    )
    expected = session.predict(points=[(30, 40), (2, 2)], labels=[1, 0], sampling=0.5)
    assert said["sampling"] == list(expected.window.sampling)
    assert said["limits"] == [[0, 255]]
    assert said["labels"] is None
    assert len(said["candidates"]) == len(expected) == 1
    (candidate,) = said["candidates"]
    assert candidate["predicted_iou"] == pytest.approx(float(expected.scores[0]), abs=1e-5)
    assert candidate["stability"] == pytest.approx(float(expected.stability[0]), abs=1e-3)
    assert candidate["area"] == expected[0].area > 0
    assert candidate["origin"] == list(expected.origin)


def test_the_best_candidate_is_written_as_id_1(
    run: Run, disc: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels.tif"
    result = run("predict", disc, "--point", 30, 40, "--model", tiny_model, "-o", out, "--json")
    best = json.loads(result.stdout)["candidates"][0]
    labels = tifffile.imread(out)
    assert labels.shape == (60, 90)
    assert best["area"] > 0, "test invalid: nothing to find"
    assert np.count_nonzero(labels == 1) == np.count_nonzero(labels) == best["area"]
    rows, columns = np.nonzero(labels)
    assert best["box"] == [
        rows.min() - 0.5,
        columns.min() - 0.5,
        rows.max() + 0.5,
        columns.max() + 0.5,
    ]


def test_all_writes_one_page_per_candidate(
    run: Run, disc: Path, tiny_model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels.tif"
    box = ("--box", 14.5, 24.5, 45.5, 55.5)
    result = run("predict", disc, *box, "--all", "--model", tiny_model, "-o", out, "--json")
    candidates = json.loads(result.stdout)["candidates"]
    pages = tifffile.imread(out)
    assert pages.shape == (3, 60, 90)
    for number, (page, candidate) in enumerate(zip(pages, candidates, strict=True), start=1):
        assert np.count_nonzero(page == number) == np.count_nonzero(page) == candidate["area"]


def test_a_box_alone_gives_one_candidate(run: Run, disc: Path, tiny_model: Path) -> None:
    result = run("predict", disc, "--box", 14.5, 24.5, 45.5, 55.5, "--model", tiny_model, "--json")
    assert len(json.loads(result.stdout)["candidates"]) == 1


def test_fit_is_the_long_side_at_the_models_size(run: Run, disc: Path, tiny_model: Path) -> None:
    arguments = ("--sampling", "fit", "--model", tiny_model, "--json")
    sampling = json.loads(run("predict", disc, "--point", 30, 40, *arguments).stdout)["sampling"]
    assert sampling == pytest.approx([60 / 85, 90 / 128])


def test_a_plane_of_a_stack_is_the_plane_itself(
    run: Run, disc: Path, tiny_model: Path, tmp_path: Path
) -> None:
    plane = np.asarray(Image.open(disc))
    stack = tiff(tmp_path / "stack.tif", np.stack([255 - plane, plane, plane // 2]))
    prompt = ("--point", 30, 40, "--limits", 0, 255, "--model", tiny_model, "--json")
    alone = json.loads(run("predict", disc, *prompt).stdout)
    in_stack = json.loads(run("predict", stack, "--plane", 1, *prompt, "--axes", "ZYX").stdout)
    elsewhere = json.loads(run("predict", stack, "--plane", 0, *prompt, "--axes", "ZYX").stdout)
    assert in_stack["plane"] == [1]
    assert in_stack["candidates"] == alone["candidates"]
    assert elsewhere["candidates"] != alone["candidates"]


def test_channels_can_be_picked(run: Run, disc: Path, tiny_model: Path, tmp_path: Path) -> None:
    plane = np.asarray(Image.open(disc))
    five = tiff(tmp_path / "five.tif", np.stack([*[np.zeros_like(plane)] * 4, plane]))
    prompt = ("--point", 30, 40, "--limits", 0, 255, "--model", tiny_model, "--json")
    picked = run("predict", five, "--axes", "CYX", "--channel", 4, *prompt)
    assert picked.exit_code == 0
    assert (
        json.loads(picked.stdout)["candidates"]
        == (json.loads(run("predict", disc, *prompt).stdout)["candidates"])
    )


CLICK = ("--point", "30", "40")


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (("--point", "60", "40"), "outside"),
        (("--point", "30", "-3"), "outside"),
        (("--point", "30", "40", "--background", "30", "400"), "outside"),
        (("--point", "nan", "40"), "finite"),
        (("--box", "10", "20", "10", "30"), "area"),
        (("--box", "30", "20", "10", "30"), "area"),
        ((*CLICK, "--plane", "0"), "plane"),
        ((*CLICK, "--sampling", "0.3"), "sampling"),
        ((*CLICK, "--sampling", "big"), "sampling"),
        ((*CLICK, "--sampling", "1/0"), "sampling"),
        ((*CLICK, "--limits", "9", "9"), "limits"),
        ((*CLICK, "--axes", "ZYX"), "axes"),
        ((*CLICK, "--channel", "3"), "channel"),
        ((*CLICK, "--device", "abacus"), "abacus"),
        ((*CLICK, "--device", "cuda:77"), "cuda"),
        ((*CLICK, "--point", "1"), "--point"),
        ((), "prompt"),
        ((*CLICK, "-o", "/nowhere/labels.tif"), "/nowhere"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_exit_code_2(
    prompt: tuple[str, ...], says: str, run: Run, disc: Path, tiny_model: Path
) -> None:
    result = run("predict", disc, *prompt, "--model", tiny_model)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in result.stderr


def test_a_missing_image_is_exit_code_2(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    result = run("predict", tmp_path / "none.tif", *CLICK, "--model", tiny_model)
    assert result.exit_code == 2
    assert "none.tif" in result.stderr


@pytest.mark.parametrize("name", ["broken.png", "broken.tif", "notes.txt"])
def test_a_file_that_is_no_image_is_exit_code_2(
    name: str, run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"these are not pixels")
    result = run("predict", tmp_path / name, *CLICK, "--model", tiny_model)
    assert result.exit_code == 2
    assert result.stderr.startswith("napari-sam: error: ")
    assert result.stderr.count("\n") == 1
    assert name in result.stderr


@pytest.mark.parametrize(
    ("pixels", "says"),
    [
        (np.full((60, 90), np.nan, np.float32), "NaN"),
        (np.ones((5, 60, 90), np.uint8), "channels"),
    ],
)
def test_an_image_that_cannot_be_used_is_exit_code_2(
    pixels: np.ndarray[Any, Any], says: str, run: Run, tiny_model: Path, tmp_path: Path
) -> None:
    path = tiff(tmp_path / "image.tif", pixels)
    axes = ("--axes", "CYX") if pixels.ndim == 3 else ()
    result = run("predict", path, *CLICK, *axes, "--model", tiny_model)
    assert result.exit_code == 2
    assert says in result.stderr


def test_an_image_without_pixels_is_exit_code_2(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "empty.npy"
    np.save(path, np.zeros((0, 90), np.uint8))
    result = run("predict", path, *CLICK, "--model", tiny_model)
    assert result.exit_code == 2


@pytest.mark.parametrize("name", ["sam_of_atlantis", "disc.png"])
def test_a_model_that_is_none_is_exit_code_2(name: str, run: Run, disc: Path) -> None:
    model = disc if name == disc.name else name
    result = run("predict", disc, *CLICK, "--model", model)
    assert result.exit_code == 2
    assert str(model) in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_output_that_cannot_be_written_is_exit_code_2(
    run: Run, disc: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full)
    out = disc.with_name("labels.tif")
    result = run("predict", disc, *CLICK, "--model", tiny_model, "-o", out)
    assert result.exit_code == 2
    assert "No space left" in result.stderr
    assert str(out) in result.stderr
