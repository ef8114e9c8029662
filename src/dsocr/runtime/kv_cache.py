"""The paged KV cache: one tensor of equal blocks, and who owns which block.

A sequence's tokens lie in the blocks of its block table, in order; blocks need not be neighbours.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from dsocr.runtime.checkpoint import DecoderSpec


class OutOfBlocks(Exception):
    """The cache has no room for that many more tokens."""


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


class BlockAllocator:
    """Hands out block numbers; every block is owned once or free."""

    def __init__(self, num_blocks: int, *, block_size: int) -> None:
        self.block_size = block_size
        self._free = list(range(num_blocks - 1, -1, -1))
        self._used: set[int] = set()

    @property
    def num_free(self) -> int:
        return len(self._free)

    def blocks_for(self, num_tokens: int) -> int:
        return -(-num_tokens // self.block_size)

    def allocate(self, num_blocks: int) -> list[int]:
        """All of them or `OutOfBlocks` and none."""
        if num_blocks > len(self._free):
            raise OutOfBlocks(f"{num_blocks} blocks wanted, {len(self._free)} free")
        taken = [self._free.pop() for _ in range(num_blocks)]
        self._used.update(taken)
        return taken

    def extend(self, block_table: list[int], num_tokens: int) -> None:
        """Grows the table in place until it has room for that many tokens."""
        block_table += self.allocate(max(0, self.blocks_for(num_tokens) - len(block_table)))

    def free(self, blocks: Iterable[int]) -> None:
        """Gives blocks back. Freeing what is not owned is a bug and raises `KeyError`."""
        for block in blocks:
            self._used.remove(block)
            self._free.append(block)
