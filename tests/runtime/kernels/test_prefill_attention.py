"""Chunks of prompts over cache blocks in any order."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch

from dsocr.runtime.kernels.prefill_attention import (
    Chunks,
    make_tiles,
    prefill_attention,
    prefill_attention_fused,
    rotate_write,
    rotate_write_fused,
)
from tests.runtime.kernels.compilations import num_compiled
from tests.runtime.kernels.conftest import Draw, near

BLOCK_SIZE = 16
FP8 = torch.float8_e4m3fn


def chunks_of(
    draw: Draw, lengths: list[int], before: list[int], queries: int
) -> tuple[Chunks, torch.Tensor, torch.Tensor]:
    """Chunks of `lengths` tokens after `before` cached ones; their positions and their slots."""
    starts = [0, *itertools.accumulate(lengths)]
    totals = [old + new for old, new in zip(before, lengths, strict=True)]
    width = max(-(-length // BLOCK_SIZE) for length in totals)
    order = torch.randperm(width * len(lengths), generator=torch.Generator().manual_seed(3))
    tables = order.view(len(lengths), width)
    positions = torch.cat(
        [torch.arange(old, end) for old, end in zip(before, totals, strict=True)]
    ).to(draw.device)
    sequence = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    blocks = tables[sequence, positions.cpu() // BLOCK_SIZE].to(draw.device)
    chunks = Chunks(
        starts=torch.tensor(starts, dtype=torch.int32, device=draw.device),
        lengths=torch.tensor(totals, device=draw.device),
        block_tables=tables.to(draw.device),
        tiles=torch.tensor(make_tiles(starts, queries), dtype=torch.int32, device=draw.device),
    )
    return chunks, positions, blocks * BLOCK_SIZE + positions % BLOCK_SIZE


@pytest.mark.parametrize(
    ("heads", "cache_dtype"), [(3, torch.float32), (4, torch.float32), (3, FP8)]
)
@pytest.mark.parametrize(
    ("lengths", "before"), [([1], [0]), ([37], [0]), ([5, 1, 40, 16], [0, 70, 3, 32])]
)
def test_queries_attend_to_all_tokens_up_to_their_own(
    draw: Draw, heads: int, cache_dtype: torch.dtype, lengths: list[int], before: list[int]
) -> None:
    dim, queries = 16, 16
    chunks, positions, slots = chunks_of(draw, lengths, before, queries)
    cache = draw(2, chunks.block_tables.numel(), BLOCK_SIZE, heads, dim).to(cache_dtype)
    cosine, sine = draw(128, dim), draw(128, dim)
    qkv = draw(sum(lengths), 3 * heads * dim)
    inputs = (qkv, cosine, sine, positions, slots)
    written, expected = cache.clone(), cache.clone()

    q = rotate_write_fused(*inputs, written)

    near(q, rotate_write(*inputs, expected), 1e-6)
    near(written.float(), expected.float(), 1e-6)
    out = prefill_attention_fused(q, written, chunks, queries=queries, keys=32, stages=2)
    near(out, prefill_attention(q, expected, chunks), 1e-5)


def test_with_a_window_rows_attend_to_the_prompt_and_the_last_tokens(draw: Draw) -> None:
    """Chunks of a prompt, across its end and behind it, as after a preemption. What lies behind the
    window of every row may hold anything."""
    dim, queries, window = 16, 16, 16
    lengths, before, prompts = [20, 40, 5, 3], [0, 10, 70, 60], [40, 25, 20, 63]
    chunks, _, _ = chunks_of(draw, lengths, before, queries)
    chunks = replace(chunks, prompts=torch.tensor(prompts, device=draw.device))
    cache = draw(2, chunks.block_tables.numel(), BLOCK_SIZE, 3, dim)
    q = draw(sum(lengths), 3 * dim)
    expected = prefill_attention(q, cache, chunks, window=window)
    row = q[-8].view(3, dim)  # position 70 of the third, which sees 0 to 19 and 55 to 70
    tables = chunks.block_tables[2].cpu()
    seen = torch.tensor([*range(20), *range(55, 71)])
    keys, values = cache[:, tables[seen // BLOCK_SIZE], seen % BLOCK_SIZE]
    weights = torch.einsum("hd,thd->ht", row / 4, keys).softmax(-1)
    near(expected[-8].view(3, dim), torch.einsum("ht,thd->hd", weights, values), 1e-5)
    cache[:, tables[2]] = float("nan")  # tokens 32 to 47

    out = prefill_attention_fused(q, cache, chunks, queries=queries, keys=32, window=window)

    near(out, expected, 1e-5)
    near(prefill_attention(q, cache, chunks, window=window), expected, 1e-6)


def test_tiles_cover_every_row_once_and_the_longest_comes_first() -> None:
    starts = [0, 5, 5, 38]
    tiles = make_tiles(starts, 16)
    assert sorted(tiles) == [(0, 0), (2, 5), (2, 21), (2, 37)]
    assert tiles[0] == (2, 37)


@pytest.mark.gpu
@pytest.mark.parametrize("cache_dtype", [torch.bfloat16, FP8])
def test_released_sizes_are_accurate_in_bfloat16(draw: Draw, cache_dtype: torch.dtype) -> None:
    from dsocr.runtime.kernels.tuning import PREFILL_TUNINGS

    heads, dim, lengths, before = 10, 128, [913, 1, 300, 700], [0, 1200, 613, 5]
    for tuning in PREFILL_TUNINGS:
        chunks, positions, slots = chunks_of(draw, lengths, before, tuning.queries)
        cache = draw(2, chunks.block_tables.numel(), BLOCK_SIZE, heads, dim).to(cache_dtype)
        angles = torch.rand(2048, dim // 2, device=draw.device).repeat(1, 2)
        cosine, sine = angles.cos().bfloat16(), angles.sin().bfloat16()
        qkv = draw(sum(lengths), 3 * heads * dim).bfloat16()
        q = rotate_write_fused(qkv, cosine, sine, positions, slots, cache)
        out = prefill_attention_fused(
            *(q, cache, chunks),
            queries=tuning.queries,
            keys=tuning.keys,
            warps=tuning.warps,
            stages=tuning.stages,
        )
        near(out.float(), prefill_attention(q.float(), cache.float(), chunks), 0.01)


@pytest.mark.gpu
def test_later_prompts_cause_no_compilation(draw: Draw) -> None:
    """After the first prompts, others of any length, split and alignment run what was compiled."""
    heads, dim, queries = 4, 64, 16
    cache = draw(2, 600, BLOCK_SIZE, heads, dim).bfloat16()
    angles = draw(2048, dim).bfloat16()

    def prefill(lengths: list[int], before: list[int]) -> None:
        chunks, positions, slots = chunks_of(draw, lengths, before, queries)
        # copied to the device as one tensor, so that the tiles are not aligned
        packed = torch.cat([chunks.starts, chunks.tiles.flatten()])
        starts, tiles = packed.split([len(chunks.starts), chunks.tiles.numel()])
        chunks = replace(chunks, starts=starts, tiles=tiles.view(-1, 2))
        qkv = draw(sum(lengths), 3 * heads * dim).bfloat16()
        q = rotate_write_fused(qkv, angles, angles, positions, slots, cache)
        prefill_attention_fused(q, cache, chunks, queries=queries)

    prefill([40], [5])
    before = num_compiled(cache.device)
    for lengths, cached in (
        ([1], [0]),
        ([16], [0]),
        ([256], [0]),
        ([900, 7], [0, 1000]),
        ([3, 5, 64, 16], [0, 16, 240, 1]),
    ):
        prefill(lengths, cached)
    assert num_compiled(cache.device) == before
