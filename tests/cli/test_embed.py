"""`napari-sam embed`: what it encodes, what it refuses, and Ctrl-C."""

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

from napari_sam.cli.embed_run import in_units
from napari_sam.cli.progress import Progress
from napari_sam.errors import StoreError
from napari_sam.images.store import EmbeddingStore
from napari_sam.model.sam import build_sam
from napari_sam.model.weights import save_safetensors

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

SLIDE = "synthetic:300x400@1"  # 3 x 4 tiles of 128 model pixels, cores of 96

Said = dict[str, Any]


@pytest.fixture
def embed(run: Run, tiny_model: Path, tmp_path: Path) -> Any:
    """Embed an image into a store and return what is said about it."""

    def embed(*arguments: object, image: object = SLIDE) -> Said:
        given = ("--store", tmp_path / "store", "--model", tiny_model, "--json")
        result = run("embed", image, *given, *arguments)
        assert result.exit_code == 0, result.stderr
        said: Said = json.loads(result.stdout)
        return said

    return embed


def chunks(store: Path) -> list[Path]:
    return sorted(store.glob("*/embeddings/c.*"))


def test_a_second_run_has_nothing_to_do(embed: Any, tmp_path: Path) -> None:
    first = embed("--sampling", 1)
    assert (first["tiles"], first["encoded"], first["there"]) == (12, 12, 0)
    assert first["sampling"] == 1
    assert len(chunks(tmp_path / "store")) == 12
    assert first["store_bytes"] >= sum(file.stat().st_size for file in chunks(tmp_path / "store"))
    second = embed("--sampling", 1)
    assert (second["tiles"], second["encoded"], second["there"]) == (12, 0, 12)


def test_one_line_says_what_was_done(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    store = ("--store", tmp_path / "store", "--model", tiny_model, "--sampling", 2)
    result = run("embed", SLIDE, *store)
    assert result.stdout.startswith("4 tiles: 4 encoded, 0 constant, 0 were there; ")
    assert result.stdout.count("\n") == 1
    assert result.stderr.startswith("4 tiles at sampling 2, 0 of them there; up to ")


def test_a_region_has_only_its_tiles(embed: Any) -> None:
    assert embed("--sampling", 1, "--region", 0, 0, 100, 100)["tiles"] == 1
    assert embed("--sampling", 1, "--region", 0, 0, 120, 120)["encoded"] == 3


def test_the_diameter_sets_the_sampling(embed: Any) -> None:
    assert embed("--diameter", 32)["sampling"] == 2
    assert embed()["sampling"] == 1


def test_planes_are_embedded_one_or_all(embed: Any, disc: Path, tmp_path: Path) -> None:
    stack = tmp_path / "stack.tif"
    plane = np.random.default_rng(0).integers(0, 255, (60, 90), dtype=np.uint8)
    empty = np.zeros_like(plane)
    tifffile.imwrite(stack, np.stack([plane, empty, plane]), photometric="minisblack")
    options = ("--axes", "zyx", "--limits", 0, 255, "--sampling", 1)
    assert embed("--plane", 2, *options, image=stack)["encoded"] == 1
    said = embed("--all-planes", *options, image=stack)
    assert (said["tiles"], said["encoded"], said["constant"], said["there"]) == (3, 1, 1, 1)
    assert embed("--all-planes", *options, image=stack)["there"] == 3


def test_damage_is_found_removed_and_encoded_again(embed: Any, tmp_path: Path) -> None:
    embed("--sampling", 1)
    file = chunks(tmp_path / "store")[5]
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    checked = embed("--verify")
    assert (checked["tiles"], checked["damaged"]) == (12, [file.name])
    assert not file.exists()
    assert embed("--verify")["damaged"] == []
    assert embed("--sampling", 1)["encoded"] == 1
    assert file.read_bytes() == whole


def test_the_check_is_one_line(run: Run, embed: Any, tiny_model: Path, tmp_path: Path) -> None:
    embed("--sampling", 2)
    store = ("--store", tmp_path / "store", "--model", tiny_model, "--verify")
    assert run("embed", SLIDE, *store).stdout == "4 tiles checked: 0 damaged\n"
    chunks(tmp_path / "store")[0].write_bytes(b"cut off")
    assert run("embed", SLIDE, *store).stdout.startswith("4 tiles checked: 1 damaged and removed")


def test_another_model_is_refused(run: Run, embed: Any, tmp_path: Path) -> None:
    embed("--sampling", 2)
    other = tmp_path / "other.safetensors"
    save_safetensors(build_sam("tiny", seed=1), other)
    result = run("embed", SLIDE, "--store", tmp_path / "store", "--model", other)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert "model" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--sampling", "fit"), "fit"),
        (("--sampling", "3"), "power of two"),
        (("--region", "0", "0", "0", "9"), "area"),
        (("--region", "500", "0", "600", "9"), "outside"),
        (("--plane", "1"), "plane"),
        (("--plane", "1", "--all-planes"), "not both"),
        (("--diameter", "-1"), "diameter"),
        (("--verify",), "no store"),
        (("--limits", "5", "5"), "limits"),
    ],
)
def test_what_cannot_be_embedded_is_said_before_a_model_is_loaded(
    arguments: tuple[str, ...], says: str, run: Run, tmp_path: Path
) -> None:
    store = ("--store", tmp_path / "store", "--model", "sam_of_atlantis")
    result = run("embed", SLIDE, *store, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert says in result.stderr
    assert not (tmp_path / "store").exists()


def test_a_folder_with_other_files_is_refused(run: Run, tiny_model: Path, disc: Path) -> None:
    result = run("embed", disc, "--store", disc.parent, "--model", tiny_model)
    assert result.exit_code == 2
    assert "holds other files" in result.stderr


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(
    run: Run, embed: Any, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, room = EmbeddingStore.put, [True] * 4

    def full(*arguments: Any) -> None:
        if not room:
            raise StoreError("the store cannot be written (No space left on device): make room")
        room.pop()
        put(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddingStore, "put", full)
        store = ("--store", tmp_path / "store", "--model", tiny_model, "--sampling", 1)
        result = run("embed", SLIDE, *store)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[1:] == [
        "napari-sam: error: the store cannot be written (No space left on device): make room"
    ]
    said = embed("--sampling", 1)
    assert (said["there"], said["encoded"]) == (4, 8)


def test_ctrl_c_loses_nothing_and_the_same_command_goes_on(
    embed: Any, tiny_model: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    # As in a terminal, however the tests were started; and slow enough to be stopped.
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from napari_sam.model.sam import Sam\n"
        "encode = Sam.encode\n"
        "Sam.encode = lambda *given: time.sleep(0.1) or encode(*given)\n"
        "from napari_sam.cli import main\n"
        "main(prog_name='napari-sam')"
    )
    slide = "synthetic:1000x1000"
    arguments = ("embed", slide, "--store", store, "--model", tiny_model, "--sampling", "1")
    run = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(chunks(store)) < 3 and run.poll() is None:
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    stdout, stderr = run.communicate(timeout=60)
    assert run.returncode == 130
    assert stdout == ""
    _, line = stderr.splitlines()
    assert line.startswith("napari-sam: stopped after ")
    assert line.endswith(" of 121 tiles; the same command goes on from there")
    done = int(line.split()[3])
    assert 3 <= done == len(chunks(store)) < 121
    said = embed("--sampling", 1, image=slide)
    assert (said["there"], said["encoded"]) == (done, 121 - done)


def test_a_log_file_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Progress("tiles", 1000, 100) as progress:
        for now in (10.0, 40.0, 50.0, 80.0):
            progress.show(100 + round(now) * 5)
    assert capsys.readouterr().err == (
        "300 of 1,000 tiles, 5 per second, 02:20 left\n"
        "500 of 1,000 tiles, 5 per second, 01:40 left\n"
    )


def test_bytes_are_written_for_people() -> None:
    assert [in_units(size) for size in (7, 5_200, 34_300_000_000)] == [
        "0.0 kB",
        "5.2 kB",
        "34.3 GB",
    ]
