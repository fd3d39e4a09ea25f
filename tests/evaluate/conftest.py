"""A model that does what it is told: only the questions and their scoring are under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from napari_sam.model.config import VARIANTS
from napari_sam.model.sam import Sam

if TYPE_CHECKING:
    from napari_sam.model.prompt_encoder import PromptTensors


class ObedientModel(Sam):
    """The mask prompt and a disc around every click on it, without those around other clicks.

    Of an ambiguous click, discs of one, two and three times `radius`, of which the second scores
    best; a box is filled. `asked` keeps the prompts.
    """

    def __init__(self, radius: float = 8.0) -> None:
        super().__init__(VARIANTS["tiny"])
        self.eval()
        self.radius = radius
        self.asked: list[PromptTensors] = []

    def tile_encoder(self) -> Any:
        """Encode by rule too."""
        return Blind(self)

    def tile_decoder(self) -> Any:
        """Decode by rule too."""
        return Obedient(self)

    def answer(self, prompts: PromptTensors, multimask: bool) -> tuple[Tensor, Tensor]:
        """Mask logits and scores of prompts."""
        self.asked.append(prompts)
        n = 3 if multimask else 1
        side = self.config.mask_size
        centres = (torch.arange(side) + 0.5) * self.config.image_size / side
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        if prompts.boxes is not None:
            x0, y0, x1, y1 = (edge[:, None, None] for edge in prompts.boxes.unbind(1))
            logits = torch.stack([x - x0, x1 - x, y - y0, y1 - y]).amin(0)[:, None]
        else:
            assert prompts.points is not None
            assert prompts.labels is not None
            px, py = (prompts.points[..., axis, None, None] for axis in (0, 1))
            radii = self.radius * torch.arange(1, n + 1)[:, None, None]
            discs = radii - torch.hypot(x - px, y - py)[:, :, None]
            is_object = prompts.labels[:, :, None, None, None] == 1
            logits = discs.where(is_object, torch.tensor(-1e3)).amax(1)
            if prompts.masks is not None:
                logits = torch.maximum(logits, prompts.masks)
            logits = torch.minimum(logits, (-discs).where(~is_object, torch.tensor(1e3)).amin(1))
        scores = torch.tensor([0.6, 0.9, 0.3])[:n]
        return logits.float(), scores.expand(prompts.count, n)


class Blind:
    """Stands in for `TileEncoder`: nothing is looked at."""

    batch = 1

    def __init__(self, model: ObedientModel) -> None:
        self._shape = model.config.channels, model.config.grid_size, model.config.grid_size

    def __call__(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), *self._shape)


class Obedient:
    """Stands in for `TileDecoder`."""

    def __init__(self, model: ObedientModel) -> None:
        self._model = model

    def prepare(self, embedding: Tensor) -> Tensor:
        return embedding

    def decode(
        self, tile: Tensor, prompts: PromptTensors, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        return self._model.answer(prompts, multimask)


@pytest.fixture
def obedient_model() -> ObedientModel:
    return ObedientModel()
