"""The paged KV cache: one tensor of equal blocks, which `block_allocator` allocates.

A sequence's tokens are stored in the blocks of its block table, in order; the blocks need not be
contiguous.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dsocr.runtime.devices import FP8
from dsocr.runtime.spec import DecoderSizes


def to_cache_dtype(x: Tensor, dtype: torch.dtype) -> Tensor:
    """x as a cache of that dtype stores it. Clamped for fp8: torch may convert larger numbers to
    NaN."""
    if dtype == FP8:
        limit = torch.finfo(FP8).max
        x = x.clamp(-limit, limit)
    return x.to(dtype)


class KVCache:
    """Keys and values of all layers: 2 * layers * hidden values a token (spec 1.2)."""

    def __init__(
        self,
        spec: DecoderSizes,
        *,
        num_blocks: int,
        block_size: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.block_size = block_size
        self.num_blocks = num_blocks
        self.blocks = torch.zeros(
            (spec.num_layers, 2, num_blocks, block_size, spec.num_heads, spec.head_dim),
            device=device,
            dtype=dtype,
        )

    def write(self, layer: int, k: Tensor, v: Tensor, slots: Tensor) -> None:
        """Stores k and v (T, heads, head_dim) at their slots (T,)."""
        cached = _as_bytes(self.blocks[layer]).flatten(1, 2)  # (2, slots, heads, head_dim)
        for part, new in zip(cached, (k, v), strict=True):
            part.index_copy_(0, slots, _as_bytes(to_cache_dtype(new, self.blocks.dtype)))

    def gather(self, layer: int, block_tables: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Keys and values of block tables (N, B), each (N, B * block_size, heads, head_dim)."""
        keys, values = (
            part[block_tables].flatten(1, 2).view(self.blocks.dtype).to(dtype)
            for part in _as_bytes(self.blocks[layer])
        )
        return keys, values

    @staticmethod
    def bytes_per_token(spec: DecoderSizes, dtype: torch.dtype) -> int:
        return 2 * spec.num_layers * spec.num_heads * spec.head_dim * dtype.itemsize


def _as_bytes(x: Tensor) -> Tensor:
    """fp8 viewed as uint8: not every torch version and device can index fp8."""
    return x.view(torch.uint8) if x.dtype == FP8 else x
