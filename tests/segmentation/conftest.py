"""Models whose answers are known, so that only the way to and from them is under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam.model.config import VARIANTS
from napari_sam.model.sam import Sam

if TYPE_CHECKING:
    from napari_sam.model.prompt_encoder import PromptTensors


class KnownModel(Sam):
    """Shares the real model's shapes and preprocessing, but encodes and decodes by rule."""

    def __init__(self) -> None:
        super().__init__(VARIANTS["tiny"])
        self.eval()
        self.encoded = 0

    def encode(self, images: Tensor) -> Tensor:
        """Brightness at the resolution of the masks."""
        self.encoded += 1
        pixels = images * self.config.pixel_std[0] + self.config.pixel_mean[0]
        return F.interpolate(pixels[:, :1], (self.config.mask_size,) * 2, mode="area")

    def tile_encoder(self) -> Any:
        """Encode by rule too."""
        return KnownEncoder(self)

    def tile_decoder(self) -> Any:
        """Decode by rule too."""
        return KnownDecoder(self)


class KnownEncoder:
    """Stands in for `TileEncoder`."""

    def __init__(self, model: KnownModel, batch: int = 1) -> None:
        self._model, self.batch = model, batch

    def __call__(self, images: Tensor) -> Tensor:
        return self._model.encode(images)


class KnownTile(NamedTuple):
    """Stands in for `DecoderTile`."""

    embedding: Tensor
    bare: Tensor


class KnownDecoder:
    """Stands in for `TileDecoder`."""

    def __init__(self, model: KnownModel) -> None:
        self._model = model

    def prepare(self, embedding: Tensor) -> KnownTile:
        return KnownTile(embedding, embedding.flatten(1).T[None])

    def ask(self, tile: KnownTile, prompts: PromptTensors, multimask: bool) -> KnownAnswers:
        return KnownAnswers(*self.decode(tile, prompts, multimask))

    def masks(self, answers: KnownAnswers) -> Tensor:
        return answers.logits

    def decode(
        self, tile: KnownTile, prompts: PromptTensors, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        return self._model.decode(tile.embedding, prompts, multimask)


class KnownAnswers(NamedTuple):
    """Stands in for `TileAnswers`."""

    logits: Tensor
    iou: Tensor

    def take(self, prompts: Tensor) -> KnownAnswers:
        return KnownAnswers(self.logits[prompts], self.iou[prompts])


class BrightnessModel(KnownModel):
    """Every prompt's mask is what is brighter than the middle."""

    def decode(
        self, embedding: Tensor, prompts: PromptTensors, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        n = 3 if multimask else 1
        logits = (embedding.float() - 127.5).expand(prompts.count, n, -1, -1)
        return logits, torch.linspace(0.5, 0.9, n).expand(prompts.count, n)


class DiscModel(KnownModel):
    """The mask of a prompt is a disc around its first point, or the inside of its box.

    The radius is `radius` model pixels; the three masks of an ambiguous prompt have radii of
    one, two and three times that, and the second scores best.
    """

    radius = 10.0

    def decode(
        self, embedding: Tensor, prompts: PromptTensors, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        n = 3 if multimask else 1
        side = self.config.mask_size
        centres = (torch.arange(side) + 0.5) * self.config.image_size / side
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        if prompts.points is not None:
            px, py = prompts.points[:, :1, 0, None], prompts.points[:, :1, 1, None]
            distance = torch.hypot(x - px, y - py)[:, None]
            radii = self.radius * torch.arange(1, n + 1)[:, None, None]
            logits = radii - distance
        elif prompts.boxes is not None:
            x0, y0, x1, y1 = (edge[:, None, None] for edge in prompts.boxes.unbind(1))
            inside = torch.stack([x - x0, x1 - x, y - y0, y1 - y]).amin(0)
            logits = inside[:, None].expand(-1, n, -1, -1)
        else:
            assert prompts.masks is not None
            logits = prompts.masks.expand(-1, n, -1, -1)
        scores = torch.tensor([0.6, 0.9, 0.3])[:n]
        return logits.float(), scores.expand(prompts.count, n)


@pytest.fixture
def brightness_model() -> KnownModel:
    return BrightnessModel()


@pytest.fixture
def disc_model() -> KnownModel:
    return DiscModel()
