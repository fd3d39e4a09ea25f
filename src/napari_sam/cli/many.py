"""Many prompts: answered tile by tile, whatever their order, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam.segmentation.sampling import choose_sampling, window_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from napari_sam.cli.prompt_files import Asked
    from napari_sam.segmentation.candidates import Candidates
    from napari_sam.segmentation.predict import Segmenter
    from napari_sam.segmentation.sampling import Sampling

__all__ = ["answer"]

TOGETHER = 32
"""Prompts answered at once: two full batches of the decoder, and 25 MB of logits."""


def answer(
    segmenter: Segmenter, prompts: Sequence[Asked], sampling: Sampling | None
) -> Iterator[list[tuple[Asked, Candidates]]]:
    """Answer prompts in an order in which every tile is needed once.

    Parameters
    ----------
    segmenter : Segmenter
    prompts : sequence of Asked
        Checked against the image.
    sampling : float or "fit", optional
        As in `Segmenter.predict`.

    Yields
    ------
    list of (Asked, Candidates)
        Answers to some of them; nothing of it is kept here.

    Raises
    ------
    InputError
        If the model cannot use a prompt.
    """
    image, config = segmenter.image, segmenter.model.config
    usual = segmenter.usual_sampling

    def place(asked: Asked) -> tuple[tuple[int, ...], tuple[float, float], tuple[float, float]]:
        prompt = asked.prompt
        chosen = sampling or choose_sampling(prompt, config.image_size, usual)
        window = window_for(prompt, image.plane_shape, chosen, config)
        return prompt.plane, window.sampling, window.origin

    ordered = sorted(prompts, key=place)
    for start in range(0, len(ordered), TOGETHER):
        some = ordered[start : start + TOGETHER]
        answers = segmenter.predict_many([asked.prompt for asked in some], sampling=sampling)
        yield list(zip(some, answers, strict=True))
