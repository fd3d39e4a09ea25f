"""The two-way transformer: prompt tokens and image attend to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from napari_sam.model.layers import MLPBlock

if TYPE_CHECKING:
    from napari_sam.model.config import DecoderConfig

__all__ = ["TwoWayTransformer"]


class TwoWayTransformer(nn.Module):
    """Tokens read from the image and the image reads from the tokens (SAM paper, figure 14).

    Parameters
    ----------
    channels : int
        Channels of tokens and image.
    config : DecoderConfig
        Depth, heads and widths.
    """

    def __init__(self, channels: int, config: DecoderConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(channels, config, first=index == 0) for index in range(config.depth)
        )
        self.final_attn_token_to_image = Attention(
            channels, config.heads, channels // config.attention_downsample
        )
        self.norm_final_attn = nn.LayerNorm(channels)

    def forward(self, image: Tensor, positions: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Let tokens and image exchange what they know.

        Parameters
        ----------
        image : Tensor
            Image embedding, one per prompt, (P, C, G, G).
        positions : Tensor
            Positional encoding of the cells, (1, C, G, G).
        tokens : Tensor
            Output tokens and prompt tokens, (P, T, C). They are their own positional encoding.

        Returns
        -------
        tuple of Tensor
            The updated tokens (P, T, C) and the image's cells in rows (P, G * G, C).
        """
        keys = image.flatten(2).transpose(1, 2)  # (P, G * G, C)
        key_positions = positions.flatten(2).transpose(1, 2)  # (1, G * G, C)
        queries = tokens
        for layer in self.layers:
            queries, keys = layer(queries, keys, tokens, key_positions)
        queries = queries + self.final_attn_token_to_image(
            queries + tokens, keys + key_positions, keys
        )
        queries = self.norm_final_attn(queries)
        return queries, keys


class TwoWayBlock(nn.Module):
    """Self-attention of the tokens, tokens to image, MLP, image to tokens."""

    def __init__(self, channels: int, config: DecoderConfig, *, first: bool) -> None:
        super().__init__()
        inner = channels // config.attention_downsample
        self.first = first
        self.self_attn = Attention(channels, config.heads, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.cross_attn_token_to_image = Attention(channels, config.heads, inner)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = MLPBlock(channels, config.mlp_width, nn.ReLU())
        self.norm3 = nn.LayerNorm(channels)
        self.cross_attn_image_to_token = Attention(channels, config.heads, inner)
        self.norm4 = nn.LayerNorm(channels)

    def forward(
        self, queries: Tensor, keys: Tensor, query_positions: Tensor, key_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update queries (P, T, C) and keys (P, G * G, C)."""
        if self.first:  # the tokens still equal their positions, which are not added twice
            queries = self.norm1(self.self_attn(queries, queries, queries))
        else:
            q = queries + query_positions
            queries = self.norm1(queries + self.self_attn(q, q, queries))

        q, k = queries + query_positions, keys + key_positions
        queries = self.norm2(queries + self.cross_attn_token_to_image(q, k, keys))
        queries = self.norm3(queries + self.mlp(queries))

        q = queries + query_positions
        keys = self.norm4(keys + self.cross_attn_image_to_token(k, q, queries))
        return queries, keys


class Attention(nn.Module):
    """Multi-head attention in `inner` channels."""

    def __init__(self, channels: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(channels, inner)
        self.k_proj = nn.Linear(channels, inner)
        self.v_proj = nn.Linear(channels, inner)
        self.out_proj = nn.Linear(inner, channels)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend from q (P, Q, C) to k and v (P, K, C); the result is (P, Q, C)."""
        q, k, v = (
            self._split(self.q_proj(q)),
            self._split(self.k_proj(k)),
            self._split(self.v_proj(v)),
        )
        # Written out: one side has some ten tokens only, for which fused kernels take a CPU longer,
        # backwards above all.
        weights = (q * q.shape[-1] ** -0.5 @ k.mT).softmax(-1)
        x = weights.to(v) @ v
        out: Tensor = self.out_proj(x.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        count, length, inner = x.shape
        x = x.view(count, length, self.heads, inner // self.heads)
        return x.transpose(1, 2)  # (P, heads, N, d)
