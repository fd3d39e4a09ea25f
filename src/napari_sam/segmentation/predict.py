"""From a prompt to candidates: the session that joins a model and an image."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from napari_sam.errors import InputError, InputTypeError
from napari_sam.images.source import ImageSource, open_image
from napari_sam.images.store import EmbeddingStore
from napari_sam.segmentation.automatic import segment as automatic
from napari_sam.segmentation.candidates import Candidates
from napari_sam.segmentation.distinct import distinct_masks
from napari_sam.segmentation.embed import EmbedProgress, embed
from napari_sam.segmentation.encoding import encode
from napari_sam.segmentation.prompt import Prompt
from napari_sam.segmentation.prompt_tensors import prompt_tensors, visible_part
from napari_sam.segmentation.reach import next_window, whole_candidates
from napari_sam.segmentation.sampling import (
    Sampling,
    check_sampling,
    choose_sampling,
    diameter_sampling,
    fitting_sampling,
    window_for,
)
from napari_sam.segmentation.store_identity import store_identity

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from napari_sam.images.tiles import Window
    from napari_sam.model.mask_decoder import Outputs
    from napari_sam.model.sam import Sam
    from napari_sam.model.tile_decoder import DecoderTile

DECODE_BATCH = {"cpu": 1, "mps": 1, "cuda": 16}
"""Prompts decoded at once on each kind of device.

Always exactly so many, the last one repeated where there are fewer: kernels may round differently
for another batch size, and an answer must not depend on what else was asked. On a CPU more of them
leave its caches and gain nothing.
"""


PREPARED_TILES = 4
"""Tiles of which the decoder's own intermediate results are kept, 14 MB each."""


class _Question(NamedTuple):
    """What must agree for prompts to be decoded together."""

    plane: tuple[int, ...]
    window: Window
    n_points: int
    has_box: bool
    has_mask: bool
    multimask: Outputs


@dataclass(slots=True)
class _Pending:
    """A prompt on its way to an answer."""

    index: int
    prompt: Prompt
    window: Window
    multimask: Outputs
    moves: int = 0

    def ask(self, window: Window) -> None:
        """Ask again in another window."""
        self.moves = self.moves + 1 if window.sampling == self.window.sampling else 0
        self.window = window


class Segmenter:
    """A model and an image: ask it for the masks of prompts.

    Nothing has to be prepared: a prompt encodes the tile that it needs, once.

    Parameters
    ----------
    model : Sam
        See `napari_sam.load_model`.
    image : ImageSource, array or path
        See `napari_sam.open_image`.
    store : path, optional
        Folder to keep embeddings in, made for this image, model and limits alone. Memory only,
        and bounded, when not given.
    diameter : float, optional
        Usual diameter of the objects in level-0 pixels; sets how large they look to the model
        where a prompt does not say it.

    Raises
    ------
    InputError
        When the diameter is not positive.
    StoreError
        When the folder was made for another image, model or limits, or cannot be written.
    """

    def __init__(
        self,
        model: Sam,
        image: ImageSource | Any,
        store: str | os.PathLike[str] | None = None,
        diameter: float | None = None,
    ) -> None:
        if diameter is not None and not (np.isfinite(diameter) and diameter > 0):
            raise InputError(f"a diameter of {diameter!r} cannot be used: give pixels, more than 0")
        self.model = model
        self.image = open_image(image)
        self.diameter = diameter
        self.store = EmbeddingStore(
            store_identity(model, self.image, is_kept=store is not None),
            self.image.planes,
            self.image.plane_shape,
            store,
        )
        self._decoder = model.tile_decoder()
        self._tiles: dict[tuple[tuple[int, ...], Window], DecoderTile] = {}

    def embed(
        self,
        region: tuple[float, float, float, float] | None = None,
        plane: Sequence[int] = (),
        sampling: float | None = None,
        focus: Callable[[], tuple[float, float] | None] | None = None,
    ) -> Iterator[EmbedProgress]:
        """Encode the tiles of a region ahead of time; those that are there already are kept.

        Parameters
        ----------
        region : (y0, x0, y1, x1), optional
            Level-0 pixels; the whole plane when not given.
        plane : sequence of int
            Index for every leading axis of the image.
        sampling : float, optional
            As in `predict`; the diameter's or the image's when not given.
        focus : callable, optional
            Gives a level-0 point (y, x), or None, whenever a tile is chosen: the nearest one is
            next. A viewport may move while this runs.

        Yields
        ------
        EmbedProgress
            At once and after each batch; closing the generator stops the run.

        Raises
        ------
        InputError
            When the region, plane or sampling cannot be used.
        StoreError
            When the store cannot be written; it stays valid.
        """
        plane = self.image.check_plane(plane)
        if sampling is None:
            sampling = self.usual_sampling
        checked = check_sampling(sampling)
        if checked == "fit":
            raise InputError("sampling 'fit' has no tiles to embed: give a power of two")
        if region is not None:  # checked as a box is
            box = Prompt(box=region).inside(self.image.plane_shape).box
            region = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        return embed(
            self.image,
            self.model,
            self.store,
            plane=plane,
            sampling=checked,
            region=region,
            focus=focus,
        )

    def predict(
        self,
        points: Any = (),
        labels: Any = None,
        box: Any = None,
        mask: Any = None,
        plane: Sequence[int] = (),
        sampling: Sampling | None = None,
        multimask: bool | None = None,
    ) -> Candidates:
        """Find the object of one prompt.

        Parameters
        ----------
        points, labels, box, mask, plane
            See `napari_sam.Prompt`.
        sampling : float or "fit", optional
            Image pixels per model pixel, a power of two; "fit" is the reference's own
            preprocessing. Chosen from the prompt, the diameter and the image when not given, and
            doubled where the object turns out larger than a tile.
        multimask : bool, optional
            Three candidates (tokens 1 to 3 of the decoder) or one (token 0). When not given, one
            point alone, which is ambiguous, has three and everything else one. With a model whose
            single mask has learnt to answer a click, it takes the place of the one of the three
            that is most like it: its score is no best of three guesses.

        Returns
        -------
        Candidates
            Best first. Masks that go on beyond what the model saw are left out where another is
            about as good.

        Raises
        ------
        InputError, InputTypeError
            When the prompt or the sampling cannot be used on this image or with this model.
        """
        prompt = Prompt(points, labels, box, mask, plane)
        return self.predict_many([prompt], sampling=sampling, multimask=multimask)[0]

    def predict_many(
        self,
        prompts: Iterable[Prompt],
        sampling: Sampling | None = None,
        multimask: bool | None = None,
    ) -> list[Candidates]:
        """Find the objects of many prompts; those that share a tile are decoded together.

        Parameters
        ----------
        prompts : iterable of Prompt
        sampling, multimask
            As in `predict`, for all of them.

        Returns
        -------
        list of Candidates
            One for each prompt, in the same order.
        """
        if sampling is not None:
            sampling = check_sampling(sampling)
        pending = [
            self._pending(index, prompt, sampling, multimask)
            for index, prompt in enumerate(prompts)
        ]
        answers: list[Candidates | None] = [None] * len(pending)
        while pending:
            again = []
            for asked, candidates in self._answer(pending):
                answers[asked.index], window = self._follow(asked, candidates, sampling)
                if window is not None:
                    asked.ask(window)
                    again.append(asked)
            pending = again
        return [answer for answer in answers if answer is not None]

    def predict_ready(self, prompt: Prompt, sampling: Sampling | None = None) -> Candidates | None:
        """Answer a prompt as `predict` does if all that this takes is at hand.

        Parameters
        ----------
        prompt : Prompt
        sampling : float or "fit", optional

        Returns
        -------
        Candidates or None
            None when a tile would have to be encoded first.
        """
        if sampling is not None:
            sampling = check_sampling(sampling)
        asked = self._pending(0, prompt, sampling, None)
        while self.store.state(asked.prompt.plane, asked.window) == "ready":
            ((_, candidates),) = self._answer([asked])
            candidates, window = self._follow(asked, candidates, sampling)
            if window is None:
                return candidates
            asked.ask(window)
        return None

    segment = automatic.segment
    segment_progress = automatic.segment_progress
    find_progress = automatic.find_progress

    def is_ready(self, prompt: Prompt, sampling: Sampling | None = None) -> bool:
        """Whether the tile that answers a prompt is at hand, so that it need not be encoded."""
        pending = self._pending(0, prompt, sampling, None)
        return self.store.state(pending.prompt.plane, pending.window) == "ready"

    @property
    def usual_sampling(self) -> float:
        """Sampling of prompts that do not show how large their object is."""
        size = self.model.config.image_size
        if self.diameter is not None:
            return diameter_sampling(self.diameter, size)
        return fitting_sampling(self.image.plane_shape, size)

    def _pending(
        self, index: int, prompt: Prompt, sampling: Sampling | None, multimask: bool | None
    ) -> _Pending:
        """Check a prompt and say how and where it is asked first."""
        if not isinstance(prompt, Prompt):
            raise InputTypeError(
                f"a {type(prompt).__name__} was given as a prompt: expected "
                "napari_sam.Prompt(points=...)"
            )
        config, shape = self.model.config, self.image.plane_shape
        for kind in prompt.kinds - config.prompts:
            usable = " and ".join(sorted(config.prompts))
            raise InputError(
                f"a {kind} prompt was given, but the model {self.model.name} was trained for "
                f"{usable} prompts only: give one, or load another model"
            )
        prompt = replace(prompt.inside(shape), plane=self.image.check_plane(prompt.plane))
        if sampling is None:
            sampling = choose_sampling(prompt, config.image_size, self.usual_sampling)
        window = window_for(prompt, shape, sampling, config)
        return _Pending(index, prompt, window, self._outputs(prompt, multimask))

    def _outputs(self, prompt: Prompt, multimask: bool | None) -> Outputs:
        """Choose the masks to ask for, where the caller has not."""
        if multimask is not None:
            return multimask
        if prompt.is_one_point and self.model.single_for_click:
            return "every"
        return prompt.is_one_point

    def _follow(
        self, asked: _Pending, candidates: Candidates, sampling: Sampling | None
    ) -> tuple[Candidates, Window | None]:
        """Choose what stays of an answer, and where to ask again when the window cuts it."""
        whole = candidates if sampling == "fit" else whole_candidates(candidates)
        if whole is not None:
            return whole, None
        return candidates, next_window(candidates[0], asked.prompt, self.model.config, asked.moves)

    def _answer(self, pending: list[_Pending]) -> Iterator[tuple[_Pending, Candidates]]:
        """Decode prompts, those of one window together."""
        groups: defaultdict[_Question, list[tuple[_Pending, Prompt]]] = defaultdict(list)
        for asked in pending:
            seen = visible_part(asked.prompt, asked.window)
            question = _Question(
                asked.prompt.plane,
                asked.window,
                len(seen.points),
                seen.box is not None,
                seen.mask is not None,
                asked.multimask,
            )
            groups[question].append((asked, seen))
        for question, group in groups.items():
            tile = self._tile(question.plane, question.window)
            size = DECODE_BATCH.get(self.model.device.type, 1)
            for start in range(0, len(group), size):
                batch = group[start : start + size]
                seen_parts = [seen for _, seen in batch]
                seen_parts += seen_parts[-1:] * (size - len(batch))
                found = self._decode(question, tile, seen_parts)[: len(batch)]
                yield from zip((asked for asked, _ in batch), found, strict=True)

    def _tile(self, plane: tuple[int, ...], window: Window) -> DecoderTile:
        """Prepare a window for the decoder; the last few are kept, as clicks come in groups."""
        key = plane, window
        if key not in self._tiles:
            while len(self._tiles) >= PREPARED_TILES:
                del self._tiles[next(iter(self._tiles))]
            self._tiles[key] = self._decoder.prepare(self._embedding(plane, window))
        self._tiles[key] = tile = self._tiles.pop(key)  # the latest is last
        return tile

    def _embedding(self, plane: tuple[int, ...], window: Window) -> torch.Tensor:
        """Embedding of a window, from the store or encoded now."""
        embedding = self.store.get(plane, window)
        if embedding is None:
            embedding = encode(self.model, [self.image.render(window, plane)])[0]
            self.store.put(plane, window, embedding)
        return torch.from_numpy(embedding.copy())  # torch takes no array that is read-only

    @torch.inference_mode()
    def _decode(
        self, question: _Question, tile: DecoderTile, prompts: list[Prompt]
    ) -> list[Candidates]:
        tensors = prompt_tensors(prompts, question.window, self.model.config.mask_size)
        logits, iou = self._decoder.decode(tile, tensors, question.multimask)
        if question.multimask == "every":
            kept = distinct_masks(logits)
            logits, iou = (
                logits.take_along_dim(kept[..., None, None], 1),
                iou.take_along_dim(kept, 1),
            )
        return [
            Candidates(
                logits=one_logits,
                scores=one_iou,
                window=question.window,
                plane=question.plane,
                plane_shape=self.image.plane_shape,
            )
            for one_logits, one_iou in zip(logits.cpu().numpy(), iou.cpu().numpy(), strict=True)
        ]
