"""The paged KV cache: one tensor of equal blocks. Who owns which block is told in `blocks`.

A sequence's tokens lie in the blocks of its block table, in order; blocks need not be neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dsocr.runtime.devices import FP8
from dsocr.runtime.spec import DecoderSpec


def as_kept(x: Tensor, dtype: torch.dtype) -> Tensor:
    """x as a cache of that dtype holds it. Beyond fp8's greatest number torch may give NaN."""
    if dtype == FP8:
        greatest = torch.finfo(FP8).max
        x = x.clamp(-greatest, greatest)
    return x.to(dtype)


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
        self.blocks = torch.zeros(
            (spec.num_layers, 2, num_blocks, block_size, spec.num_heads, spec.head_dim),
            device=device,
            dtype=dtype,
        )

    def write(self, layer: int, k: Tensor, v: Tensor, slots: Tensor) -> None:
        """Stores k and v (T, heads, head_dim) at their slots (T,)."""
        places = _movable(self.blocks[layer]).flatten(1, 2)  # (2, slots, heads, head_dim)
        for place, new in zip(places, (k, v), strict=True):
            place.index_copy_(0, slots, _movable(as_kept(new, self.blocks.dtype)))

    def gather(self, layer: int, block_tables: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Keys and values of block tables (N, B), each (N, B * block_size, heads, head_dim)."""
        keys, values = (
            part[block_tables].flatten(1, 2).view(self.blocks.dtype).to(dtype)
            for part in _movable(self.blocks[layer])
        )
        return keys, values

    @staticmethod
    def bytes_per_token(spec: DecoderSpec, dtype: torch.dtype) -> int:
        return 2 * spec.num_layers * spec.num_heads * spec.head_dim * dtype.itemsize


def _movable(x: Tensor) -> Tensor:
    """The same bits: not every torch and device picks and puts fp8."""
    return x.view(torch.uint8) if x.dtype == FP8 else x
