"""Attention of prompts, or of pieces of them, over the paged cache that they are written to.

Tokens of many sequences lie end to end; a program takes some of one sequence's queries past all
that they see. The plain forms are those of `layers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.cache.kv_cache import to_cache_dtype
from dsocr.runtime.kernels.decode_attention import turned
from dsocr.runtime.kernels.fp8_cache import kept, to_meet
from dsocr.runtime.kernels.parts import softmax_on
from dsocr.runtime.kernels.triton_language import (
    fitting_block,
    fitting_stages,
    power_of_two,
    precision_of,
    tl,
    triton,
)
from dsocr.runtime.layers.attention import attend_causal
from dsocr.runtime.layers.rotary import rotate


@dataclass(frozen=True, slots=True)
class Chunks:
    """N sequences' tokens of a batch: whose they are, and what else of each is cached."""

    starts: Tensor
    """(N + 1,) int32: sequence n owns the rows starts[n] : starts[n + 1]."""
    lengths: Tensor
    """(N,) int64 tokens of each in the cache, these counted."""
    block_tables: Tensor
    """(N, most blocks) int64."""
    tiles: Tensor
    """(P, 2) int32: a sequence, and the first of the rows that one program takes."""


def tiles_of(starts: Sequence[int], queries: int) -> list[tuple[int, int]]:
    """`Chunks.tiles` for programs that take so many queries. The last rows of a sequence see the
    most and come first: what starts last should be over soon."""
    bounds = zip(starts[:-1], starts[1:], strict=True)
    tiles = [
        (number, row)
        for number, (begin, end) in enumerate(bounds)
        for row in range(begin, end, queries)
    ]
    return sorted(tiles, key=lambda tile: starts[tile[0]] - tile[1])


def rotate_write(
    qkv: Tensor, cosine: Tensor, sine: Tensor, positions: Tensor, slots: Tensor, blocks: Tensor
) -> Tensor:
    """q (T, heads * head_dim), rotated; k, rotated, and v are written to their slots (T,).

    qkv (T, 3 * heads * head_dim), cosine and sine (positions, head_dim), positions (T,), blocks
    (2, blocks, block_size, heads, head_dim) of one layer.
    """
    block_size, heads, dim = blocks.shape[2:]
    q, k, v = qkv.view(len(qkv), 3, heads, dim).unbind(1)
    turns = cosine[positions].unsqueeze(1), sine[positions].unsqueeze(1)
    for part, new in zip(blocks, (rotate(k, *turns), v), strict=True):
        part[slots // block_size, slots % block_size] = to_cache_dtype(new, blocks.dtype)
    return rotate(q, *turns).flatten(1)


def rotate_write_fused(
    qkv: Tensor, cosine: Tensor, sine: Tensor, positions: Tensor, slots: Tensor, blocks: Tensor
) -> Tensor:
    """The same in one kernel; rotated in float32 and rounded once."""
    block_size, heads, dim = blocks.shape[2:]
    q = qkv.new_empty(len(qkv), heads * dim)
    _rotate_write[(len(qkv),)](
        *(qkv, cosine, sine, positions, slots, blocks, q, *blocks.stride()[:4]),
        HEADS=heads,
        ALL=power_of_two(heads, least=1),
        DIM=dim,
        BLOCK_SIZE=block_size,
        num_warps=4,
    )
    return q


def prefill_attention(q: Tensor, blocks: Tensor, chunks: Chunks) -> Tensor:
    """softmax(q kᵀ / √head_dim) v, each query over all cached tokens up to its own.

    q (T, heads * head_dim) rotated, blocks (2, blocks, block_size, heads, head_dim) of one layer
    with the chunks' own tokens in it. Shape of q back.
    """
    block_size, heads, dim = blocks.shape[2:]
    out, starts = [], chunks.starts.tolist()
    for number, length in enumerate(chunks.lengths.tolist()):
        table = chunks.block_tables[number, : -(-length // block_size)]
        cached = blocks[:, table].flatten(1, 2)[:, :length].transpose(1, 2)
        keys, values = cached.to(q.dtype)
        mine = q[starts[number] : starts[number + 1]].view(-1, heads, dim).transpose(0, 1)
        out.append(attend_causal(mine[None], keys[None], values[None], kind="eager")[0])
    return torch.cat(out, dim=1).transpose(0, 1).flatten(1)


def prefill_attention_fused(
    q: Tensor,
    blocks: Tensor,
    chunks: Chunks,
    *,
    queries: int,
    keys: int = 64,
    warps: int = 4,
    stages: int = 3,
) -> Tensor:
    """The same in one kernel; softmax and sums in float32. `queries`: those of `chunks.tiles`."""
    block_size, heads, dim = blocks.shape[2:]
    assert blocks.stride(4) == 1 and chunks.block_tables.stride(1) == 1
    out = torch.empty_like(q)
    row = dim * q.element_size()

    def resident_bytes(keys: int) -> int:
        return queries * (row + keys * q.element_size())

    keys = fitting_block(keys, q.device, lambda keys: resident_bytes(keys) + 2 * keys * row)
    stages = fitting_stages(
        stages, q.device, stage_bytes=2 * keys * row, kept_bytes=resident_bytes(keys)
    )
    _attend[(len(chunks.tiles), heads)](
        *(q, blocks, chunks.tiles, chunks.starts, chunks.lengths, chunks.block_tables, out),
        *(dim**-0.5, chunks.block_tables.stride(0), *blocks.stride()[:4]),
        HEADS=heads,
        DIM=dim,
        BLOCK_SIZE=block_size,
        QUERIES=queries,
        KEYS=keys,
        STAGES=stages,
        PRECISION=precision_of(q.dtype),
        num_warps=warps,
    )
    return out


@triton.jit
def _rotate_write(
    QKV, COSINE, SINE, POSITIONS, SLOTS, CACHE, Q,
    value_stride: tl.int64, block_stride, token_stride, head_stride,
    HEADS: tl.constexpr, ALL: tl.constexpr, DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0)
    head, dim = tl.arange(0, ALL)[:, None], tl.arange(0, DIM)[None, :]
    real = head < HEADS
    position, slot = tl.load(POSITIONS + token), tl.load(SLOTS + token)
    cosine = tl.load(COSINE + position * DIM + dim).to(tl.float32)
    sine = tl.load(SINE + position * DIM + dim).to(tl.float32)
    mine = QKV + token * (3 * HEADS * DIM) + tl.minimum(head, HEADS - 1) * DIM
    q = turned(mine, dim, cosine, sine, DIM)
    k = turned(mine + HEADS * DIM, dim, cosine, sine, DIM)
    v = tl.load(mine + 2 * HEADS * DIM + dim)
    tl.store(Q + token * (HEADS * DIM) + head * DIM + dim, q, mask=real)
    place = slot // BLOCK_SIZE * block_stride + slot % BLOCK_SIZE * token_stride
    keys = CACHE + place + head * head_stride + dim
    tl.store(keys, kept(k, CACHE), mask=real)
    tl.store(keys + value_stride, kept(v, CACHE), mask=real)


@triton.jit(do_not_specialize=["TILES", "table_stride"])
def _attend(
    Q, CACHE, TILES, STARTS, LENGTHS, TABLES, OUT, scale,
    table_stride, value_stride: tl.int64, block_stride, token_stride, head_stride,
    HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr, QUERIES: tl.constexpr,
    KEYS: tl.constexpr, STAGES: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    LOG2E: tl.constexpr = 1.4426950408889634
    tile, head = tl.program_id(0), tl.program_id(1)
    sequence, first = tl.load(TILES + tile * 2), tl.load(TILES + tile * 2 + 1)
    end = tl.load(STARTS + sequence + 1)
    before = tl.load(LENGTHS + sequence).to(tl.int32) - end  # a row's position less its number
    table = TABLES + sequence * table_stride
    dim, row = tl.arange(0, DIM), first + tl.arange(0, QUERIES)
    mine = row[:, None] * (HEADS * DIM) + head * DIM + dim[None, :]
    q = to_meet(tl.load(Q + mine, mask=(row < end)[:, None], other=0.0), CACHE)
    keys = CACHE + head * head_stride
    values = keys + value_stride
    highest = tl.full((QUERIES,), -1e30, tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    mixed = tl.zeros((QUERIES, DIM), tl.float32)
    last = before + tl.minimum(first + QUERIES, end)
    for start in tl.range(0, last, KEYS, num_stages=STAGES):
        token = start + tl.arange(0, KEYS)
        known = token < last
        block = tl.load(table + token // BLOCK_SIZE, mask=known, other=0).to(tl.int64)
        place = block * block_stride + token % BLOCK_SIZE * token_stride
        k = tl.load(keys + place[None, :] + dim[:, None], mask=known[None, :], other=0.0)
        v = tl.load(values + place[:, None] + dim[None, :], mask=known[:, None], other=0.0)
        k, v = k.to(q.dtype), v.to(q.dtype)
        scores = tl.dot(q, k, input_precision=PRECISION) * (scale * LOG2E)
        seen = token[None, :] <= (before + row)[:, None]
        scores = tl.where(seen & known[None, :], scores, -1e30)
        weights, faded, highest, total = softmax_on(scores, highest, total)
        mixed = mixed * faded[:, None]
        mixed = tl.dot(weights.to(v.dtype), v, mixed, input_precision=PRECISION)
    out = (mixed / total[:, None]).to(OUT.dtype.element_ty)
    tl.store(OUT + mine, out, mask=(row < end)[:, None])
