"""Attention with relative positions: its bias against plain loops, blocks against the whole."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam.model import relative_attention
from napari_sam.model.relative_attention import attend, relative_bias


def test_a_relative_bias_is_the_query_times_the_vectors_of_its_offsets() -> None:
    side, width = 3, 4
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(1, 2, side * side, width, generator=generator)
    rows, columns = torch.randn(2, 2 * side - 1, width, generator=generator)
    bias = relative_bias(q, rows, columns)
    for query in range(side * side):
        for key in range(side * side):
            down = query // side - key // side + side - 1
            right = query % side - key % side + side - 1
            expected = q[0, :, query] @ (rows[down] + columns[right])
            torch.testing.assert_close(bias[0, :, query, key], expected)


def tokens(batch: int, side: int, width: int = 8) -> tuple[Tensor, ...]:
    """Queries, keys and values of three heads, and the vectors of all offsets."""
    generator = torch.Generator().manual_seed(side)
    q, k, v = torch.randn(3, batch, 3, side * side, width, generator=generator)
    rows, columns = torch.randn(2, 2 * side - 1, width, generator=generator) / 2
    return q, k, v, rows, columns


@pytest.mark.parametrize(("batch", "side"), [(5, 7), (1, 40), (2, 1)])
@pytest.mark.parametrize("block", [200, 5_000, 2**21])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
def test_blocks_of_attention_are_the_whole_attention(
    batch: int,
    side: int,
    block: int,
    dtype: torch.dtype,
    bound: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relative_attention, "BLOCK", block)
    q, k, v, rows, columns = (x.to(dtype) for x in tokens(batch, side))
    whole = F.scaled_dot_product_attention(
        q.float(),
        k.float(),
        v.float(),
        attn_mask=relative_bias(q.float(), rows.float(), columns.float()),
    )
    with torch.inference_mode():
        blocks = attend(q, k, v, rows, columns)
    assert blocks.dtype == dtype
    assert blocks.shape == q.shape
    difference = (blocks.float() - whole).norm() / whole.norm()
    assert difference < bound
    without_bias = F.scaled_dot_product_attention(q.float(), k.float(), v.float())
    if side > 1:
        assert (without_bias - whole).norm() / whole.norm() > 0.2


def test_attention_without_gradients_may_be_asked_for_under_autocast() -> None:
    q, k, v, rows, columns = tokens(2, 7)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        short = attend(q.bfloat16(), k.bfloat16(), v.bfloat16(), rows, columns)
    exact = attend(q, k, v, rows, columns)
    assert (short.float() - exact).norm() / exact.norm() < 0.02


def test_gradients_reach_the_vectors_of_the_offsets_in_half_precision() -> None:
    q, k, v, rows, columns = (x.bfloat16().requires_grad_() for x in tokens(1, 3))
    attend(q, k, v, rows, columns).float().square().sum().backward()
    assert rows.grad is not None
    assert rows.grad.abs().min() > 0
