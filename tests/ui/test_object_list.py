from __future__ import annotations

import numpy as np

from napari_sam.segmentation.session.object_row import ObjectRow
from napari_sam.ui.object_list import ObjectList
from napari_sam.ui.object_reader import ObjectReader


def row(id_: int, score: float | None = 0.5, **values: object) -> ObjectRow:
    known = {
        "plane": (),
        "box": (0, 0, 2, 3),
        "area": 6,
        "stability": score,
        "source": "automatic",
        "prompt": None,
        "model": "discs",
        **values,
    }
    return ObjectRow(id=id_, score=score, **known)  # type: ignore[arg-type]


def listed(*rows: ObjectRow) -> ObjectList:
    known = {row.id: row for row in rows}
    objects = ObjectList(lambda: known)
    for _ in objects.fill():
        pass
    return objects


def test_the_least_certain_comes_first_and_what_has_no_score_last() -> None:
    objects = listed(row(1, 0.9), row(2, None), row(3, 0.2), row(4, 0.6))
    assert objects.order("score").tolist() == [3, 4, 1, 2]
    assert objects.order("score", falling=True).tolist() == [1, 4, 3, 2]


def test_of_equal_scores_the_less_stable_comes_first_and_then_the_older() -> None:
    objects = listed(
        row(5, 0.9, stability=0.7), row(6, 0.9, stability=0.8), row(4, 0.9, stability=0.8)
    )
    assert objects.order("score").tolist() == [5, 4, 6]


def test_every_column_sorts_by_what_it_shows() -> None:
    objects = listed(
        row(1, area=9, plane=(1, 0), source="prompt", state="accepted"),
        row(2, area=5, plane=(0, 7), source="painted"),
        row(3, area=7, plane=(1, 2), source="automatic"),
    )
    assert objects.order("id", falling=True).tolist() == [3, 2, 1]
    assert objects.order("area").tolist() == [2, 3, 1]
    assert objects.order("plane").tolist() == [2, 1, 3]
    assert objects.order("source").tolist() == [3, 2, 1]
    assert objects.order("looked", falling=True).tolist() == [1, 2, 3]


def test_next_goes_round_and_skips_what_was_looked_at() -> None:
    objects = listed(row(1, 0.9), row(2, 0.3), row(3, 0.6, state="accepted"), row(4, None))
    seen = []
    place = None
    for _ in range(4):
        id_ = objects.next_from(place)
        seen.append(id_)
        place = objects.place(id_)
    assert seen == [2, 1, 4, 2]
    assert listed(row(1, state="accepted")).next_from(None) is None
    assert listed().next_from(None) is None


def test_next_goes_on_where_a_deleted_object_stood() -> None:
    rows = {id_: row(id_, 0.1 * id_) for id_ in (1, 2, 3, 4)}
    objects = ObjectList(lambda: rows)
    objects.update(rows)
    place = objects.place(2)
    del rows[2]
    objects.update([2])
    assert objects.place(2) is None
    assert objects.next_from(place) == 3


def test_updates_give_the_same_list_as_reading_all_anew() -> None:
    generator = np.random.default_rng(0)
    rows = {int(id_): row(int(id_), 0.5) for id_ in generator.permutation(3000)[:2000] + 1}
    objects = ObjectList(lambda: rows)
    for _ in objects.fill():
        pass
    changed = [int(id_) for id_ in generator.permutation(3000)[:500] + 1]
    for id_ in changed[:250]:
        rows[id_] = row(id_, float(generator.uniform()), state="accepted")
    for id_ in changed[250:]:
        rows.pop(id_, None)
    assert objects.looked == 0
    objects.update(changed)
    anew = listed(*rows.values())
    assert objects.looked == anew.looked == 250
    for column in ("id", "score", "area"):
        assert objects.order(column).tolist() == anew.order(column).tolist()


def test_reading_many_rows_takes_many_short_steps() -> None:
    reader = ObjectReader()
    heard: list[object] = []
    reader.listed.connect(heard.append)
    rows = {id_: row(id_) for id_ in range(1, 5001)}
    reader.turn_to(lambda: rows)
    rows[7] = row(7, 0.1)
    reader.note([7])
    steps = 0
    while reader.behind:
        assert not len(reader.objects)
        reader.step()
        steps += 1
    assert steps == 6
    assert heard == [None, None]
    assert reader.objects.order("score")[0] == 7
    rows[8] = row(8, 0.05)
    reader.note([8])
    reader.step()
    assert heard[-1] == (8,)
    assert reader.objects.order("score")[0] == 8
