"""The inputs of one step of the model. Passed as arguments, never global.

A batch may hold whole prompts, parts of prompts and single decoded tokens of many sequences,
concatenated without padding. Knows nothing of scheduling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class PageViews:
    """The views of one page for the vision towers (spec 2.4): uint8 RGB, on any device."""

    global_view: Tensor  # (S, S, 3)
    tiles: Tensor | None = None  # (W*H, side, side, 3), row by row
    grid: tuple[int, int] = (1, 1)
    """Tiles wide, tiles high."""

    @property
    def views(self) -> list[Tensor]:
        """The global view, then the tiles, row by row; each (S, S, 3)."""
        return [self.global_view, *([] if self.tiles is None else self.tiles)]

    @property
    def num_pixels(self) -> int:
        """Pixels of all views: the cost of encoding them."""
        parts = [self.global_view, *([] if self.tiles is None else [self.tiles])]
        return sum(part.numel() // 3 for part in parts)

    def pinned(self) -> PageViews:
        """A copy in pinned memory, which a GPU can read while the host continues."""
        tiles = None if self.tiles is None else self.tiles.pin_memory()
        return PageViews(self.global_view.pin_memory(), tiles, self.grid)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive tokens of one sequence: its whole prompt, a part of it, or one decoded token."""

    token_ids: Sequence[int]
    num_cached: int
    """Tokens of the sequence already in the cache; the position of the first of `token_ids`."""
    block_table: Sequence[int]
    """The sequence's blocks in order, enough for `num_cached + len(token_ids)` tokens; below 0
    where a block is freed."""
    features: Tensor | None = None  # (F, hidden)
    """Image features that replace the embeddings at `feature_rows`."""
    feature_rows: Sequence[int] = ()
    """Indices into `token_ids`, ascending."""
    num_prompt: int | None = None
    """Tokens of the sequence's prompt, which a window of attention never hides; None: all."""

    @property
    def end(self) -> int:
        """Tokens of the sequence in the cache once these are written."""
        return self.num_cached + len(self.token_ids)


@dataclass(frozen=True, slots=True)
class Batch:
    """T tokens of N sequences. Sequence n owns tokens `query_starts[n] : query_starts[n + 1]`.

    The first `num_decodes` sequences have one token each. Their attention runs together and reads
    device tensors alone, without synchronization.
    """

    input_ids: Tensor  # (T,) int64
    positions: Tensor  # (T,) int64
    slots: Tensor  # (T,) int64: block * block_size + offset, where each token's K and V go
    block_tables: Tensor  # (N, max blocks) int64, padded with 0
    context_lens: Tensor  # (N,) int64: tokens in the cache once this step's are written
    query_starts: tuple[int, ...]
    context_lens_host: tuple[int, ...]
    num_decodes: int
    prompt_lens: Tensor  # (N,) int64: tokens of each prompt, at most those in the cache
    prompt_lens_host: tuple[int, ...]
    features: Tensor | None = None  # (F, hidden)
    feature_rows: Tensor | None = None  # (F,) int64, rows of the batch

    @property
    def num_tokens(self) -> int:
        return self.query_starts[-1]

    @property
    def num_sequences(self) -> int:
        return len(self.context_lens_host)

    @property
    def last_rows(self) -> list[int]:
        """The row of each sequence's last token, which predicts its next one."""
        return [end - 1 for end in self.query_starts[1:]]


def make_batch(chunks: Sequence[Chunk], *, block_size: int, device: torch.device) -> Batch:
    """Concatenates the chunks in order. One-token chunks at the start become the decodes."""
    starts = [0, *accumulate(len(chunk.token_ids) for chunk in chunks)]
    positions = np.concatenate([np.arange(chunk.num_cached, chunk.end) for chunk in chunks])
    tables = np.zeros((len(chunks), max(-(-chunk.end // block_size) for chunk in chunks)), np.int64)
    for table, chunk in zip(tables, chunks, strict=True):
        known = chunk.block_table[: len(table)]
        table[: len(known)] = known
    np.maximum(tables, 0, out=tables)  # freed blocks, which no token attends to
    owners = np.repeat(np.arange(len(chunks)), np.diff(starts))
    slots = tables[owners, positions // block_size] * block_size + positions % block_size
    features = [chunk.features for chunk in chunks if chunk.features is not None]
    feature_rows = [
        np.asarray(chunk.feature_rows, np.int64) + start
        for start, chunk in zip(starts[:-1], chunks, strict=True)
    ]

    prompts = [
        chunk.end if chunk.num_prompt is None else min(chunk.num_prompt, chunk.end)
        for chunk in chunks
    ]

    def tensor(values: np.ndarray | list[int]) -> Tensor:
        host = torch.from_numpy(np.asarray(values, np.int64))
        # a copy from pageable memory would wait for everything enqueued before
        return (host.pin_memory() if device.type == "cuda" else host).to(device, non_blocking=True)

    return Batch(
        input_ids=tensor(np.concatenate([np.asarray(chunk.token_ids) for chunk in chunks])),
        positions=tensor(positions),
        slots=tensor(slots),
        block_tables=tensor(tables),
        context_lens=tensor([chunk.end for chunk in chunks]),
        query_starts=tuple(starts),
        context_lens_host=tuple(chunk.end for chunk in chunks),
        num_decodes=_leading_ones(chunks),
        prompt_lens=tensor(prompts),
        prompt_lens_host=tuple(prompts),
        features=torch.cat(features) if features else None,
        feature_rows=tensor(np.concatenate(feature_rows)) if features else None,
    )


def _leading_ones(chunks: Sequence[Chunk]) -> int:
    for count, chunk in enumerate(chunks):
        if len(chunk.token_ids) != 1:
            return count
    return len(chunks)
