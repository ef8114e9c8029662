"""Decode attention over the paged KV cache: one new token per sequence, rotated and cached here.

The cached tokens of a head are split among programs; the last program to finish merges the partial
results. The first split takes the new token's key and value from registers and writes them to the
cache. They are rounded to the cache's dtype first, so that a token has the same key and value in
every step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.cache.kv_cache import to_cache_dtype
from dsocr.runtime.kernels.fp8_cache import attend_pairs, to_cache, to_dot_dtype
from dsocr.runtime.kernels.primitives import launch_options, online_softmax
from dsocr.runtime.kernels.triton_compat import (
    dot_precision,
    fit_block,
    fit_stages,
    next_power_of_2,
    tl,
    triton,
)
from dsocr.runtime.layers.rotary import rotate

COPIES = 16
"""A query is repeated to fill the fewest rows that `tl.dot` takes."""


@dataclass(frozen=True, slots=True)
class Split:
    """How the cached tokens are split: number of splits, tokens per iteration, warps, stages."""

    num_splits: int
    keys: int
    warps: int
    stages: int


@dataclass(frozen=True, slots=True)
class DecodeSequences:
    """The device's tables of all sequences, and the sequences of the batch's rows."""

    rows: Tensor
    """(B,) int32: each row's sequence; below 0 for padding."""
    lengths: Tensor
    """(sequences,) int32, any stride: known tokens. All but the newest are in the cache."""
    block_tables: Tensor
    """(sequences, most blocks) int32; blocks behind the window are not read."""
    prompts: Tensor | None = None
    """(sequences,) int32, the stride of `lengths`: tokens of the prompt, which a window never
    hides; not needed without one."""


def decode_attention(
    qkv: Tensor,
    cosine: Tensor,
    sine: Tensor,
    blocks: Tensor,
    sequences: DecodeSequences,
    *,
    window: int | None = None,
) -> Tensor:
    """Softmax(q kᵀ / √head_dim) v of each row's newest token, (B, heads * head_dim).

    qkv (B, 3 * heads * head_dim) unrotated, cosine and sine (positions, head_dim), blocks (2,
    blocks, block_size, heads, head_dim) of one layer, any strides; the new k and v are written to
    it. Padding returns its own v and writes nothing. With a window a token attends to the prompt
    and to the last `window` tokens, itself included.
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
        token = torch.arange(newest + 1, device=qkv.device)
        if window is not None and sequences.prompts is not None:
            token = token[(token > newest - window) | (token < sequences.prompts[sequence])]
        block = sequences.block_tables[sequence, token // block_size].long()
        blocks[0, block[-1], newest % block_size] = to_cache_dtype(k, blocks.dtype)
        blocks[1, block[-1], newest % block_size] = v
        keys, values = blocks[:, block, token % block_size].float()  # (tokens, heads, dim) each
        scores = torch.einsum("hd,thd->ht", q.float() * dim**-0.5, keys)
        out.append(torch.einsum("ht,thd->hd", scores.softmax(-1), values).to(qkv.dtype))
    return torch.stack(out).flatten(1)


def decode_attention_fused(
    qkv: Tensor,
    cosine: Tensor,
    sine: Tensor,
    blocks: Tensor,
    sequences: DecodeSequences,
    *,
    split: Split,
    split_counters: Tensor,
    pdl: bool = False,
    window: int | None = None,
) -> Tensor:
    """`decode_attention` in one kernel. `split_counters` (B * heads,) int32 must be zeros, and are
    zeros again afterwards; `pdl` as in `norm_gemv_fused`.

    head_dim must be a power of two, at least 16.
    """
    count, heads, dim = len(qkv), blocks.shape[3], blocks.shape[4]
    assert blocks.stride(4) == 1 and sequences.block_tables.stride(1) == 1
    prompts = sequences.lengths if sequences.prompts is None else sequences.prompts
    assert prompts.stride() == sequences.lengths.stride()
    out = qkv.new_empty(count, heads * dim)
    partial = qkv.new_empty(count * heads, split.num_splits, dim, dtype=torch.float32)
    sums = qkv.new_empty(count * heads, 2, split.num_splits, dtype=torch.float32)
    row = dim * qkv.element_size()  # an fp8 cache too is converted to the queries' size
    keys = fit_block(split.keys, qkv.device, lambda keys: (COPIES + 2 * keys) * row)
    stages = fit_stages(
        split.stages, qkv.device, stage_bytes=2 * keys * row, resident_bytes=COPIES * row
    )
    _attend[(heads, count, split.num_splits)](
        *(qkv, cosine, sine, blocks, sequences.rows, sequences.lengths, prompts),
        *(sequences.block_tables, partial, sums, split_counters, out, dim**-0.5),
        *(sequences.lengths.stride(0), sequences.block_tables.stride(0), *blocks.stride()[:4]),
        HEADS=heads,
        DIM=dim,
        BLOCK_SIZE=blocks.shape[2],
        KEYS=keys,
        NUM_SPLITS=split.num_splits,
        SPLIT_BLOCK=next_power_of_2(split.num_splits, minimum=1),
        COPIES=COPIES,
        WINDOW=window or 0,
        STAGES=stages,
        PRECISION=dot_precision(qkv.dtype),
        PDL=pdl,
        num_warps=split.warps,
        **launch_options(pdl),
    )
    return out


@triton.jit
def rotated(X, dim, cosine, sine, DIM: tl.constexpr):
    """One head, rotated in float32 and rounded."""
    HALF: tl.constexpr = DIM // 2
    x = tl.load(X + dim).to(tl.float32)
    partner = tl.load(X + (dim + HALF) % DIM).to(tl.float32)
    rotated = x * cosine + tl.where(dim < HALF, -partner, partner) * sine
    return rotated.to(X.dtype.element_ty)


@triton.jit
def _attend(
    QKV, COSINE, SINE, CACHE, ROWS, LENGTHS, PROMPTS, TABLES, PARTIAL, SUMS, COUNTERS, OUT, scale,
    length_stride, table_stride, value_stride, block_stride, token_stride, head_stride,
    HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr, KEYS: tl.constexpr,
    NUM_SPLITS: tl.constexpr, SPLIT_BLOCK: tl.constexpr, COPIES: tl.constexpr,
    WINDOW: tl.constexpr, STAGES: tl.constexpr, PRECISION: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    LOG2E: tl.constexpr = 1.4426950408889634
    if PDL:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()
    head, row, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    sequence = tl.load(ROWS + row)
    newest = tl.where(
        sequence < 0, 0, tl.load(LENGTHS + tl.maximum(sequence, 0) * length_stride) - 1
    )
    table = TABLES + tl.maximum(sequence, 0).to(tl.int64) * table_stride
    # the cached tokens in order, without the whole tiles that a window hides (`gap` tokens)
    prompt, visible, prompt_end, gap, num_keys = newest, 0, 0, 0, newest
    if WINDOW > 0:
        prompt = tl.load(PROMPTS + tl.maximum(sequence, 0) * length_stride)
        visible = tl.maximum(newest + 1 - WINDOW, prompt)  # the first token of the window
        prompt_end = tl.cdiv(prompt, KEYS) * KEYS
        gap = tl.maximum(visible // KEYS * KEYS - prompt_end, 0)
        num_keys = newest - gap
    split_size = tl.cdiv(tl.cdiv(num_keys, NUM_SPLITS), KEYS) * KEYS
    begin = split * split_size
    end = tl.minimum(begin + split_size, num_keys)

    dim, copy = tl.arange(0, DIM), tl.arange(0, COPIES)
    cosine = tl.load(COSINE + newest * DIM + dim).to(tl.float32)
    sine = tl.load(SINE + newest * DIM + dim).to(tl.float32)
    qkv = QKV + (row * 3 * HEADS + head) * DIM
    q = rotated(qkv, dim, cosine, sine, DIM)
    k_new = to_cache(rotated(qkv + HEADS * DIM, dim, cosine, sine, DIM), CACHE)
    v_new = to_cache(tl.load(qkv + 2 * HEADS * DIM + dim), CACHE)
    queries = tl.broadcast_to(to_dot_dtype(q, CACHE)[None, :], (COPIES, DIM))
    is_first = split == 0
    score = tl.sum(q.to(tl.float32) * k_new.to(tl.float32), 0) * (scale * LOG2E)
    running_max = tl.full((COPIES,), 0.0, tl.float32) + tl.where(is_first, score, -1e30)
    running_sum = tl.full((COPIES,), 0.0, tl.float32) + tl.where(is_first, 1.0, 0.0)
    acc = tl.where(is_first, v_new.to(tl.float32), 0.0)[None, :] + tl.zeros(
        (COPIES, DIM), tl.float32
    )
    keys = CACHE + head * head_stride
    values = keys + value_stride
    if is_first & (sequence >= 0):
        block = tl.load(table + newest // BLOCK_SIZE).to(tl.int64)
        offset = block * block_stride + newest % BLOCK_SIZE * token_stride + dim
        tl.store(keys + offset, k_new)
        tl.store(values + offset, v_new)

    if (tl.float8e4nv == CACHE.dtype.element_ty) & (queries.dtype == tl.float16):
        running_max, running_sum, acc = attend_pairs(
            queries, running_max, running_sum, acc, keys, values, table, begin, end, scale * LOG2E,
            prompt, visible, prompt_end, gap, block_stride, token_stride,
            COPIES, DIM, BLOCK_SIZE, KEYS, WINDOW, STAGES,
        )  # fmt: skip
    else:
        for first in tl.range(begin, end, KEYS, num_stages=STAGES):
            token = first + tl.arange(0, KEYS)
            mask = token < end
            if WINDOW > 0:
                token += tl.where(first >= prompt_end, gap, 0)  # by tiles: aligned as without it
                mask &= (token < prompt) | (token >= visible)
            block = tl.load(table + token // BLOCK_SIZE, mask=mask, other=0).to(tl.int64)
            offset = block * block_stride + token % BLOCK_SIZE * token_stride
            k = tl.load(keys + offset[None, :] + dim[:, None], mask=mask[None, :], other=0.0)
            v = tl.load(values + offset[:, None] + dim[None, :], mask=mask[:, None], other=0.0)
            k, v = k.to(queries.dtype), v.to(queries.dtype)
            scores = tl.dot(queries, k, input_precision=PRECISION) * (scale * LOG2E)
            scores = tl.where(mask[None, :], scores, -1e30)
            weights, rescale, running_max, running_sum = online_softmax(
                scores, running_max, running_sum
            )
            acc = acc * rescale[:, None]
            acc = tl.dot(weights.to(v.dtype), v, acc, input_precision=PRECISION)

    one_copy = copy == 0
    index = row * HEADS + head
    if NUM_SPLITS == 1:
        out = (acc / running_sum[:, None]).to(OUT.dtype.element_ty)
        tl.store(OUT + index * DIM + dim[None, :] + 0 * copy[:, None], out, mask=one_copy[:, None])
    else:
        tl.store(
            PARTIAL + (index * NUM_SPLITS + split) * DIM + dim[None, :] + 0 * copy[:, None],
            acc, mask=one_copy[:, None],
        )  # fmt: skip
        tl.store(SUMS + index * 2 * NUM_SPLITS + split + 0 * copy, running_max, mask=one_copy)
        tl.store(SUMS + (index * 2 + 1) * NUM_SPLITS + split + 0 * copy, running_sum, mask=one_copy)
        tl.debug_barrier()  # all threads have stored before the counter is increased
        if tl.atomic_add(COUNTERS + index, 1, sem="acq_rel") == NUM_SPLITS - 1:
            tl.store(COUNTERS + index, 0)
            merge_splits(PARTIAL, SUMS, OUT, index, DIM, NUM_SPLITS, SPLIT_BLOCK)


@triton.jit
def merge_splits(
    PARTIAL, SUMS, OUT, index, DIM: tl.constexpr, NUM_SPLITS: tl.constexpr,
    SPLIT_BLOCK: tl.constexpr,
):  # fmt: skip
    """The output of one query and head from its partial results."""
    split, dim = tl.arange(0, SPLIT_BLOCK), tl.arange(0, DIM)
    mask = split < NUM_SPLITS
    # .cg bypasses L1, which may hold values of an earlier launch
    split_max = tl.load(
        SUMS + index * 2 * NUM_SPLITS + split, mask=mask, other=-1e30, cache_modifier=".cg"
    )  # fmt: skip
    split_sum = tl.load(
        SUMS + (index * 2 + 1) * NUM_SPLITS + split, mask=mask, other=0.0, cache_modifier=".cg"
    )  # fmt: skip
    acc = tl.load(
        PARTIAL + (index * NUM_SPLITS + split)[:, None] * DIM + dim[None, :],
        mask=mask[:, None], other=0.0, cache_modifier=".cg",
    )  # fmt: skip
    weight = tl.exp2(split_max - tl.max(split_max, 0))
    out = tl.sum(acc * weight[:, None], 0) / tl.sum(split_sum * weight, 0)
    tl.store(OUT + index * DIM + dim, out.to(OUT.dtype.element_ty))
