from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from napari_sam.ui.sight import first_sight
from napari_sam.ui.wording import WAIT

if TYPE_CHECKING:
    from napari_sam.ui.session import Session


def test_an_answer_that_comes_too_late_is_not_shown(session: Session, slow_worker: Any) -> None:
    session.worker = slow_worker
    points = session.prompts.points
    points.add((20, 30))
    points.add((40, 50))
    assert session.busy
    slow_worker.run_next()
    assert session.objects.candidates is None, "two points are another prompt than one"
    slow_worker.run_next()
    assert session.objects.candidates is not None
    assert not session.busy
    points.add((20, 31))
    session.clear()
    slow_worker.run_next()
    assert session.objects.candidates is None, "the marks are gone"


def test_accept_waits_for_the_mask(session: Session, slow_worker: Any) -> None:
    session.worker = slow_worker
    session.prompts.points.add((20, 30))
    session.accept()
    assert session.status == WAIT
    assert session.objects.layer is None
    slow_worker.run_next()
    session.accept()
    assert session.objects.layer is not None


def test_the_worker_tells_what_takes_long(session: Session, slow_worker: Any) -> None:
    told: list[str] = []
    session.changed.connect(lambda: told.append(session.status))
    session.worker = slow_worker
    session.prompts.points.add((20, 30))
    slow_worker.run_next()
    assert any("for the first time" in text for text in told)
    told.clear()
    session.prompts.points.add((22, 30))
    slow_worker.run_next()
    assert not any("for the first time" in text for text in told)


def test_what_a_user_did_wrong_is_said_in_one_sentence(
    session: Session, warnings_shown: list[str]
) -> None:
    session.prompts.points.add((0, 30))
    assert warnings_shown == ["The edge of the image is not for clicking."]
    assert session.objects.candidates is None
    assert not session.busy
    session.prompts.points.data = np.empty((0, 2))
    session.prompts.points.add((20, 30))
    assert session.objects.candidates is not None, "it goes on working"


def test_what_we_did_wrong_is_raised(session: Session, slow_worker: Any, backend: Any) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    session.worker = slow_worker
    session.prompts.points.add((20, 30))
    backend.segmenter = fail
    with pytest.raises(ZeroDivisionError):
        slow_worker.run_next()
    assert not session.busy
    assert "oops" in session.status


def test_another_model_answers_the_same_prompt(
    session: Session, backend: Any, warnings_shown: list[str]
) -> None:
    session.prompts.points.add((20, 30))
    session.use_model("other discs")
    assert len(backend.segmenters) == 2
    assert session.objects.candidates is not None
    session.accept()
    session.use_model("broken")
    session.prompts.points.add((40, 30))
    assert warnings_shown == ["This model is broken: pick another."]
    session.use_model("discs")
    session.accept()
    session.undo()
    session.undo()
    assert not session.objects.layer.data.any(), "undo reaches over models"


def test_the_contrast_is_the_layers_at_the_first_prompt(session: Session, backend: Any) -> None:
    image, watch = session.image, session.image_watch
    image.contrast_limits = (10, 90)
    assert watch.limits == (10, 90)
    session.prompts.points.add((20, 30))
    image.contrast_limits = (20, 80)
    session.prompts.points.add((22, 30))
    assert [each.image.limits for each in backend.segmenters.values()] == [((10, 90),)]
    assert not watch.sight.is_as_shown
    watch.see(first_sight(image))
    assert watch.sight.is_as_shown
    assert list(backend.segmenters.values())[-1].image.limits == ((20, 80),)


def test_new_pixels_are_asked_about_anew(session: Session, backend: Any) -> None:
    session.prompts.points.add((20, 30))
    session.image.data = session.image.data[::-1].copy()
    assert len(backend.segmenters) == 2


def test_one_click_is_one_question(session: Session, backend: Any) -> None:
    session.prompts.points.add((20, 30))
    assert len(backend.prompts) == 1
    session.accept()
    assert len(backend.prompts) == 1, "accepting asks nothing"
