"""Windows read ahead: their order, how far ahead, and what is found constant."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam import Segmenter
from napari_sam.segmentation.reading import ReadAhead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_sam.images.tiles import Window
    from napari_sam.model.sam import Sam

IMAGE = np.random.default_rng(0).integers(0, 255, (200, 700), dtype=np.uint8)
IMAGE[:, 500:] = 7  # the last tiles show nothing


@pytest.fixture
def session(disc_model: Sam) -> Segmenter:
    return Segmenter(disc_model, IMAGE)


@pytest.fixture
def windows(session: Segmenter) -> list[Window]:
    grid = session.store.grid(1)
    found = [grid.window(tile) for tile in grid]
    assert len(found) > 8
    return found


def test_windows_come_in_their_order_with_their_pixels(
    session: Segmenter, windows: list[Window]
) -> None:
    with ReadAhead(session.image, session.store, (), windows, readers=3) as reads:
        found = [read for _ in windows for read in reads.next_batch(1, at_most=1)]
        assert reads.next_batch(1, at_most=1) == []
    assert [read.window for read in found] == windows
    for read in found:
        expected = session.image.render(read.window, ())
        assert read.is_constant == (expected.min() == expected.max())
        if read.is_constant:
            assert read.pixels is None
        else:
            np.testing.assert_array_equal(read.pixels, expected)
    assert {read.is_constant for read in found} == {False, True}


def test_constant_windows_are_marked_and_not_rendered_again(
    session: Segmenter, windows: list[Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {session.store.state((), window) for window in windows} == {"missing"}
    with ReadAhead(session.image, session.store, (), windows, readers=3) as reads:
        found = reads.next_batch(len(windows), at_most=len(windows))
    constant = [read.window for read in found if read.is_constant]
    assert constant
    assert {session.store.state((), window) for window in constant} == {"constant"}
    monkeypatch.setattr(session.image, "render", None)  # whoever calls it fails
    with ReadAhead(session.image, session.store, (), constant, readers=3) as reads:
        again = reads.next_batch(len(constant), at_most=len(constant))
    assert [(read.pixels, read.is_constant) for read in again] == [(None, False)] * len(constant)


def test_a_batch_ends_with_the_pixels_asked_for_or_the_most_windows(
    session: Segmenter, windows: list[Window]
) -> None:
    first, last = windows[0], windows[6]
    assert not np.ptp(session.image.render(last, ()))
    mixed = [last, first, last, first, *[last] * 4]
    with ReadAhead(session.image, session.store, (), mixed, readers=6) as reads:
        sizes = [len(reads.next_batch(2, at_most=3)) for _ in range(4)]
        assert sizes == [3, 3, 2, 0]
    with ReadAhead(session.image, session.store, (), mixed, readers=6) as reads:
        sizes = [len(reads.next_batch(2, at_most=8)) for _ in range(3)]
        assert sizes == [4, 4, 0]


def test_windows_are_taken_and_read_only_so_far_ahead(
    session: Segmenter, windows: list[Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Window] = []
    rendered: list[Any] = []
    at_once = threading.Barrier(3, timeout=20)  # three readers have to meet
    render = session.image.render

    def slow(*given: Any) -> Any:
        rendered.append(given[0])
        if len(rendered) <= 3:
            at_once.wait()
        return render(*given)

    monkeypatch.setattr(session.image, "render", slow)

    def source() -> Iterator[Window]:
        for window in windows:
            taken.append(window)
            yield window

    with ReadAhead(session.image, session.store, (), source(), readers=3) as reads:
        assert not taken
        assert len(reads.next_batch(1, at_most=1)) == 1
        assert taken == windows[:4]
        reads.next_batch(1, at_most=1)
        assert taken == windows[:5]
    assert set(rendered) <= set(taken)


def test_what_goes_wrong_in_a_reader_is_raised_where_its_batch_is_asked_for(
    session: Segmenter, windows: list[Window], monkeypatch: pytest.MonkeyPatch
) -> None:
    render = session.image.render

    def broken(window: Window, plane: tuple[int, ...]) -> Any:
        if window == windows[2]:
            raise ConnectionError("the server is gone")
        return render(window, plane)

    monkeypatch.setattr(session.image, "render", broken)
    with ReadAhead(session.image, session.store, (), windows, readers=3) as reads:
        assert [read.window for read in reads.next_batch(2, at_most=2)] == windows[:2]
        with pytest.raises(ConnectionError, match="the server is gone"):
            reads.next_batch(1, at_most=1)
