from __future__ import annotations

import errno
import json
import os
import runpy
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam import Prompt, Segmenter
from napari_sam.errors import InputError, StoreError
from napari_sam.segmentation.labels import blocks as label_blocks
from napari_sam.segmentation.session import annotator as annotator_module
from napari_sam.segmentation.session import journal as journal_module
from napari_sam.segmentation.session.annotator import Annotator
from napari_sam.segmentation.session.journal import Journal
from napari_sam.segmentation.session.journal_contents import read_journal
from napari_sam.segmentation.session.journal_format import (
    ImageIdentity,
    made_with,
    pack_line,
    unpack_line,
)
from napari_sam.segmentation.session.pixel_change import finest_of
from napari_sam.segmentation.session.replay import replay

if TYPE_CHECKING:
    from napari_sam.model.sam import Sam

KNOWN = runpy.run_path(str(Path(__file__).with_name("known_session.py")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "session"


@pytest.fixture
def annotator(folder: Path) -> Annotator:
    annotator = KNOWN["begin"](folder)
    for seed in (1, 2, 3):
        assert KNOWN["accept_next"](annotator, seed)
    return annotator


def lines(folder: Path) -> list[bytes]:
    return (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)


def test_a_line_is_json_and_a_changed_byte_is_noticed() -> None:
    line = pack_line({"n": 1, "kind": "undo"})
    assert json.loads(line)["kind"] == "undo"
    assert unpack_line(line[:-1]) == json.loads(line)
    for place in range(len(line) - 1):
        changed = bytearray(line[:-1])
        changed[place] ^= 1
        assert unpack_line(bytes(changed)) is None


def test_the_journal_says_what_was_done_with_what(folder: Path, disc_model: Sam) -> None:
    segmenter = Segmenter(disc_model, np.zeros((100, 120), np.uint8), diameter=30)
    labels = np.zeros((100, 120), np.uint16)
    image = ImageIdentity.of(segmenter.image, "cells")
    journal = Journal.create(folder, labels, image, made_with(segmenter))
    annotator = Annotator(segmenter, labels, journal)
    annotator.prompt(Prompt(points=[(40, 50)]))
    annotator.accept()
    annotator.undo()
    header, accept, undo = (json.loads(line) for line in lines(folder))
    assert header["image"]["name"] == "cells"
    assert header["made_with"]["sha256"] == disc_model.sha256
    assert header["made_with"]["limits"] == [list(pair) for pair in segmenter.image.limits]
    assert accept["after"][0]["prompt"] == {"points": [[40.0, 50.0]], "labels": [1]}
    assert "made_with" not in accept
    assert undo["kind"] == "undo"
    annotator.segmenter = Segmenter(disc_model, np.zeros((100, 120), np.uint8), diameter=30)
    annotator.segmenter.image.limits = ((3.0, 9.0),)
    annotator.prompt(Prompt(points=[(40, 50)]))
    annotator.accept()
    assert json.loads(lines(folder)[-1])["made_with"]["limits"] == [[3.0, 9.0]]


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_session_is_begun_with_one_call_and_found_again(
    folder: Path, disc_model: Sam, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    monkeypatch.setattr(annotator_module, "fits_memory", lambda shape: in_memory)
    segmenter = Segmenter(disc_model, np.zeros((100, 120), np.uint8))
    annotator = Annotator.begin(folder, segmenter)
    annotator.prompt(Prompt(points=[(40, 50)]))
    annotator.accept()
    labels = np.asarray(finest_of(annotator.labels))
    assert isinstance(annotator.labels, np.ndarray) is in_memory
    assert labels[40, 50] == 1
    with pytest.raises((InputError, StoreError)):
        Annotator.begin(folder, segmenter)
    annotator.close()
    header = read_journal(folder).header
    assert header.image == ImageIdentity.of(segmenter.image)
    assert header.made_with == made_with(segmenter)
    again = Annotator.reopen(folder)
    np.testing.assert_array_equal(np.asarray(finest_of(again.labels)), labels)
    again.close()


def test_a_step_is_on_the_disk_before_a_pixel_is_touched(
    annotator: Annotator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    write = label_blocks.write

    def watch(*arguments: Any) -> None:
        seen.append(len(lines(folder)))
        write(*arguments)

    monkeypatch.setattr(label_blocks, "write", watch)
    before = len(lines(folder))
    KNOWN["accept_next"](annotator, 4)
    annotator.undo()
    assert seen == [before + 1, before + 2]


def test_a_session_that_was_closed_goes_on(annotator: Annotator, folder: Path) -> None:
    annotator.undo()
    labels = annotator.labels.copy()
    annotator.close()
    with pytest.raises(StoreError, match="was closed"):
        KNOWN["accept_next"](annotator, 9)
    np.testing.assert_array_equal(annotator.labels, labels)
    again = Annotator.reopen(folder)
    np.testing.assert_array_equal(again.labels, labels)
    assert (again.can_undo, again.can_redo) == ("object 2", "object 3")
    assert again.rows == annotator.rows
    KNOWN["accept_next"](again, 4)
    assert max(again.rows) == 4


def test_an_array_of_the_callers_gets_the_labels(annotator: Annotator, folder: Path) -> None:
    annotator.close()
    mine = np.full(KNOWN["SHAPE"], 9, np.uint16)
    again = Annotator.reopen(folder, mine)
    assert again.labels is mine
    np.testing.assert_array_equal(mine, annotator.labels)
    again.close()
    with pytest.raises(InputError, match="do not fit the session"):
        Annotator.reopen(folder, np.zeros((3, 3), np.uint16))
    Annotator.reopen(folder).close()  # the lock was given back


@pytest.mark.parametrize("left", [0.02, 0.5, 0.99])
def test_a_torn_last_line_is_dropped_and_said(
    annotator: Annotator, folder: Path, left: float
) -> None:
    annotator.close()
    *whole, last = lines(folder)
    torn = last[: max(1, int(len(last) * left))]
    (folder / "journal.jsonl").write_bytes(b"".join(whole) + torn)
    again = Annotator.reopen(folder)
    assert set(again.rows) == {1, 2}
    assert again.journal.dropped == torn.decode()[:200]
    assert (folder / "journal.torn").read_bytes() == torn + b"\n"
    KNOWN["accept_next"](again, 8)
    again.close()
    assert len(read_journal(folder).entries) == 3
    assert read_journal(folder).dropped is None


def test_zeros_that_a_power_cut_leaves_are_dropped(annotator: Annotator, folder: Path) -> None:
    annotator.close()
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b"\0" * 300)
    again = Annotator.reopen(folder)
    assert set(again.rows) == {1, 2, 3}
    assert again.journal.dropped == "nothing that can be read"


@pytest.mark.parametrize("line", [0, 1, 2])
def test_a_flipped_byte_is_an_error_that_names_the_line(
    annotator: Annotator, folder: Path, line: int
) -> None:
    annotator.close()
    every = lines(folder)
    changed = bytearray(every[line])
    changed[len(changed) // 2] ^= 4
    damaged = b"".join([*every[:line], bytes(changed), *every[line + 1 :]])
    (folder / "journal.jsonl").write_bytes(damaged)
    for read in (Annotator.reopen, replay):
        with pytest.raises(StoreError, match=f"damaged in line {line + 1} of 4"):
            read(folder)
    assert (folder / "journal.jsonl").read_bytes() == damaged


def test_a_missing_line_is_an_error(annotator: Annotator, folder: Path) -> None:
    annotator.close()
    every = lines(folder)
    (folder / "journal.jsonl").write_bytes(b"".join(every[:1] + every[2:]))
    with pytest.raises(StoreError, match="damaged in line 2"):
        Annotator.reopen(folder)


def test_a_newer_version_is_refused(annotator: Annotator, folder: Path) -> None:
    annotator.close()
    header = json.loads(lines(folder)[0])
    del header["crc"]
    (folder / "journal.jsonl").write_bytes(pack_line({**header, "version": 2}))
    with pytest.raises(StoreError, match="its version is 2, but this program reads 1"):
        replay(folder)


def test_a_folder_without_a_session_is_refused(tmp_path: Path) -> None:
    for where in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(StoreError, match="no session"):
            Annotator.reopen(where)
    assert list(tmp_path.iterdir()) == []


def full_disk(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["accept", "delete", "undo", "redo"])
def test_a_full_disk_is_one_sentence_and_changes_nothing(
    annotator: Annotator, folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    annotator.undo()
    KNOWN["show"](annotator, KNOWN["blob"](7))
    candidates, labels, rows = annotator.candidates, annotator.labels.copy(), dict(annotator.rows)
    steps = annotator.can_undo, annotator.can_redo
    do = {"delete": lambda: annotator.delete([1])}.get(step, getattr(annotator, step))
    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "sync", full_disk)  # what was written before stays
        for _ in range(2):
            with pytest.raises(StoreError, match=r"No space left on device.*then try again"):
                do()
            np.testing.assert_array_equal(annotator.labels, labels)
            assert annotator.rows == rows
            assert annotator.candidates is candidates
            assert (annotator.can_undo, annotator.can_redo) == steps
    assert do() is not None
    changed = annotator.labels.copy()
    assert not np.array_equal(changed, labels)
    annotator.close()
    np.testing.assert_array_equal(Annotator.reopen(folder).labels, changed)


def test_labels_that_cannot_be_written_stay_as_they_were(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotator = KNOWN["begin"](folder, KNOWN["pyramid"](folder))
    KNOWN["accept_next"](annotator, 1)
    before = [np.asarray(level) for level in annotator.labels.levels]
    KNOWN["show"](annotator, KNOWN["blob"](2))
    replace = label_blocks.replace
    calls = 0

    def fail(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise StoreError("the disk is full")
        replace(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(label_blocks, "replace", fail)
        for _ in range(2):
            with pytest.raises(StoreError, match="disk is full"):
                annotator.accept()
        assert annotator.candidates is not None
        assert set(annotator.rows) == {1}
    changed = annotator.accept()
    assert changed.ids == (3,)  # the second id may be in the labels' own memory
    annotator.undo()
    for level, expected in zip(annotator.labels.levels, before, strict=True):
        np.testing.assert_array_equal(np.asarray(level), expected)
    annotator.close()
    assert set(Annotator.reopen(folder).rows) == {1}


def test_a_folder_that_cannot_be_written_is_refused(
    tmp_path: Path, annotator: Annotator, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="could not be written"):
        KNOWN["begin"](tmp_path / "file" / "session")
    opened = Path.open

    def read_only(path: Path, mode: str = "r", *rest: Any, **others: Any) -> Any:
        if path.name == "journal.jsonl" and mode != "rb":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(path, mode, *rest, **others)

    monkeypatch.setattr(Path, "open", read_only)
    before = annotator.labels.copy()
    KNOWN["show"](annotator, KNOWN["blob"](4))
    with pytest.raises(StoreError, match=r"Permission denied.*who may write there"):
        annotator.accept()
    np.testing.assert_array_equal(annotator.labels, before)
    assert annotator.candidates is not None
    np.testing.assert_array_equal(replay(folder), before)  # reading is still possible


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the user may write everywhere")
def test_a_read_only_folder_is_refused_but_replayed(annotator: Annotator, folder: Path) -> None:
    annotator.close()
    for path in (*folder.iterdir(), folder):
        path.chmod(path.stat().st_mode & ~0o222)
    with pytest.raises(StoreError, match="Permission denied"):
        Annotator.reopen(folder)
    np.testing.assert_array_equal(replay(folder), annotator.labels)
    folder.chmod(0o755)


def test_a_journal_belongs_to_one_process_at_a_time(annotator: Annotator, folder: Path) -> None:
    with pytest.raises(StoreError, match=r"is open already here: close it"):
        Annotator.reopen(folder)
    other = (
        "import sys; from napari_sam.segmentation.session.journal import Journal\n"
        "try: Journal.open(sys.argv[1])\n"
        "except OSError as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", other, folder], capture_output=True, text=True, check=True
    )
    assert f"in another program (process {os.getpid()})" in said.stdout
    closing = threading.Thread(target=annotator.close)
    closing.start()
    closing.join()
    Annotator.reopen(folder).close()


def test_a_second_session_in_a_folder_is_refused(annotator: Annotator, folder: Path) -> None:
    annotator.close()
    with pytest.raises(InputError, match="holds a session already"):
        KNOWN["begin"](folder)
    assert set(Annotator.reopen(folder).rows) == {1, 2, 3}


def test_labels_from_before_are_kept_beside_the_journal(folder: Path) -> None:
    labels = np.zeros(KNOWN["SHAPE"], np.uint16)
    labels[:10, :10] = 5
    annotator = KNOWN["begin"](folder, labels)
    assert KNOWN["accept_next"](annotator, 2)
    assert set(annotator.rows) == {6}
    annotator.close()
    np.testing.assert_array_equal(replay(folder), labels)
    again = Annotator.reopen(folder)
    again.undo()
    assert set(np.unique(again.labels)) == {0, 5}
    again.close()
    (folder / "base.npz").unlink()
    with pytest.raises(StoreError, match="before the first step, could not be read"):
        replay(folder)


def test_what_an_earlier_try_left_is_cut_off_before_the_next_line(
    annotator: Annotator, folder: Path
) -> None:
    good = lines(folder)
    with (folder / "journal.jsonl").open("ab") as file:
        file.write(b'{"crc": "half a li')  # written, but it could neither be synced nor cut off
    annotator.undo()
    assert lines(folder)[:-1] == good
    assert json.loads(lines(folder)[-1])["kind"] == "undo"
    assert read_journal(folder).torn == b""
