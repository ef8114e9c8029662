"""Allocation of the blocks of the paged KV cache. Plain numbers; knows no tensors."""

from __future__ import annotations

from collections.abc import Iterable

BLOCK_SIZE = 16
"""Tokens a block of the cache holds."""


class OutOfBlocks(Exception):
    """Fewer blocks are free than were requested."""


class BlockAllocator:
    """Allocates block numbers; each block is free or has one owner."""

    def __init__(self, num_blocks: int, *, block_size: int) -> None:
        self.num_blocks, self.block_size = num_blocks, block_size
        self._free = list(range(num_blocks - 1, -1, -1))
        self._used: set[int] = set()

    @property
    def num_free(self) -> int:
        return len(self._free)

    def blocks_for(self, num_tokens: int) -> int:
        return -(-num_tokens // self.block_size)

    def allocate(self, num_blocks: int) -> list[int]:
        """That many blocks. Raises `OutOfBlocks`, and allocates none, if fewer are free."""
        if num_blocks > len(self._free):
            raise OutOfBlocks(f"{num_blocks} blocks requested, {len(self._free)} free")
        taken = [self._free.pop() for _ in range(num_blocks)]
        self._used.update(taken)
        return taken

    def extend(self, block_table: list[int], num_tokens: int) -> None:
        """Extends the table in place to hold that many tokens."""
        block_table += self.allocate(max(0, self.blocks_for(num_tokens) - len(block_table)))

    def free(self, blocks: Iterable[int]) -> None:
        """Frees blocks. Freeing a block that is not allocated is a bug and raises `KeyError`."""
        for block in blocks:
            self._used.remove(block)
            self._free.append(block)
