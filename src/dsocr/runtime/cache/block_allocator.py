"""Who owns which block of the paged KV cache. Plain numbers; knows no tensors."""

from __future__ import annotations

from collections.abc import Iterable

BLOCK_SIZE = 16
"""Tokens a block of the cache holds."""


class OutOfBlocks(Exception):
    """The cache has no room for that many more tokens."""


class BlockAllocator:
    """Hands out block numbers; every block is owned once or free."""

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
