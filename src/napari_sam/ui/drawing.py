"""What the user has drawn on the plane in view, or what to tell the user instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam.errors import InputError
from napari_sam.ui.coordinates import current_plane, read_prompt
from napari_sam.ui.wording import NO_IMAGE, NO_LAYER, NO_MARK, sentence

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_sam.ui.coordinates import DrawnPrompt
    from napari_sam.ui.objects import Refined
    from napari_sam.ui.prompt_watch import PromptWatch

__all__ = ["read_drawing"]


def read_drawing(
    viewer: Any, image: Image | None, prompts: PromptWatch, refined: Refined | None = None
) -> tuple[DrawnPrompt | None, str]:
    """Read what is drawn for an image on the plane in view.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
    image : Image or None
    prompts : PromptWatch
    refined : Refined, optional
        Object that is refined; on its plane it is part of the prompt.

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
        mask = refined.region if refined is not None and refined.plane == plane else None
        return read_prompt(image, plane, prompts.points, prompts.boxes, mask), NO_MARK
    except InputError as error:
        return None, sentence(error)
