from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from napari_sam import Segmenter
from napari_sam.errors import InputError, StoreError
from napari_sam.model.sam import Sam, build_sam

if TYPE_CHECKING:
    from pathlib import Path

    from napari_sam.images.tiles import TileIndex

IMAGE = np.random.default_rng(0).integers(0, 255, (500, 700), dtype=np.uint8)
# At sampling 1 the tiny model covers it with 5 x 7 tiles.


def chunks(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*/embeddings/c.*")}


@pytest.fixture
def model() -> Sam:
    return build_sam("tiny", seed=0)


@pytest.fixture
def undisturbed(model: Sam, tmp_path: Path) -> dict[str, bytes]:
    folder = tmp_path / "undisturbed"
    list(Segmenter(model, IMAGE, folder).embed(sampling=1))
    found = chunks(folder)
    assert len(found) == 35
    return found


def test_a_plane_is_embedded_tile_by_tile_with_progress(model: Sam, tmp_path: Path) -> None:
    reports = list(Segmenter(model, IMAGE, tmp_path / "store").embed(sampling=1))
    assert [report.done for report in reports] == list(range(36))
    assert {report.total for report in reports} == {35}
    assert reports[-1].encoded == 35
    tiles = {tile for report in reports for tile in report.tiles}
    assert tiles == {(row, column) for row in range(5) for column in range(7)}


def test_embedding_again_does_nothing(disc_model: Sam, tmp_path: Path) -> None:
    list(Segmenter(disc_model, IMAGE, tmp_path / "store").embed(sampling=1))
    before = disc_model.encoded
    (report,) = Segmenter(disc_model, IMAGE, tmp_path / "store").embed(sampling=1)
    assert (report.done, report.total, disc_model.encoded) == (35, 35, before)


def test_only_the_tiles_of_the_region_are_embedded(model: Sam) -> None:
    reports = list(Segmenter(model, IMAGE).embed(sampling=1, region=(0, 0, 99, 300)))
    assert reports[-1].total == 1 * 3


def test_prompts_use_what_was_embedded(disc_model: Sam, tmp_path: Path) -> None:
    list(Segmenter(disc_model, IMAGE, tmp_path / "store").embed(sampling=1))
    before = disc_model.encoded
    again = Segmenter(disc_model, IMAGE, tmp_path / "store")
    again.predict(points=[(250, 333)], sampling=1)
    assert disc_model.encoded == before


def test_constant_tiles_are_skipped_once_and_for_all(disc_model: Sam, tmp_path: Path) -> None:
    image = IMAGE.copy()
    image[:, 400:] = 7
    first = list(Segmenter(disc_model, image, tmp_path / "store").embed(sampling=1))
    assert 0 < first[-1].constant < 35
    assert first[-1].encoded + first[-1].constant == 35
    (again,) = Segmenter(disc_model, image, tmp_path / "store").embed(sampling=1)
    assert again.done == 35


def test_a_constant_tile_still_answers_a_prompt(disc_model: Sam) -> None:
    segmenter = Segmenter(disc_model, np.zeros((300, 300), np.uint8))
    list(segmenter.embed(sampling=1))
    assert segmenter.predict(points=[(100, 100)], sampling=1)[0].area > 0


def test_the_nearest_tile_to_the_focus_comes_next_and_the_focus_may_move(
    model: Sam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sam.segmentation.embed.READERS", 1)
    focus = [(450.0, 650.0)]
    order: list[TileIndex] = []
    for report in Segmenter(model, IMAGE).embed(sampling=1, focus=lambda: focus[0]):
        order.extend(report.tiles)
        if len(order) == 10:
            focus[0] = (0.0, 0.0)
    assert order[0] == (4, 6)
    assert all(row >= 2 and column >= 3 for row, column in order[:8])
    assert (0, 0) in order[10:14]


def test_closing_stops_the_run_and_keeps_what_was_done(model: Sam, tmp_path: Path) -> None:
    run = Segmenter(model, IMAGE, tmp_path / "store").embed(sampling=1)
    for report in run:
        if report.encoded == 5:
            break
    run.close()
    assert 5 <= len(chunks(tmp_path / "store")) < 35


def test_embeddings_are_the_same_in_any_order(
    model: Sam, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    segmenter = Segmenter(model, IMAGE, tmp_path / "store")
    for point in ((480, 20), (250, 333), (10, 690)):
        segmenter.predict(points=[point], sampling=1)
    list(segmenter.embed(sampling=1, focus=lambda: (250.0, 0.0)))
    assert chunks(tmp_path / "store") == undisturbed


def test_what_goes_wrong_while_reading_is_raised(model: Sam) -> None:
    class Broken:
        shape, dtype = (500, 700), np.dtype(np.uint8)

        def __getitem__(self, key: object) -> np.ndarray:
            raise ConnectionError("the server is gone")

    from napari_sam import open_image

    segmenter = Segmenter(model, open_image(Broken(), limits=(0, 255)))
    with pytest.raises(InputError, match="the server is gone"):
        list(segmenter.embed(sampling=1))


def test_what_goes_wrong_while_writing_is_raised(
    model: Sam, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = Segmenter(model, IMAGE, tmp_path / "store")

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zarr.storage._local._put", full)
    with pytest.raises(StoreError, match="No space left"):
        list(segmenter.embed(sampling=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sampling": "fit"}, "no tiles"),
        ({"sampling": 3}, "power of two"),
        ({"plane": (0,)}, "plane"),
        ({"region": (0, 0, 0, 9)}, "no area"),
        ({"region": (900, 900, 950, 950)}, "outside"),
    ],
)
def test_a_run_that_makes_no_sense_is_refused(model: Sam, arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(Segmenter(model, IMAGE).embed(**arguments))


RUN = """
import sys, time
import numpy as np
import torch
torch.set_num_threads(int(sys.argv[2]))
from napari_sam import Segmenter
from napari_sam.model.sam import build_sam
image = np.random.default_rng(0).integers(0, 255, (500, 700), dtype=np.uint8)
segmenter = Segmenter(build_sam("tiny", seed=0), image, sys.argv[1])
print("go", flush=True)
for report in segmenter.embed(sampling=1):
    time.sleep(0.02)
print(report.encoded, flush=True)
"""


def start(folder: Path) -> subprocess.Popen[str]:
    import torch

    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), str(torch.get_num_threads())],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_run_goes_on_where_it_stopped(
    model: Sam, tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    times = int(os.environ.get("NAPARI_SAM_KILLS", "3"))
    rng = np.random.default_rng(times)
    for attempt in range(times):
        folder = tmp_path / f"killed-{attempt}"
        process = start(folder)
        time.sleep(rng.uniform(0, 0.9))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left = chunks(folder)
        whole = {name: data for name, data in left.items() if not name.endswith(".partial")}
        assert whole.items() <= undisturbed.items()
        reports = list(Segmenter(model, IMAGE, folder).embed(sampling=1))
        assert reports[-1].encoded == 35 - len(whole)
        found = chunks(folder)
        assert {name: found[name] for name in undisturbed} == undisturbed


def test_two_processes_share_a_store(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    folder = tmp_path / "shared"
    processes = [start(folder), start(folder)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert chunks(folder) == undisturbed
    assert 35 <= sum(map(int, outputs)) <= 70
