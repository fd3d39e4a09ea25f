"""One annotation session without a GUI: prompt, choose, accept, undo.

A widget shows what this holds and calls it; a script can do the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_sam.errors import InputError, InputTypeError
from napari_sam.segmentation.labels.edits import Edit, next_id, paint, undo

if TYPE_CHECKING:
    import numpy.typing as npt

    from napari_sam.segmentation.candidates import Candidates
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.prompt import Prompt


class Annotator:
    """Turns prompts on an image into objects of a label array.

    Parameters
    ----------
    segmenter : Segmenter
    labels : ndarray of int
        Shape of the image without its channel axis; objects are painted into it in place.

    Attributes
    ----------
    candidates : Candidates or None
        For the present prompt.
    chosen : int or None
        Which of them; the best to begin with.
    """

    def __init__(self, segmenter: Segmenter, labels: npt.NDArray[Any]) -> None:
        expected = segmenter.image.planes + segmenter.image.plane_shape
        if tuple(labels.shape) != expected:
            raise InputError(
                f"labels of shape {tuple(labels.shape)} do not fit an image of shape {expected}: "
                "choose or make labels of the same shape"
            )
        if labels.dtype.kind not in "ui":
            raise InputTypeError(f"labels hold {labels.dtype}: expected whole numbers, like uint32")
        self.segmenter = segmenter
        self.labels = labels
        self.candidates: Candidates | None = None
        self.chosen: int | None = None
        self._edits: list[Edit] = []

    def prompt(self, prompt: Prompt) -> Candidates:
        """Predict the candidates of a prompt and choose the best."""
        return self.show(self.segmenter.predict_many([prompt])[0])

    def show(self, candidates: Candidates) -> Candidates:
        """Take candidates that were predicted elsewhere, in a worker for example."""
        self.candidates, self.chosen = candidates, 0
        return candidates

    def choose(self, index: int) -> None:
        """Choose a candidate, 0 for the best.

        Raises
        ------
        InputError
            When there is no such candidate.
        """
        count = len(self.candidates) if self.candidates is not None else 0
        if not 0 <= index < count:
            raise InputError(f"candidate {index + 1} was chosen, but there are {count}")
        self.chosen = index

    def accept(self) -> Edit:
        """Paint the chosen candidate under the next free id and end the prompt.

        Raises
        ------
        InputError
            When there is no candidate, or nothing of it is left to paint.
        """
        if self.candidates is None or self.chosen is None:
            raise InputError(
                "there is no candidate to accept: click on an object or draw a box first"
            )
        candidate = self.candidates[self.chosen]
        edit = paint(self.labels, candidate, value=next_id(self.labels))
        self._edits.append(edit)
        self.clear()
        return edit

    def undo(self) -> Edit | None:
        """Take back the last accepted object; None when there is none."""
        if not self._edits:
            return None
        edit = self._edits.pop()
        undo(self.labels, edit)
        return edit

    def clear(self) -> None:
        """Forget the present prompt and its candidates."""
        self.candidates = self.chosen = None
