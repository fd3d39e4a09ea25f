"""Attention that knows how far apart two tokens of a square window lie (MViTv2, section 4.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["attend", "relative_bias"]

BLOCK = 2**20
"""Attention logits that a CPU holds at once: 2 MB in half precision stay in its caches, while a
whole image in ViT-B has 200 million."""


def attend(q: Tensor, k: Tensor, v: Tensor, rel_pos_h: Tensor, rel_pos_w: Tensor) -> Tensor:
    """Attend over square windows, with a bias for the offset between query and key.

    Parameters
    ----------
    q, k, v : Tensor
        Queries, keys and values, (B, heads, N, d), where N = side * side, row by row.
    rel_pos_h, rel_pos_w : Tensor
        One vector per offset -(side - 1) ... side - 1, each (2 * side - 1, d).

    Returns
    -------
    Tensor
        (B, heads, N, d).
    """
    rows, columns = _biases(q, rel_pos_h, rel_pos_w)
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and not torch.is_grad_enabled():
        return _attend_in_blocks(q, k, v, rows, columns)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=_together(rows, columns))


def relative_bias(q: Tensor, rel_pos_h: Tensor, rel_pos_w: Tensor) -> Tensor:
    """Compute what is added to the logits of attention, (B, heads, query, key), each N long.

    Rows and columns contribute separately, and both depend on the query before it is scaled.
    Parameters are those of `attend`.
    """
    return _together(*_biases(q, rel_pos_h, rel_pos_w))


def _biases(q: Tensor, rel_pos_h: Tensor, rel_pos_w: Tensor) -> tuple[Tensor, Tensor]:
    """Compute what a query adds to each row and each column of keys, (B, heads, N, side) both."""
    side = (len(rel_pos_h) + 1) // 2
    position = torch.arange(side, device=q.device)
    offset = position[:, None] - position[None, :] + side - 1  # (query, key)
    square = q.unflatten(2, (side, side))
    # Contiguous, so that their sum is too: it is the largest tensor of the network and not copied.
    rows = torch.einsum("bnhwd,hkd->bnhwk", square, rel_pos_h[offset]).contiguous()
    columns = torch.einsum("bnhwd,wkd->bnhwk", square, rel_pos_w[offset]).contiguous()
    return rows.flatten(2, 3), columns.flatten(2, 3)


def _together(rows: Tensor, columns: Tensor) -> Tensor:
    return (rows[..., :, None] + columns[..., None, :]).flatten(3)


def _attend_in_blocks(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Attend block by block, by products alone.

    The bias rides along: a query carries what it adds to each row and column, a key says by ones
    and zeros in which row and column it lies. The products are longer, but a CPU with units for
    them has those for almost nothing, and the bias of all pairs is never written to memory.
    """
    count, width, side = q.shape[2], q.shape[3], rows.shape[3]
    one = torch.eye(side, dtype=q.dtype)
    place = torch.cat([one.repeat_interleave(side, 0), one.repeat(side, 1)], dim=1)  # (N, 2 side)
    asking = torch.cat([q * width**-0.5, rows, columns], dim=3).flatten(0, 1)
    asked = torch.cat([k, place.expand(*k.shape[:2], -1, -1)], dim=3).flatten(0, 1)
    values = v.flatten(0, 1)
    out = torch.empty_like(values)
    at_once, part = max(1, BLOCK // count**2), min(count, max(1, BLOCK // count))
    for first in range(0, len(values), at_once):
        heads = slice(first, first + at_once)
        keys = asked[heads].mT.contiguous()
        for start in range(0, count, part):
            queries = slice(start, start + part)
            logits = asking[heads, queries] @ keys
            out[heads, queries] = torch.softmax(logits, -1, out=logits) @ values[heads]
    return out.view(v.shape)
