"""Keeps the list of objects in step with the labels, in parts short enough for the GUI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psygnal import Signal

from napari_sam.ui.object_list import ObjectList

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from napari_sam.segmentation.session.object_row import ObjectRow

__all__ = ["ObjectReader"]


class ObjectReader:
    """Reads rows into an `ObjectList`: all of them once, then those that changed.

    Attributes
    ----------
    listed : Signal of tuple of int or None
        Objects of these ids were added, changed or removed in the list; None when it is another
        list, or all of it is new.
    objects : ObjectList
        What was read.
    """

    listed = Signal(object)

    def __init__(self) -> None:
        self.objects = ObjectList(dict)
        self._all: Iterator[None] | None = None
        self._changed: set[int] = set()

    @property
    def filling(self) -> bool:
        """Whether the rows are still read for the first time."""
        return self._all is not None

    @property
    def behind(self) -> bool:
        """Whether `step` has something to read."""
        return self.filling or bool(self._changed)

    def turn_to(self, find_rows: Callable[[], Mapping[int, ObjectRow]]) -> None:
        """Begin to read other rows, see `ObjectList`."""
        self.objects = ObjectList(find_rows)
        self._all = self.objects.fill()
        self._changed.clear()
        self.listed.emit(None)

    def note(self, ids: Iterable[int]) -> None:
        """Remember to read the rows of some objects anew."""
        self._changed.update(ids)

    def step(self) -> None:
        """Read a part."""
        if self._all is None:
            self.catch_up()
        elif next(self._all, self) is self:
            self._all = None
            self.objects.update(self._changed)
            self._changed.clear()
            self.listed.emit(None)

    def catch_up(self) -> None:
        """Read all that changed since, except while all is read for the first time."""
        if self._changed and not self.filling:
            ids = tuple(self._changed)
            self._changed.clear()
            self.objects.update(ids)
            self.listed.emit(ids)

    def close(self) -> None:
        """Read no more."""
        self._all = None
        self._changed.clear()
