"""`napari-sam train`: what it writes, what it refuses, Ctrl-C and a kill."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from napari_sam.cli import train_run
from napari_sam.model.checkpoints import load_model
from napari_sam.model.weights import file_sha256, read_metadata, read_state_dict

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

STEPS = 4


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Return a folder with two images of discs and their labels."""
    folder = tmp_path / "cells"
    y, x = np.mgrid[:60, :90]
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for shift, name in ((0, "one"), (7, "two")):
        labels = np.zeros((60, 90), np.uint8)
        for number, column in enumerate((15, 40, 65), start=1):
            labels[(y - 30 - shift) ** 2 + (x - column - shift) ** 2 < 100] = number
        Image.fromarray(np.where(labels, 200, 40).astype(np.uint8)).save(
            folder / "images" / f"{name}.png"
        )
        tifffile.imwrite(folder / "labels" / f"{name}.tif", labels)
    return folder


@pytest.fixture
def given(dataset: Path, tiny_model: Path) -> tuple[object, ...]:
    """Return the arguments of a short run, all but the output."""
    return ("train", dataset, "--model", tiny_model, "--steps", STEPS, "--device", "cpu")


def equal(one: Path, other: Path) -> bool:
    first, second = read_state_dict(one), read_state_dict(other)
    assert first.keys() == second.keys()
    return all(torch.equal(first[key], second[key]) for key in first)


def test_a_model_is_trained_and_can_be_loaded(
    run: Run, given: tuple[object, ...], tiny_model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "my_model.safetensors"
    result = run(*given, "-o", output)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{output}: trained on 2 images with 6 objects, 4 steps\n"
    first, *rest = result.stderr.splitlines()
    assert first == "2 images with 6 objects"
    assert len([line for line in rest if line.startswith("steps ")]) == STEPS
    assert "mask loss" in result.stderr
    assert "score loss" in result.stderr
    assert not (tmp_path / "my_model.state.pt").exists()
    assert not equal(output, tiny_model)
    sam = load_model(output, device="cpu")
    assert (sam.name, sam.config.variant) == ("my_model", "tiny")
    told = read_metadata(output)
    assert (told["trained_from"], told["trained_from_sha256"]) == ("tiny", file_sha256(tiny_model))
    assert (told["steps"], told["images"], told["objects"]) == ("4", "2", "6")
    assert (told["train"], told["seed"], told["sources"]) == ("decoder", "0", "cells")


def test_json_says_what_came_out(run: Run, given: tuple[object, ...], tmp_path: Path) -> None:
    output = tmp_path / "my_model.safetensors"
    result = run(*given, "-o", output, "--train", "last_stages", "--seed", 5, "--json")
    said: dict[str, Any] = json.loads(result.stdout)
    assert said["output"] == str(output)
    assert said["name"] == "my_model"
    assert said["sha256"] == file_sha256(output)
    assert (said["train"], said["seed"], said["steps"], said["first_step"]) == (
        "last_stages",
        5,
        STEPS,
        1,
    )
    assert set(said["last"]) == set(train_run.MEASURES)
    assert 0 <= said["last"]["click_iou"] <= 1
    assert said["seconds"] > 0


def test_a_report_is_the_mean_of_the_steps_since_the_last(
    run: Run, given: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_run, "REPORTS", 2)
    result = run(*given, "-o", tmp_path / "my_model.safetensors")
    said = [line for line in result.stderr.splitlines() if line.startswith("steps ")]
    lines = [line.partition(":")[0] for line in said]
    assert lines == ["steps 1 to 2", "steps 3 to 4"]


def test_a_model_that_exists_is_not_overwritten(
    run: Run, given: tuple[object, ...], tmp_path: Path
) -> None:
    output = tmp_path / "my_model.safetensors"
    output.write_bytes(b"somebody's work")
    result = run(*given, "-o", output)
    assert result.exit_code == 2
    assert "exists already and is not overwritten" in result.stderr
    assert output.read_bytes() == b"somebody's work"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-o", "{tmp}/model"), "does not end in .safetensors"),
        (("-o", "{tmp}/nowhere/my.safetensors"), "nowhere for the output my.safetensors"),
        (("-o", "{tmp}/my.safetensors", "--state", "{tmp}/nowhere/run.pt"), "for the state"),
        (("-o", "{tmp}/my.safetensors", "--state", "{tmp}/my.safetensors"), "another --state"),
        (("-o", "{tmp}/my.safetensors", "--steps", "0"), "steps is 0; expected 1 or more"),
        (("-o", "{tmp}/my.safetensors", "--seed", "-1"), "seed is -1"),
        (("-o", "{tmp}/my.safetensors", "--train", "encoder"), "encoder"),
        ((), "--output"),
    ],
)
def test_mistakes_are_said_before_a_model_is_loaded(
    arguments: tuple[str, ...], says: str, run: Run, dataset: Path, tmp_path: Path
) -> None:
    filled = [argument.format(tmp=tmp_path) for argument in arguments]
    result = run("train", dataset, "--model", "sam_of_atlantis", *filled)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in result.stderr
    assert "atlantis" not in result.stderr


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("unlink", "there is no file {labels}/two with one of the suffixes"),
        ("cut", "{labels}/two.tif could not be read as an image"),
        ("empty", "{labels}/two.tif has no object of 12 pixels or more"),
        ("float", "{labels}/two.tif holds float32"),
        ("turn", "{labels}/two.tif has shape (90, 60) but {images}/two.png has (60, 90)"),
    ],
)
def test_a_data_set_with_a_mistake_is_one_line_that_names_the_file(
    damage: str, says: str, run: Run, dataset: Path, tmp_path: Path
) -> None:
    file = dataset / "labels" / "two.tif"
    labels = tifffile.imread(file)
    if damage == "unlink":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:100])
    else:
        other = {"empty": 0 * labels, "float": labels.astype(np.float32), "turn": labels.T}
        tifffile.imwrite(file, other[damage])
    output = tmp_path / "my_model.safetensors"
    result = run("train", dataset, "-o", output, "--model", "sam_of_atlantis")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("napari-sam: error: ")
    assert says.format(labels=dataset / "labels", images=dataset / "images") in result.stderr
    assert not output.exists()


def test_no_data_set_is_one_line(run: Run, tmp_path: Path) -> None:
    result = run("train", tmp_path / "nowhere", "-o", tmp_path / "my_model.safetensors")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "is no data set" in result.stderr


def test_the_state_of_another_run_is_refused_and_kept(
    run: Run, given: tuple[object, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, state = tmp_path / "my_model.safetensors", tmp_path / "run.pt"
    with monkeypatch.context() as patch:  # the disk is full when the model is to be written

        def fill(*_: object) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr("napari_sam.model.weights.save_safetensors", fill)
        result = run(*given, "-o", output, "--state", state)
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr.splitlines()[-1]
    assert state.exists()
    result = run(*given, "-o", output, "--state", state, "--seed", 7)
    assert result.exit_code == 2
    assert "belongs to another run (seed: 0 there, 7 here)" in result.stderr
    assert state.exists()
    result = run(*given, "-o", output, "--state", state, "--json")
    said = json.loads(result.stdout)
    assert (said["first_step"], said["last"]) == (STEPS + 1, {})
    assert output.exists()
    assert not state.exists()


@pytest.mark.parametrize("how", ["Ctrl-C", "kill"])
def test_a_run_that_was_stopped_goes_on_and_ends_the_same(
    how: str, run: Run, given: tuple[object, ...], tmp_path: Path
) -> None:
    output, state = tmp_path / "my_model.safetensors", tmp_path / "my_model.state.pt"
    # As in a terminal, however the tests were started; and slow enough to be stopped.
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from napari_sam.cli import main, train_run\n"
        "train_run.SAVE_EVERY = 2\n"
        "from napari_sam.training.state import TrainingState\n"
        "average = TrainingState.average\n"
        "TrainingState.average = lambda *given: time.sleep(0.5) or average(*given)\n"
        "main(prog_name='napari-sam')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, given), "-o", str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not state.exists() and process.poll() is None:
        time.sleep(0.02)
    if how == "kill":
        process.kill()
    else:
        process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert stdout == ""
    assert not output.exists()
    if how == "Ctrl-C":
        assert process.returncode == 130
        last = stderr.splitlines()[-1]
        assert last.startswith("napari-sam: stopped after ")
        assert last.endswith(" of 4 steps; the same command goes on from there")
        done = int(last.split()[3])
    else:
        done = 2
    result = run(*given, "-o", output, "--json")
    assert result.exit_code == 0, result.stderr
    assert f", going on from {state}" in result.stderr
    assert json.loads(result.stdout)["first_step"] == done + 1
    assert done < STEPS
    whole = tmp_path / "whole.safetensors"
    assert run(*given, "-o", whole).exit_code == 0
    assert equal(output, whole)
