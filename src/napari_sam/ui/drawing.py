"""What the user has drawn on the plane in view, or what to tell the user instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam.errors import InputError
from napari_sam.ui.coordinates import current_plane, read_prompt
from napari_sam.ui.wording import NO_IMAGE, NO_LAYER, NO_MARK, sentence

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_sam.ui.coordinates import DrawnPrompt
    from napari_sam.ui.prompt_watch import PromptWatch

__all__ = ["read_drawing"]


def read_drawing(
    viewer: Any, image: Image | None, prompts: PromptWatch
) -> tuple[DrawnPrompt | None, str]:
    """Read what is drawn for an image on the plane in view.

    Returns
    -------
    DrawnPrompt or None
        None when nothing on this plane says which object is meant.
    str
        What to do then.
    """
    if image is None or image not in viewer.layers:
        return None, NO_IMAGE  # when several layers go at once, events come in between
    if prompts.points is None and prompts.boxes is None:
        return None, NO_LAYER
    try:
        plane = current_plane(viewer, image)
        return read_prompt(image, plane, prompts.points, prompts.boxes), NO_MARK
    except InputError as error:
        return None, sentence(error)
