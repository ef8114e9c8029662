"""The paged KV cache: one tensor of equal blocks. Who owns which block is told in `blocks`.

A sequence's tokens lie in the blocks of its block table, in order; blocks need not be neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dsocr.runtime.checkpoint import DecoderSpec


class KVCache:
    """Keys and values of all layers: 2 * layers * hidden values a token (spec 1.2)."""

    def __init__(
        self,
        spec: DecoderSpec,
        *,
        num_blocks: int,
        block_size: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.block_size = block_size
        self.num_blocks = num_blocks
        # zeros, not empty: a padded gather may read what was never written, and NaN * 0 is NaN
        self.blocks = torch.zeros(
            (spec.num_layers, 2, num_blocks, block_size, spec.num_heads, spec.head_dim),
            device=device,
            dtype=dtype,
        )

    def write(self, layer: int, k: Tensor, v: Tensor, slots: Tensor) -> None:
        """Stores k and v (T, heads, head_dim) at their slots (T,)."""
        keys, values = self.blocks[layer].flatten(1, 2)  # (slots, heads, head_dim) each
        keys.index_copy_(0, slots, k)
        values.index_copy_(0, slots, v)

    def gather(self, layer: int, block_tables: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of block tables (N, B), each (N, B * block_size, heads, head_dim)."""
        keys, values = self.blocks[layer]
        return keys[block_tables].flatten(1, 2), values[block_tables].flatten(1, 2)

    @staticmethod
    def bytes_per_token(spec: DecoderSpec, dtype: torch.dtype) -> int:
        return 2 * spec.num_layers * spec.num_heads * spec.head_dim * dtype.itemsize
