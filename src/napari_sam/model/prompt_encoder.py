"""Points, boxes and masks to what the decoder reads: a list of tokens and a dense map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from napari_sam.errors import InputError
from napari_sam.model.layers import LayerNorm2d

if TYPE_CHECKING:
    from napari_sam.model.config import SamConfig

__all__ = ["PromptEncoder", "PromptTensors"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PromptTensors:
    """P prompts for one embedding, each for one object, in model coordinates.

    Model coordinates are (x, y), continuous: model pixel i covers [i, i + 1), so its centre is
    i + 0.5.

    Parameters
    ----------
    points : Tensor, optional
        (P, N, 2), x and y.
    labels : Tensor, optional
        (P, N): 1 object, 0 background, -1 padding (a point whose position is ignored). Needed
        when there are points.
    boxes : Tensor, optional
        (P, 4): x0, y0, x1, y1.
    masks : Tensor, optional
        (P, 1, M, M): mask logits, M the model's mask size.

    Raises
    ------
    InputError
        When shapes do not fit, or when all are None.
    """

    points: Tensor | None = None
    labels: Tensor | None = None
    boxes: Tensor | None = None
    masks: Tensor | None = None

    def __post_init__(self) -> None:
        if (self.points is None) != (self.labels is None):
            have, lack = ("points", "labels") if self.labels is None else ("labels", "points")
            raise InputError(f"The prompts have {have} but no {lack}; give both or neither.")
        if self.points is not None and self.labels is not None:
            _expect("points", self.points, "(P, N, 2)", self.points.shape[2:] == (2,))
            fits = self.labels.shape == self.points.shape[:2]
            _expect("labels", self.labels, f"the points' {tuple(self.points.shape[:2])}", fits)
        if self.boxes is not None:
            _expect("boxes", self.boxes, "(P, 4)", self.boxes.shape[1:] == (4,))
        if self.masks is not None:
            *_, height, width = (0, 0, *self.masks.shape)
            fits = self.masks.ndim == 4 and self.masks.shape[1] == 1 and height == width
            _expect("masks", self.masks, "(P, 1, M, M)", fits)
        counts = {len(given) for given in self._given().values()}
        if not counts:
            raise InputError("The prompts are empty; give points, boxes or masks.")
        if len(counts) > 1:
            found = ", ".join(f"{len(given)} {name}" for name, given in self._given().items())
            raise InputError(f"All parts must belong to the same P prompts, but there are {found}.")

    def _given(self) -> dict[str, Tensor]:
        parts = {"points": self.points, "boxes": self.boxes, "masks": self.masks}
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def count(self) -> int:
        """P, the number of prompts."""
        return len(next(iter(self._given().values())))

    def to(self, device: torch.device) -> PromptTensors:
        """Return the same prompts on `device`."""
        return PromptTensors(
            points=None if self.points is None else self.points.to(device),
            labels=None if self.labels is None else self.labels.to(device),
            boxes=None if self.boxes is None else self.boxes.to(device),
            masks=None if self.masks is None else self.masks.to(device),
        )


def _expect(name: str, tensor: Tensor, expected: str, fits: bool) -> None:
    if not fits:
        raise InputError(f"{name} have shape {tuple(tensor.shape)}; expected {expected}.")


class PromptEncoder(nn.Module):
    """Embeds prompts (SAM paper, section 3 and appendix A).

    Parameters
    ----------
    config : SamConfig
        Sizes.
    """

    def __init__(self, config: SamConfig) -> None:
        super().__init__()
        self.image_size = config.image_size
        self.grid_size = config.grid_size
        channels, hidden = config.channels, config.decoder.mask_prompt_channels
        self.pe_layer = FourierPositions(channels)
        # Background point, object point, top left and bottom right corner of a box.
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, channels) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, channels)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, hidden // 4, kernel_size=2, stride=2),
            LayerNorm2d(hidden // 4),
            nn.GELU(),
            nn.Conv2d(hidden // 4, hidden, kernel_size=2, stride=2),
            LayerNorm2d(hidden),
            nn.GELU(),
            nn.Conv2d(hidden, channels, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, channels)

    def forward(
        self, prompts: PromptTensors, grid: tuple[int, int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Embed P prompts.

        Parameters
        ----------
        prompts : PromptTensors
            In model coordinates, on the module's device, of any float type. Unlike in the released
            code nothing is added to them: the centre of model pixel i is i + 0.5.
        grid : (int, int), optional
            Rows and columns (H, W) of the embedding where it is only a part of a tile's; a mask
            prompt then spans that part. By default the whole, (G, G).

        Returns
        -------
        sparse : Tensor
            Tokens for points and box corners, (P, T, C); T is 0 for a mask alone.
        dense : Tensor
            What is added to the embedding, (P, C, H, W).

        Raises
        ------
        InputError
            When masks do not have the model's mask size.
        """
        rows, columns = grid or (self.grid_size, self.grid_size)
        tokens: list[Tensor] = []  # (P, T_i, C) each
        if prompts.points is not None and prompts.labels is not None:
            tokens.append(self._embed_points(prompts.points, prompts.labels))
            if prompts.boxes is None:  # as in training: points without a box end in a padding
                tokens.append(self.not_a_point_embed.weight.expand(prompts.count, 1, -1))
        if prompts.boxes is not None:
            tokens.append(self._embed_boxes(prompts.boxes))
        if prompts.masks is not None:
            dense = self._embed_masks(prompts.masks, (4 * rows, 4 * columns))
        else:
            dense = self.no_mask_embed.weight[..., None, None].expand(
                prompts.count, -1, rows, columns
            )
        if not tokens:
            return dense.new_empty(prompts.count, 0, dense.shape[1]), dense
        return torch.cat(tokens, dim=1), dense

    def dense_positions(self) -> Tensor:
        """Positional encoding of the centres of the embedding's cells, (1, C, G, G)."""
        matrix = self.pe_layer.positional_encoding_gaussian_matrix
        centres = torch.arange(self.grid_size, device=matrix.device) + 0.5
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        positions: Tensor = self.pe_layer(torch.stack([x, y], dim=-1) / self.grid_size)
        return positions.permute(2, 0, 1)[None]

    def _embed_points(self, points: Tensor, labels: Tensor) -> Tensor:
        background, inside, *_ = self.point_embeddings.parameters()
        kinds = torch.cat([self.not_a_point_embed.weight, background, inside])  # labels -1, 0, 1
        positions: Tensor = self.pe_layer(points / self.image_size)  # (P, N, C)
        is_point = (labels >= 0)[..., None]
        return kinds[labels.long() + 1] + positions * is_point

    def _embed_boxes(self, boxes: Tensor) -> Tensor:
        *_, top_left, bottom_right = self.point_embeddings.parameters()
        corners = boxes.reshape(-1, 2, 2)  # (P, corner, xy)
        positions: Tensor = self.pe_layer(corners / self.image_size)
        return positions + torch.cat([top_left, bottom_right])  # (P, 2, C)

    def _embed_masks(self, masks: Tensor, size: tuple[int, int]) -> Tensor:
        if masks.shape[2:] != size:
            raise InputError(
                f"masks have shape {tuple(masks.shape)}; this model expects logits of "
                f"{size[0]} x {size[1]}."
            )
        dense: Tensor = self.mask_downscaling(masks.to(self.no_mask_embed.weight.dtype))
        return dense  # (P, C, H, W)


class FourierPositions(nn.Module):
    """Positions as sines and cosines of random frequencies (Tancik et al. 2020)."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, channels // 2))

    def forward(self, xy: Tensor) -> Tensor:
        """Encode positions (..., 2), 0..1 across the model's image, to (..., C)."""
        matrix = self.positional_encoding_gaussian_matrix
        # Products one by one and in single precision, also when the model or its matrix products
        # run at a lower one, which could not tell neighbouring pixels apart.
        per_x, per_y = matrix.float()
        xy = 2 * xy.float() - 1
        phase = 2 * math.pi * (xy[..., :1] * per_x + xy[..., 1:] * per_y)  # (..., C / 2)
        return torch.cat([phase.sin(), phase.cos()], dim=-1).to(matrix.dtype)
