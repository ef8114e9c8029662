"""Attention of one new token a sequence over the paged cache, its rotation and its place in it.

The cached tokens of a head are split among programs; the last one to finish merges the parts. The
new token's key and value are taken from registers by the first split, which also writes them; they
are rounded as the cache holds them, so that a token says the same in every step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.cache.kv_cache import to_cache_dtype
from dsocr.runtime.kernels.fp8_cache import kept, to_meet, walk_pairs
from dsocr.runtime.kernels.parts import launched, softmax_on
from dsocr.runtime.kernels.triton_language import (
    fitting_block,
    fitting_stages,
    power_of_two,
    precision_of,
    tl,
    triton,
)
from dsocr.runtime.layers.rotary import rotate

COPIES = 16
"""The tensor cores' least number of rows: a query is repeated so often."""


@dataclass(frozen=True, slots=True)
class Split:
    """How the cached tokens are cut: parts, tokens taken at once, warps, stages."""

    parts: int
    keys: int
    warps: int
    stages: int


@dataclass(frozen=True, slots=True)
class Sequences:
    """The device's tables of all sequences, and which of them these rows are."""

    rows: Tensor
    """(B,) int32: each row's sequence; below 0 nobody's."""
    lengths: Tensor
    """(sequences,) int32, any stride: known tokens. All but the newest are in the cache."""
    block_tables: Tensor
    """(sequences, most blocks) int32."""


def decode_attention(
    qkv: Tensor, cosine: Tensor, sine: Tensor, blocks: Tensor, sequences: Sequences
) -> Tensor:
    """Softmax(q kᵀ / √head_dim) v of each row's newest token, (B, heads * head_dim).

    qkv (B, 3 * heads * head_dim) unrotated, cosine and sine (positions, head_dim), blocks (2,
    blocks, block_size, heads, head_dim) of one layer, any strides; the new k and v are written to
    it. Nobody's rows come back with their own v and write nothing.
    """
    block_size, heads, dim = blocks.shape[2:]
    out = []
    for row, sequence in enumerate(sequences.rows.tolist()):
        q, k, v = qkv[row].view(3, heads, dim)
        v = to_cache_dtype(v, blocks.dtype)
        if sequence < 0:
            out.append(v.to(qkv.dtype))
            continue
        newest = int(sequences.lengths[sequence]) - 1
        q, k = rotate(torch.stack((q, k)), cosine[newest], sine[newest])
        place = torch.arange(newest + 1, device=qkv.device)
        block = sequences.block_tables[sequence, place // block_size].long()
        blocks[0, block[-1], newest % block_size] = to_cache_dtype(k, blocks.dtype)
        blocks[1, block[-1], newest % block_size] = v
        keys, values = blocks[:, block, place % block_size].float()  # (tokens, heads, dim) each
        scores = torch.einsum("hd,thd->ht", q.float() * dim**-0.5, keys)
        out.append(torch.einsum("ht,thd->hd", scores.softmax(-1), values).to(qkv.dtype))
    return torch.stack(out).flatten(1)


def decode_attention_fused(
    qkv: Tensor,
    cosine: Tensor,
    sine: Tensor,
    blocks: Tensor,
    sequences: Sequences,
    *,
    split: Split,
    arrived: Tensor,
    ahead: bool = False,
) -> Tensor:
    """The same in one kernel. `arrived` (B * heads,) int32 zeros come back as zeros.

    Needs a head_dim that is a power of two from 16 on.
    """
    count, heads, dim = len(qkv), blocks.shape[3], blocks.shape[4]
    assert blocks.stride(4) == 1 and sequences.block_tables.stride(1) == 1
    out = qkv.new_empty(count, heads * dim)
    parts = qkv.new_empty(count * heads, split.parts, dim, dtype=torch.float32)
    sums = qkv.new_empty(count * heads, 2, split.parts, dtype=torch.float32)
    row = dim * qkv.element_size()  # also of an fp8 cache: the queries' type is what is multiplied
    keys = fitting_block(split.keys, qkv.device, lambda keys: (COPIES + 2 * keys) * row)
    stages = fitting_stages(
        split.stages, qkv.device, stage_bytes=2 * keys * row, kept_bytes=COPIES * row
    )
    _attend[(heads, count, split.parts)](
        *(qkv, cosine, sine, blocks, sequences.rows, sequences.lengths, sequences.block_tables),
        *(parts, sums, arrived, out, dim**-0.5),
        *(sequences.lengths.stride(0), sequences.block_tables.stride(0), *blocks.stride()[:4]),
        HEADS=heads,
        DIM=dim,
        BLOCK_SIZE=blocks.shape[2],
        KEYS=keys,
        PARTS=split.parts,
        PLACES=power_of_two(split.parts, least=1),
        COPIES=COPIES,
        STAGES=stages,
        PRECISION=precision_of(qkv.dtype),
        AHEAD=ahead,
        num_warps=split.warps,
        **launched(ahead),
    )
    return out


@triton.jit
def turned(X, dim, cosine, sine, DIM: tl.constexpr):
    """One head, rotated in float32 and rounded."""
    HALF: tl.constexpr = DIM // 2
    x = tl.load(X + dim).to(tl.float32)
    partner = tl.load(X + (dim + HALF) % DIM).to(tl.float32)
    turned = x * cosine + tl.where(dim < HALF, -partner, partner) * sine
    return turned.to(X.dtype.element_ty)


@triton.jit
def _attend(
    QKV, COSINE, SINE, CACHE, ROWS, LENGTHS, TABLES, PARTIAL, SUMS, ARRIVED, OUT, scale,
    length_stride, table_stride, value_stride, block_stride, token_stride, head_stride,
    HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr, KEYS: tl.constexpr,
    PARTS: tl.constexpr, PLACES: tl.constexpr, COPIES: tl.constexpr, STAGES: tl.constexpr,
    PRECISION: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    LOG2E: tl.constexpr = 1.4426950408889634
    if AHEAD:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()
    head, row, part = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    sequence = tl.load(ROWS + row)
    newest = tl.where(
        sequence < 0, 0, tl.load(LENGTHS + tl.maximum(sequence, 0) * length_stride) - 1
    )
    table = TABLES + tl.maximum(sequence, 0).to(tl.int64) * table_stride
    share = tl.cdiv(tl.cdiv(newest, PARTS), KEYS) * KEYS
    begin = part * share
    end = tl.minimum(begin + share, newest)

    dim, copy = tl.arange(0, DIM), tl.arange(0, COPIES)
    cosine = tl.load(COSINE + newest * DIM + dim).to(tl.float32)
    sine = tl.load(SINE + newest * DIM + dim).to(tl.float32)
    mine = QKV + (row * 3 * HEADS + head) * DIM
    q = turned(mine, dim, cosine, sine, DIM)
    k_new = kept(turned(mine + HEADS * DIM, dim, cosine, sine, DIM), CACHE)
    v_new = kept(tl.load(mine + 2 * HEADS * DIM + dim), CACHE)
    queries = tl.broadcast_to(to_meet(q, CACHE)[None, :], (COPIES, DIM))
    is_first = part == 0
    score = tl.sum(q.to(tl.float32) * k_new.to(tl.float32), 0) * (scale * LOG2E)
    highest = tl.full((COPIES,), 0.0, tl.float32) + tl.where(is_first, score, -1e30)
    total = tl.full((COPIES,), 0.0, tl.float32) + tl.where(is_first, 1.0, 0.0)
    mixed = tl.where(is_first, v_new.to(tl.float32), 0.0)[None, :] + tl.zeros(
        (COPIES, DIM), tl.float32
    )
    keys = CACHE + head * head_stride
    values = keys + value_stride
    if is_first & (sequence >= 0):
        block = tl.load(table + newest // BLOCK_SIZE).to(tl.int64)
        place = block * block_stride + newest % BLOCK_SIZE * token_stride + dim
        tl.store(keys + place, k_new)
        tl.store(values + place, v_new)

    if (tl.float8e4nv == CACHE.dtype.element_ty) & (queries.dtype == tl.float16):
        highest, total, mixed = walk_pairs(
            queries, highest, total, mixed, keys, values, table, begin, end, scale * LOG2E,
            block_stride, token_stride, COPIES, DIM, BLOCK_SIZE, KEYS, STAGES,
        )  # fmt: skip
    else:
        for first in tl.range(begin, end, KEYS, num_stages=STAGES):
            token = first + tl.arange(0, KEYS)
            seen = token < end
            block = tl.load(table + token // BLOCK_SIZE, mask=seen, other=0).to(tl.int64)
            place = block * block_stride + token % BLOCK_SIZE * token_stride
            k = tl.load(keys + place[None, :] + dim[:, None], mask=seen[None, :], other=0.0)
            v = tl.load(values + place[:, None] + dim[None, :], mask=seen[:, None], other=0.0)
            k, v = k.to(queries.dtype), v.to(queries.dtype)
            scores = tl.dot(queries, k, input_precision=PRECISION) * (scale * LOG2E)
            scores = tl.where(seen[None, :], scores, -1e30)
            weights, faded, highest, total = softmax_on(scores, highest, total)
            mixed = mixed * faded[:, None]
            mixed = tl.dot(weights.to(v.dtype), v, mixed, input_precision=PRECISION)

    only = copy == 0
    at = row * HEADS + head
    if PARTS == 1:
        out = (mixed / total[:, None]).to(OUT.dtype.element_ty)
        tl.store(OUT + at * DIM + dim[None, :] + 0 * copy[:, None], out, mask=only[:, None])
    else:
        tl.store(
            PARTIAL + (at * PARTS + part) * DIM + dim[None, :] + 0 * copy[:, None],
            mixed, mask=only[:, None],
        )  # fmt: skip
        tl.store(SUMS + at * 2 * PARTS + part + 0 * copy, highest, mask=only)
        tl.store(SUMS + (at * 2 + 1) * PARTS + part + 0 * copy, total, mask=only)
        tl.debug_barrier()  # all threads have written before the program says that it has
        if tl.atomic_add(ARRIVED + at, 1, sem="acq_rel") == PARTS - 1:
            tl.store(ARRIVED + at, 0)
            _merge(PARTIAL, SUMS, OUT, at, DIM, PARTS, PLACES)


@triton.jit
def _merge(PARTIAL, SUMS, OUT, at, DIM: tl.constexpr, PARTS: tl.constexpr, PLACES: tl.constexpr):
    part, dim = tl.arange(0, PLACES), tl.arange(0, DIM)
    known = part < PARTS
    # past the first cache, where an older run's numbers may lie
    highest = tl.load(
        SUMS + at * 2 * PARTS + part, mask=known, other=-1e30, cache_modifier=".cg"
    )  # fmt: skip
    total = tl.load(
        SUMS + (at * 2 + 1) * PARTS + part, mask=known, other=0.0, cache_modifier=".cg"
    )  # fmt: skip
    mixed = tl.load(
        PARTIAL + (at * PARTS + part)[:, None] * DIM + dim[None, :],
        mask=known[:, None], other=0.0, cache_modifier=".cg",
    )  # fmt: skip
    weight = tl.exp2(highest - tl.max(highest, 0))
    out = tl.sum(mixed * weight[:, None], 0) / tl.sum(total * weight, 0)
    tl.store(OUT + at * DIM + dim, out.to(OUT.dtype.element_ty))
