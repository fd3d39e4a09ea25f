"""The mask decoder for many prompts on one tile: the same function, arranged for speed.

`MaskDecoder` repeats the tile for every prompt and projects its 4096 cells again in each
attention. Here three things are different, and nothing else:

- What depends on the tile alone (the first layer's keys, values and queries) is computed once per
  tile, and what depends on the model alone (the projected positions) once per model.
- Linear maps change sides. A prompt has some 7 tokens in 8 heads: 56 rows. ``q (W k)`` is
  ``(q W) k``, so the tokens are projected and the cells are not; this also holds for values.
- Upscaling works on rows of channels in the order of the cells. A transposed convolution whose
  kernel is as large as its stride is a matrix product, and only the finished masks are put in the
  order of the image.

Letters in shapes: P prompts, T tokens, H heads, d channels of a head, N cells, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam.model.mask_decoder import wanted_masks
from napari_sam.model.transformer import TwoWayBlock
from napari_sam.model.upscaling import RowUpscaling, draw_masks

if TYPE_CHECKING:
    from napari_sam.model.mask_decoder import Outputs
    from napari_sam.model.prompt_encoder import PromptTensors
    from napari_sam.model.sam import Sam
    from napari_sam.model.transformer import Attention

__all__ = ["DecoderTile", "TileAnswers", "TileDecoder"]


@dataclass(frozen=True, slots=True, eq=False)
class DecoderTile:
    """A tile's embedding with what every prompt on it needs.

    Parameters
    ----------
    cells : Tensor
        The embedding as the decoder gets it without a mask prompt, (1, N, C).
    bare : Tensor
        The embedding alone, (1, N, C); a mask prompt adds its own map.
    keys, values : Tensor
        Of the first layer's attention from tokens to cells, (H, d, N) and (H, N, d).
    queries : Tensor
        Of its attention from cells to tokens, (H, d, N).
    """

    cells: Tensor
    bare: Tensor
    keys: Tensor
    values: Tensor
    queries: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class TileAnswers:
    """What the transformer found for P prompts: scores now, masks when they are asked for.

    Parameters
    ----------
    iou : Tensor
        Predicted IoU of each mask with the object, (P, n).
    filters : Tensor
        What turns upscaled cells into mask logits, (P, n, C / 8).
    cells : Tensor
        The transformer's cells, (P, N, C).
    """

    iou: Tensor
    filters: Tensor
    cells: Tensor

    def take(self, prompts: Tensor) -> TileAnswers:
        """Keep the answers of some prompts, by index."""
        return TileAnswers(self.iou[prompts], self.filters[prompts], self.cells[prompts])

    def choose(self, prompts: Tensor, masks: Tensor) -> TileAnswers:
        """Keep one mask of some prompts: both are indices of one length, K; n becomes 1."""
        return TileAnswers(
            self.iou[prompts, masks][:, None],
            self.filters[prompts, masks][:, None],
            self.cells[prompts],
        )


class TileDecoder:
    """Decodes prompts on tiles with the weights that a model has now.

    Parameters
    ----------
    sam : Sam
        Its decoder is read once: make a new one after training it.
    dtype : torch.dtype
        Of the cells and the products with them; tokens, scores and softmax stay in single
        precision.
    """

    def __init__(self, sam: Sam, dtype: torch.dtype = torch.float32) -> None:
        self._sam, self._dtype = sam, dtype
        decoder = sam.mask_decoder
        self._grid = sam.config.grid_size
        with torch.inference_mode():
            positions = sam.prompt_encoder.dense_positions().flatten(2).transpose(1, 2)  # (1, N, C)
            self._layers = [
                _Layer(block, positions, dtype)
                for block in decoder.transformer.layers
                if isinstance(block, TwoWayBlock)
            ]
            final = decoder.transformer.final_attn_token_to_image
            self._final = _FromCells(final, positions, dtype)
            self._own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
            self._upscaling = RowUpscaling(decoder.output_upscaling, dtype)

    @torch.inference_mode()
    def prepare(self, embedding: Tensor) -> DecoderTile:
        """Compute what every prompt on a tile needs.

        Parameters
        ----------
        embedding : Tensor
            (C, G, G), any device and float type.
        """
        no_mask = self._sam.prompt_encoder.no_mask_embed.weight
        bare = embedding.to(no_mask).flatten(1).T.contiguous()[None]  # (1, N, C)
        cells = (bare + no_mask).to(self._dtype)
        first = self._layers[0]
        return DecoderTile(
            cells=cells,
            bare=bare.to(self._dtype),
            keys=first.read.keys(cells),
            values=first.read.values(cells),
            queries=first.write.queries(cells),
        )

    @torch.inference_mode()
    def ask(self, tile: DecoderTile, prompts: PromptTensors, multimask: Outputs) -> TileAnswers:
        """Score the masks of P prompts.

        Parameters
        ----------
        tile : DecoderTile
            From `prepare`.
        prompts : PromptTensors
            In model coordinates.
        multimask : bool or "every"
            Three masks for an ambiguous prompt instead of one, or all of them, the single first.

        Raises
        ------
        InputError
            When the model was not trained for such prompts, or a mask does not fit.
        """
        sam, decoder = self._sam, self._sam.mask_decoder
        sam.check_kinds(prompts)
        sparse, dense = sam.prompt_encoder(prompts.to(sam.device))
        tokens = torch.cat([self._own.expand(len(sparse), -1, -1), sparse], dim=1)  # (P, T, C)
        queries, cells = tokens, tile.cells
        if prompts.masks is not None:
            cells = tile.bare + dense.flatten(2).transpose(1, 2).to(self._dtype)
        for index, layer in enumerate(self._layers):
            shared = tile if index == 0 and prompts.masks is None else None
            queries, cells = layer(queries, cells, tokens, shared)
        queries = queries + self._final(queries + tokens, cells)
        queries = decoder.transformer.norm_final_attn(queries)

        wanted = wanted_masks(multimask)
        filters = decoder.filters(queries[:, 1 : len(self._own)], wanted)
        iou = decoder.iou_prediction_head(queries[:, 0])[:, wanted]
        return TileAnswers(iou, filters, cells)

    @torch.inference_mode()
    def masks(self, answers: TileAnswers) -> Tensor:
        """Draw the masks of answers: logits (P, n, 4 * G, 4 * G), float32."""
        # A prompt takes 15 MB on the way. One at a time stays in a CPU's caches, and the allocator
        # has the memory at hand instead of asking the system for new pages.
        few = 1 if answers.cells.device.type == "cpu" else max(1, len(answers.cells))
        parts = zip(torch.split(answers.cells, few), torch.split(answers.filters, few), strict=True)
        return torch.cat([self._draw(cells, filters) for cells, filters in parts])

    def _draw(self, cells: Tensor, filters: Tensor) -> Tensor:
        return draw_masks(self._upscaling(cells), filters, self._grid, self._grid)

    def decode(
        self, tile: DecoderTile, prompts: PromptTensors, multimask: Outputs
    ) -> tuple[Tensor, Tensor]:
        """Predict the masks of P prompts: mask logits (P, n, M, M) and predicted IoU (P, n)."""
        answers = self.ask(tile, prompts, multimask)
        return self.masks(answers), answers.iou


class _Layer:
    """One layer of the two-way transformer."""

    def __init__(self, block: TwoWayBlock, positions: Tensor, dtype: torch.dtype) -> None:
        self._block = block
        self.read = _FromCells(block.cross_attn_token_to_image, positions, dtype)
        self.write = _IntoCells(block.cross_attn_image_to_token, positions, dtype)
        self._weight, self._bias = block.norm4.weight.to(dtype), block.norm4.bias.to(dtype)

    def __call__(
        self, queries: Tensor, cells: Tensor, tokens: Tensor, shared: DecoderTile | None
    ) -> tuple[Tensor, Tensor]:
        """Update queries (P, T, C) and cells (P, N, C)."""
        block = self._block
        if block.first:
            queries = block.norm1(block.self_attn(queries, queries, queries))
        else:
            q = queries + tokens
            queries = block.norm1(queries + block.self_attn(q, q, queries))
        queries = block.norm2(queries + self.read(queries + tokens, cells, shared))
        queries = block.norm3(queries + block.mlp(queries))
        cells = self.write(cells, queries + tokens, queries, shared)
        norm = block.norm4
        return queries, F.layer_norm(
            cells, norm.normalized_shape, self._weight, self._bias, norm.eps
        )


class _FromCells:
    """Attention of tokens to cells that leaves the cells as they are."""

    def __init__(self, attention: Attention, positions: Tensor, dtype: torch.dtype) -> None:
        self._attention, self._heads, self._dtype = attention, attention.heads, dtype
        self._k = _by_head(attention.k_proj, self._heads)
        self._v = _by_head(attention.v_proj, self._heads)
        # The bias of the keys is the same for all cells, which softmax does not see.
        projected = _of_heads(positions @ attention.k_proj.weight.T, self._heads)
        self._positions = projected[:, 0].mT.contiguous()  # (H, d, N)

    def keys(self, cells: Tensor) -> Tensor:
        """Project cells once, for many prompts, (H, d, N)."""
        projected = cells.float() @ self._attention.k_proj.weight.T
        return _of_heads(projected, self._heads)[:, 0].mT + self._positions

    def values(self, cells: Tensor) -> Tensor:
        """Project cells once, for many prompts, (H, N, d)."""
        return _of_heads(self._attention.v_proj(cells.float()), self._heads)[:, 0].contiguous()

    def __call__(self, queries: Tensor, cells: Tensor, shared: DecoderTile | None = None) -> Tensor:
        """Let queries (P, T, C) read from cells (P, N, C)."""
        q = _of_heads(self._attention.q_proj(queries), self._heads)  # (H, P, T, d)
        q = q * q.shape[-1] ** -0.5
        if shared is not None:
            weights = _times(q, shared.keys).softmax(-1)
            read = _times(weights, shared.values)  # (H, P, T, d)
        else:
            rows = _rows(_times(q, self._k), self._dtype)
            scores = (rows @ cells.mT).float().view(len(rows), *q.shape[::2], -1)  # (P, H, T, N)
            weights = scores.add_(_times(q, self._positions).transpose(0, 1)).softmax(-1)
            rows = weights.flatten(1, 2).to(self._dtype) @ cells  # (P, H * T, C)
            read = rows.float().view(len(rows), *q.shape[::2], -1).transpose(0, 1)
            read = _times(read, self._v.mT) + self._attention.v_proj.bias.view(
                self._heads, 1, 1, -1
            )
        out: Tensor = self._attention.out_proj(read.permute(1, 2, 0, 3).flatten(2))
        return out


class _IntoCells:
    """Attention of cells to tokens, added to the cells."""

    def __init__(self, attention: Attention, positions: Tensor, dtype: torch.dtype) -> None:
        self._attention, self._heads, self._dtype = attention, attention.heads, dtype
        self._q = _by_head(attention.q_proj, self._heads)
        self._out = attention.out_proj.weight.T.reshape(
            self._heads, -1, attention.out_proj.out_features
        )  # (H, d, C)
        self._bias = attention.out_proj.bias.to(dtype)
        projected = _of_heads(attention.q_proj(positions), self._heads)
        self._positions = projected[:, 0].mT.contiguous()  # (H, d, N)

    def queries(self, cells: Tensor) -> Tensor:
        """Project cells once, for many prompts, (H, d, N)."""
        projected = cells.float() @ self._attention.q_proj.weight.T
        return _of_heads(projected, self._heads)[:, 0].mT + self._positions

    def __call__(
        self, cells: Tensor, keys: Tensor, values: Tensor, shared: DecoderTile | None = None
    ) -> Tensor:
        """Let cells (P, N, C) read from tokens (P, T, C), and add what they find."""
        k = _of_heads(self._attention.k_proj(keys), self._heads)  # (H, P, T, d)
        k = k * k.shape[-1] ** -0.5
        v = _of_heads(self._attention.v_proj(values), self._heads)
        if shared is not None:
            scores = _times(k, shared.queries)  # (H, P, T, N)
        else:
            rows = _rows(_times(k, self._q), self._dtype)
            scores = (rows @ cells.mT).float().view(len(rows), *k.shape[::2], -1).transpose(0, 1)
            scores = scores.add_(_times(k, self._positions))
        weights = _rows(scores.softmax(2), self._dtype)  # (P, H * T, N)
        found = _rows(_times(v, self._out), self._dtype)  # (P, H * T, C)
        cells = (cells + self._bias).expand(len(found), -1, -1)
        return torch.baddbmm(cells, weights.mT, found)


def _by_head(linear: nn.Linear, heads: int) -> Tensor:
    """Weights of a projection, head by head, (H, d, C)."""
    return linear.weight.view(heads, -1, linear.in_features)


def _of_heads(x: Tensor, heads: int) -> Tensor:
    """Split channels (P, T, C) among heads, which come first: (H, P, T, d)."""
    return x.view(*x.shape[:2], heads, -1).permute(2, 0, 1, 3)


def _times(x: Tensor, shared: Tensor) -> Tensor:
    """Multiply (H, P, T, a) by a matrix (H, a, b) that all prompts share, (H, P, T, b).

    ``x @ shared`` would first copy the matrix for each prompt: megabytes of cells for a few rows.
    """
    return (x.flatten(1, 2) @ shared).view(*x.shape[:3], -1)


def _rows(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Bring (H, P, T, n) into rows of one prompt after the other, (P, H * T, n)."""
    return x.transpose(0, 1).to(dtype, memory_format=torch.contiguous_format).flatten(1, 2)
