"""What goes wrong around the panel is said once, in a sentence that says what to do; work stays."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.segmentation.session import journal as journal_module
from napari_sam.ui import label_layers

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari.components import ViewerModel

    from napari_sam.ui.session import Session


class ClosableImage:
    """An array in a file that somebody may close."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels
        self.shape, self.dtype, self.ndim = pixels.shape, pixels.dtype, pixels.ndim
        self.is_closed = False

    def __getitem__(self, key: Any) -> np.ndarray:
        if self.is_closed:
            raise ValueError("Not a dataset (not a dataset)")  # what h5py says
        return self._pixels[key]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.array(self[...], dtype)


@pytest.fixture
def in_file(picture: np.ndarray) -> ClosableImage:
    return ClosableImage(picture)


@pytest.fixture
def reading(
    viewer: ViewerModel, in_file: ClosableImage, worker: Any, make_session: Callable[[Any], Session]
) -> Session:
    """Return a session with one object on an image that is read from a file."""
    viewer.add_image(in_file, name="cells", contrast_limits=(0, 255), multiscale=False)
    session = make_session(worker)
    session.draw_points()
    session.prompts.points.add((20, 15))
    session.accept()
    return session


def test_an_image_that_is_closed_underneath_is_said_once_and_objects_stay(
    reading: Session, in_file: ClosableImage, warnings_shown: list[str]
) -> None:
    assert set(reading.objects.rows) == {1}
    in_file.is_closed = True
    reading.prompts.points.add((45, 60))
    assert len(warnings_shown) == 1
    assert "could not be read" in warnings_shown[0]
    assert reading.status == warnings_shown[0]
    assert len(reading.prompts.points.data) == 1, "the mark stays, to be asked about again"
    reading.undo()
    assert not reading.objects.layer.data.any()
    reading.redo()
    assert reading.objects.layer.data[20, 15] == 1
    assert len(warnings_shown) == 1
    in_file.is_closed = False
    reading.ask()
    reading.accept()
    assert reading.objects.layer.data[45, 60] == 2


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("step", ["accept", "undo", "delete", "paint"])
def test_a_journal_that_cannot_be_written_is_said_once_and_nothing_changes(
    session: Session,
    code: int,
    step: str,
    warnings_shown: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for place in ((20, 15), (20, 45)):
        session.prompts.points.add(place)
        session.accept()
    session.prompts.points.add((45, 60))
    layer = session.objects.layer
    before, candidates = layer.data.copy(), session.objects.candidates

    def fail(_: Any) -> None:
        raise OSError(code, os.strerror(code))

    def do() -> None:
        if step == "paint":
            layer.paint((50, 5), 9)
        else:
            {"delete": lambda: session.delete([1])}.get(step, getattr(session, step))()

    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "sync", fail)
        do()
    assert len(warnings_shown) == 1
    assert os.strerror(code) in warnings_shown[0]
    assert "then try again" in warnings_shown[0]
    np.testing.assert_array_equal(layer.data, before)
    assert set(session.objects.rows) == {1, 2}
    assert session.objects.candidates is candidates
    do()
    assert not np.array_equal(layer.data, before)
    assert len(warnings_shown) == 1


def test_a_session_folder_that_goes_away_is_said_and_objects_stay_on_the_screen(
    session: Session, warnings_shown: list[str]
) -> None:
    session.prompts.points.add((20, 15))
    session.accept()
    shutil.rmtree(session.objects.annotator.journal.folder)
    session.prompts.points.add((45, 60))
    session.accept()
    assert len(warnings_shown) == 1
    assert "could not be written" in warnings_shown[0]
    assert session.objects.layer.data[20, 15] == 1
    assert session.objects.candidates is not None


def test_without_a_disk_a_large_image_has_no_objects_and_the_candidates_stay(
    viewer: ViewerModel,
    worker: Any,
    make_session: Callable[[Any], Session],
    sessions_folder: Path,
    warnings_shown: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(label_layers, "ONE_LEVEL", 1_000)
    plane = np.zeros((1100, 1300), np.uint8)
    viewer.add_image([plane, plane[::2, ::2]], multiscale=True, contrast_limits=(0, 9), name="big")
    session = make_session(worker)
    session.draw_points()
    sessions_folder.write_text("in the way")
    session.prompts.points.add((20, 30))
    session.accept()
    assert len(warnings_shown) == 1
    assert "check who may write there, then try again" in warnings_shown[0]
    assert session.objects.candidates is not None
    assert session.objects.layer is None
    sessions_folder.unlink()
    session.accept()
    session.objects.finish()
    assert session.objects.layer.data[0][20, 30] == 1
    assert len(warnings_shown) == 1


def test_records_that_cannot_be_written_end_a_search_once_and_it_goes_on_later(
    session: Session,
    warnings_shown: list[str],
    monkeypatch: pytest.MonkeyPatch,
    qtbot: Any,
) -> None:
    from napari_sam.images.source import open_image
    from napari_sam.model.sam import build_sam
    from napari_sam.segmentation.predict import Segmenter

    model = build_sam("tiny_tiny_vit", seed=0)
    image = open_image(session.image.data, limits=(0, 255))
    monkeypatch.setattr(session.backend, "segmenter", lambda *_: Segmenter(model, image))
    session.prompts.points.add((20, 15))
    automatic = session.automatic
    automatic.use_region("plane")

    def fail(self: Path, *_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def search() -> None:
        automatic.find()
        qtbot.waitUntil(lambda: automatic.state == "idle", timeout=60_000)

    session.objects.ready()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        patch.setattr(os, "replace", fail)
        search()
    assert len(warnings_shown) == 1
    assert "make room on the disk" in warnings_shown[0]
    assert not automatic.is_finished
    search()
    assert automatic.is_finished
    assert len(warnings_shown) == 1
