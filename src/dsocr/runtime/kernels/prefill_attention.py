"""Prefill attention: chunks of prompts over the paged KV cache, after they are written to it.

Tokens of several sequences are concatenated; a program computes a tile of one sequence's queries
over all keys that they attend to. The plain functions use those of `layers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.cache.kv_cache import to_cache_dtype
from dsocr.runtime.kernels.decode_attention import rotated
from dsocr.runtime.kernels.fp8_cache import to_cache, to_dot_dtype
from dsocr.runtime.kernels.primitives import online_softmax
from dsocr.runtime.kernels.triton_compat import (
    dot_precision,
    fit_block,
    fit_stages,
    next_power_of_2,
    tl,
    triton,
)
from dsocr.runtime.layers.attention import attend_causal, attend_windowed
from dsocr.runtime.layers.rotary import rotate


@dataclass(frozen=True, slots=True)
class Chunks:
    """The batch's tokens by sequence, N of them, and what of each sequence is cached."""

    starts: Tensor
    """(N + 1,) int32: sequence n has the rows starts[n] : starts[n + 1]."""
    lengths: Tensor
    """(N,) int64 tokens of each in the cache, the batch's own included."""
    block_tables: Tensor
    """(N, most blocks) int64."""
    tiles: Tensor
    """(P, 2) int32: each program's sequence and first row."""
    prompts: Tensor | None = None
    """(N,) int64 tokens of each prompt, which a window never hides; not needed without one."""


def make_tiles(starts: Sequence[int], queries: int) -> list[tuple[int, int]]:
    """`Chunks.tiles` for programs of `queries` rows. The last rows of a sequence attend to the most
    keys and come first, so that the programs started last are short."""
    bounds = zip(starts[:-1], starts[1:], strict=True)
    tiles = [
        (sequence, row)
        for sequence, (begin, end) in enumerate(bounds)
        for row in range(begin, end, queries)
    ]
    return sorted(tiles, key=lambda tile: starts[tile[0]] - tile[1])


def rotate_write(
    qkv: Tensor, cosine: Tensor, sine: Tensor, positions: Tensor, slots: Tensor, blocks: Tensor
) -> Tensor:
    """q (T, heads * head_dim), rotated; rotated k, and v, are written to their slots (T,).

    qkv (T, 3 * heads * head_dim), cosine and sine (positions, head_dim), positions (T,), blocks
    (2, blocks, block_size, heads, head_dim) of one layer. Slots below 0 are padding.
    """
    block_size, heads, dim = blocks.shape[2:]
    q, k, v = qkv.view(len(qkv), 3, heads, dim).unbind(1)
    angles = cosine[positions].unsqueeze(1), sine[positions].unsqueeze(1)
    cached = slots >= 0
    places = slots[cached] // block_size, slots[cached] % block_size
    for part, new in zip(blocks, (rotate(k, *angles), v), strict=True):
        part[places] = to_cache_dtype(new[cached], blocks.dtype)
    return rotate(q, *angles).flatten(1)


def rotate_write_fused(
    qkv: Tensor, cosine: Tensor, sine: Tensor, positions: Tensor, slots: Tensor, blocks: Tensor
) -> Tensor:
    """`rotate_write` in one kernel; rotates in float32 and rounds once."""
    block_size, heads, dim = blocks.shape[2:]
    q = qkv.new_empty(len(qkv), heads * dim)
    _rotate_write[(len(qkv),)](
        *(qkv, cosine, sine, positions, slots, blocks, q, *blocks.stride()[:4]),
        HEADS=heads,
        HEAD_BLOCK=next_power_of_2(heads, minimum=1),
        DIM=dim,
        BLOCK_SIZE=block_size,
        num_warps=4,
    )
    return q


def prefill_attention(
    q: Tensor, blocks: Tensor, chunks: Chunks, *, window: int | None = None
) -> Tensor:
    """softmax(q kᵀ / √head_dim) v, each query over all cached tokens up to its own; with a window
    over those of the prompt and the last `window`, its own included.

    q (T, heads * head_dim) rotated, blocks (2, blocks, block_size, heads, head_dim) of one layer
    that has the chunks' own tokens already. Returns the shape of q.
    """
    block_size, heads, dim = blocks.shape[2:]
    out, starts = [], chunks.starts.tolist()
    for sequence, length in enumerate(chunks.lengths.tolist()):
        table = chunks.block_tables[sequence, : -(-length // block_size)]
        cached = blocks[:, table].flatten(1, 2)[:, :length].transpose(1, 2)
        keys, values = cached.to(q.dtype)
        own = q[starts[sequence] : starts[sequence + 1]].view(-1, heads, dim).transpose(0, 1)
        qkv = own[None], keys[None], values[None]
        if window is None or chunks.prompts is None:
            out.append(attend_causal(*qkv, kind="eager")[0])
        else:
            prompt = int(chunks.prompts[sequence])
            out.append(attend_windowed(*qkv, kind="eager", prompt=prompt, window=window)[0])
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
    window: int | None = None,
) -> Tensor:
    """`prefill_attention` in one kernel; softmax and sums are float32. `queries` must be the number
    that `chunks.tiles` were made for."""
    block_size, heads, dim = blocks.shape[2:]
    assert blocks.stride(4) == 1 and chunks.block_tables.stride(1) == 1
    out = torch.empty_like(q)
    row = dim * q.element_size()

    def resident_bytes(keys: int) -> int:
        return queries * (row + keys * q.element_size())

    keys = fit_block(keys, q.device, lambda keys: resident_bytes(keys) + 2 * keys * row)
    stages = fit_stages(
        stages, q.device, stage_bytes=2 * keys * row, resident_bytes=resident_bytes(keys)
    )
    prompts = chunks.lengths if chunks.prompts is None else chunks.prompts
    _attend[(len(chunks.tiles), heads)](
        *(q, blocks, chunks.tiles, chunks.starts, chunks.lengths, prompts, chunks.block_tables),
        *(out, dim**-0.5, chunks.block_tables.stride(0), *blocks.stride()[:4]),
        HEADS=heads,
        DIM=dim,
        BLOCK_SIZE=block_size,
        QUERIES=queries,
        KEYS=keys,
        WINDOW=window or 0,
        STAGES=stages,
        PRECISION=dot_precision(q.dtype),
        num_warps=warps,
    )
    return out


@triton.jit
def _rotate_write(
    QKV, COSINE, SINE, POSITIONS, SLOTS, CACHE, Q,
    value_stride: tl.int64, block_stride, token_stride, head_stride,
    HEADS: tl.constexpr, HEAD_BLOCK: tl.constexpr, DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0)
    head, dim = tl.arange(0, HEAD_BLOCK)[:, None], tl.arange(0, DIM)[None, :]
    mask = head < HEADS
    position, slot = tl.load(POSITIONS + token), tl.load(SLOTS + token)
    is_cached = mask & (slot >= 0)
    cosine = tl.load(COSINE + position * DIM + dim).to(tl.float32)
    sine = tl.load(SINE + position * DIM + dim).to(tl.float32)
    qkv = QKV + token * (3 * HEADS * DIM) + tl.minimum(head, HEADS - 1) * DIM
    q = rotated(qkv, dim, cosine, sine, DIM)
    k = rotated(qkv + HEADS * DIM, dim, cosine, sine, DIM)
    v = tl.load(qkv + 2 * HEADS * DIM + dim)
    tl.store(Q + token * (HEADS * DIM) + head * DIM + dim, q, mask=mask)
    offset = slot // BLOCK_SIZE * block_stride + slot % BLOCK_SIZE * token_stride
    keys = CACHE + offset + head * head_stride + dim
    tl.store(keys, to_cache(k, CACHE), mask=is_cached)
    tl.store(keys + value_stride, to_cache(v, CACHE), mask=is_cached)


@triton.jit(do_not_specialize=["TILES", "table_stride"])
def _attend(
    Q, CACHE, TILES, STARTS, LENGTHS, PROMPTS, TABLES, OUT, scale,
    table_stride, value_stride: tl.int64, block_stride, token_stride, head_stride,
    HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr, QUERIES: tl.constexpr,
    KEYS: tl.constexpr, WINDOW: tl.constexpr, STAGES: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    LOG2E: tl.constexpr = 1.4426950408889634
    tile, head = tl.program_id(0), tl.program_id(1)
    sequence, first = tl.load(TILES + tile * 2), tl.load(TILES + tile * 2 + 1)
    end = tl.load(STARTS + sequence + 1)
    # a row's position in its sequence less its index in the batch
    shift = tl.load(LENGTHS + sequence).to(tl.int32) - end
    table = TABLES + sequence * table_stride
    dim, row = tl.arange(0, DIM), first + tl.arange(0, QUERIES)
    q_offset = row[:, None] * (HEADS * DIM) + head * DIM + dim[None, :]
    q = to_dot_dtype(tl.load(Q + q_offset, mask=(row < end)[:, None], other=0.0), CACHE)
    keys = CACHE + head * head_stride
    values = keys + value_stride
    running_max = tl.full((QUERIES,), -1e30, tl.float32)
    running_sum = tl.zeros((QUERIES,), tl.float32)
    acc = tl.zeros((QUERIES, DIM), tl.float32)
    key_end = shift + tl.minimum(first + QUERIES, end)
    prompt, gap = key_end, 0
    if WINDOW > 0:  # `gap` tokens after the prompt are behind the window of every row
        prompt = tl.load(PROMPTS + sequence).to(tl.int32)
        gap = tl.maximum(shift + first + 1 - WINDOW - prompt, 0)
        key_end -= gap
    for start in tl.range(0, key_end, KEYS, num_stages=STAGES):
        token = start + tl.arange(0, KEYS)
        mask = token < key_end
        if WINDOW > 0:
            token += tl.where(token >= prompt, gap, 0)
        block = tl.load(table + token // BLOCK_SIZE, mask=mask, other=0).to(tl.int64)
        offset = block * block_stride + token % BLOCK_SIZE * token_stride
        k = tl.load(keys + offset[None, :] + dim[:, None], mask=mask[None, :], other=0.0)
        v = tl.load(values + offset[:, None] + dim[None, :], mask=mask[:, None], other=0.0)
        k, v = k.to(q.dtype), v.to(q.dtype)
        scores = tl.dot(q, k, input_precision=PRECISION) * (scale * LOG2E)
        causal = token[None, :] <= (shift + row)[:, None]
        if WINDOW > 0:
            recent = token[None, :] > (shift + row - WINDOW)[:, None]
            causal = causal & (recent | (token < prompt)[None, :])
        scores = tl.where(causal & mask[None, :], scores, -1e30)
        weights, rescale, running_max, running_sum = online_softmax(
            scores, running_max, running_sum
        )
        acc = acc * rescale[:, None]
        acc = tl.dot(weights.to(v.dtype), v, acc, input_precision=PRECISION)
    out = (acc / running_sum[:, None]).to(OUT.dtype.element_ty)
    tl.store(OUT + q_offset, out, mask=(row < end)[:, None])
