"""What a review needs of a session. Loaded by path: tests are no package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.segmentation.session.change import Change
from napari_sam.segmentation.session.object_row import ObjectRow
from napari_sam.ui.layer_roles import role_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.components import ViewerModel


class KeptObjects:
    """What the review needs of a session's objects: rows that can be deleted, joined and marked."""

    changed = Signal(object)
    turned = Signal()

    def __init__(self, rows: Iterable[ObjectRow], layer: Any) -> None:
        self.rows = {row.id: row for row in rows}
        self.layer = layer


class ReviewedSession:
    """Like a `Session`, with squares for objects and one step back."""

    def __init__(self, viewer: Any, image: Any, objects: KeptObjects) -> None:
        self.viewer, self.image, self.objects = viewer, image, objects
        self.status = ""
        self.refused: list[Exception] = []
        self.refined: list[int] = []
        self._before: dict[int, ObjectRow] = {}

    def say(self, text: str) -> None:
        self.status = text

    def refuse(self, error: Exception) -> None:
        self.refused.append(error)

    def refine(self, id_: int) -> None:
        self.refined.append(id_)

    def delete(self, ids: Iterable[int], then: Any = None) -> Change:
        ids = tuple(ids)
        self._before = dict(self.objects.rows)
        for id_ in ids:
            del self.objects.rows[id_]
        return self.step("delete", ids, then=then)

    def merge(self, ids: Iterable[int], then: Any = None) -> Change:
        first, *others = ids = tuple(sorted(ids))
        self._before = dict(self.objects.rows)
        for id_ in others:
            del self.objects.rows[id_]
        self.objects.rows[first] = made(first, None, (), area=8)
        return self.step("merge", ids, then=then)

    def mark(self, ids: Iterable[int], state: Any, then: Any = None) -> Change:
        ids = tuple(ids)
        self._before = dict(self.objects.rows)
        for id_ in ids:
            self.objects.rows[id_] = self.objects.rows[id_].with_state(state)
        return self.step("review", ids, box=None, then=then)

    def undo(self, of: Any, *ids: int) -> None:
        self.objects.rows.clear()
        self.objects.rows.update(self._before)
        self.step("undo", ids, of=of)

    def step(
        self,
        kind: Any,
        ids: tuple[int, ...],
        box: Any = (0, 0, 9, 9),
        of: Any = None,
        then: Any = None,
    ) -> Change:
        change = Change(kind=kind, ids=ids, plane=(), box=box, of=of)
        self.objects.changed.emit(change)
        if then is not None:
            then(change)
        return change


def made(id_: int, score: float | None, plane: tuple[int, ...], **values: Any) -> ObjectRow:
    y, x = 10 * id_, 15 * id_
    known = {"area": 32, "stability": score, "source": "automatic", "prompt": {"points": [[y, x]]}}
    return ObjectRow(
        id=id_, plane=plane, box=(y, x, y + 8, x + 4), score=score, model="discs", **known | values
    )


def frame(viewer: ViewerModel) -> Any:
    return next((layer for layer in viewer.layers if role_of(layer) == "frame"), None)
