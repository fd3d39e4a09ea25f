"""The numbers of a run."""

from __future__ import annotations

from typing import Any

import pytest

from napari_sam.errors import InputError
from napari_sam.training.recipe import Recipe


def test_the_defaults_can_be_used() -> None:
    assert Recipe().train == "decoder"
    assert Recipe(crop_cells=(28, 64), crop_chances=(1, 0)).crop_chances == (1, 0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"steps": 0}, "steps is 0; expected 1 or more"),
        ({"images_per_step": 0}, "images_per_step is 0"),
        ({"views": 0}, "views is 0"),
        ({"prompts_per_image": 1}, "prompts_per_image is 1; expected 2 or more"),
        ({"corrections": -1}, "corrections is -1; expected 0 or more"),
        ({"seed": -1}, "seed is -1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected more than 0"),
        ({"clip": float("nan")}, "clip is nan"),
        ({"score_weight": 0.0}, "score_weight is 0.0; expected more than 0"),
        ({"followed": 0.0}, "followed is 0.0; expected more than 0 and at most 1"),
        ({"followed": 1.1}, "followed is 1.1"),
        ({"average": 1.0}, "average is 1.0"),
        ({"variety": 0.0}, "variety is 0.0; expected more than 0"),
        ({"variety": 1.5}, "variety is 1.5"),
        ({"as_shown": -0.1}, "as_shown is -0.1; expected 0 to 1"),
        ({"as_shown": 1.1}, "as_shown is 1.1"),
        ({"train": "encoder"}, "train is 'encoder'; choose 'decoder'"),
        ({"crop_chances": (1.0,)}, "1 crop_chances for 0 crop_cells"),
        ({"crop_cells": (8, 9), "crop_chances": (0.0, 0.0)}, "more than 0 for at least one"),
        ({"crop_cells": (8, 9), "crop_chances": (1.0, -1.0)}, "expected 0 or more"),
    ],
)
def test_numbers_that_cannot_be_used_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as refusal:
        Recipe(**given)
    assert says in str(refusal.value)
