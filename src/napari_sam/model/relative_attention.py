"""Attention that knows how far apart two tokens of a square window lie (MViTv2, section 4.1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["attend", "relative_bias"]

BLOCK = 2**21
"""Attention logits that a CPU holds at once: 4 to 8 MB stay in its caches, while a whole image in
ViT-B has 200 million."""


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
    if q.device.type == "cpu" and not torch.is_grad_enabled():
        biases = _biases(q, rel_pos_h, rel_pos_w)
        return _attend_in_blocks(q, k, v, *biases).view(v.shape)
    bias = relative_bias(q, rel_pos_h, rel_pos_w)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


def relative_bias(q: Tensor, rel_pos_h: Tensor, rel_pos_w: Tensor) -> Tensor:
    """Compute what is added to the logits of attention, (B, heads, query, key), each N long.

    Rows and columns contribute separately, and both depend on the query before it is scaled.
    Parameters are those of `attend`.
    """
    rows, columns = _biases(q, rel_pos_h, rel_pos_w)
    return (rows[..., :, None] + columns[..., None, :]).flatten(3)


def _biases(q: Tensor, rel_pos_h: Tensor, rel_pos_w: Tensor) -> tuple[Tensor, Tensor]:
    """Compute what a query adds to each row and each column of keys, (B, heads, N, side) both."""
    side = (len(rel_pos_h) + 1) // 2
    position = torch.arange(side, device=q.device)
    offset = position[:, None] - position[None, :] + side - 1  # (query, key)
    square = q.view(*q.shape[:2], side, side, -1)
    # Contiguous, so that their sum is too: it is the largest tensor of the network and not copied.
    rows = torch.einsum("bnhwd,hkd->bnhwk", square, rel_pos_h[offset]).contiguous()
    columns = torch.einsum("bnhwd,wkd->bnhwk", square, rel_pos_w[offset]).contiguous()
    return rows.flatten(2, 3), columns.flatten(2, 3)


def _attend_in_blocks(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Attend to some queries after the other; the bias of all pairs is never in memory at once."""
    count, scale = q.shape[2], q.shape[3] ** -0.5
    q, k, v, rows, columns = (x.flatten(0, 1) for x in (q, k, v, rows, columns))
    out = torch.empty_like(v)
    at_once, part = max(1, BLOCK // count**2), min(count, max(1, BLOCK // count))
    for first in range(0, len(out), at_once):
        heads = slice(first, first + at_once)
        keys, values = k[heads].mT.contiguous(), v[heads].contiguous()
        for start in range(0, count, part):
            some = heads, slice(start, start + part)
            logits = (rows[some][..., :, None] + columns[some][..., None, :]).flatten(2)
            logits.baddbmm_(q[some], keys, alpha=scale)
            out[some] = torch.softmax(logits, -1, out=logits) @ values
    return out
