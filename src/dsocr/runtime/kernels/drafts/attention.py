"""Attention of steps with drafts over the paged KV cache: up to 16 queries of one sequence, which
are its newest tokens. As in `decode_attention` the cached tokens of a head are split among
programs, and the last to finish merges the results; here the new keys and values are cached."""

from __future__ import annotations

import torch
from torch import Tensor

from dsocr.runtime.kernels.decode_attention import DecodeSequences, Split, merge_splits
from dsocr.runtime.kernels.drafts.layout import DraftRows
from dsocr.runtime.kernels.drafts.tables import WIDTH
from dsocr.runtime.kernels.fp8_cache import to_dot_dtype
from dsocr.runtime.kernels.primitives import online_softmax
from dsocr.runtime.kernels.triton_compat import (
    constexprs,
    dot_precision,
    fit_block,
    fit_stages,
    next_power_of_2,
    tl,
    triton,
)

(_WIDTH,) = constexprs(WIDTH)


def draft_attention(
    q: Tensor,
    blocks: Tensor,
    sequences: DecodeSequences,
    layout: DraftRows,
    *,
    window: int | None = None,
) -> Tensor:
    """softmax(q kᵀ / √head_dim) v, each query over all cached tokens up to its own; with a window
    over those of the prompt and the last `window`, its own included.

    q (T, heads * head_dim) rotated, blocks (2, blocks, block_size, heads, head_dim) of one layer,
    which has the new tokens. Returns the shape of q, zeros for padding.
    """
    block_size, heads, dim = blocks.shape[2:]
    out = torch.zeros_like(q)
    for index, sequence in enumerate(layout.owners.tolist()):
        if sequence < 0:
            continue
        position = int(layout.positions[index])
        token = torch.arange(position + 1, device=q.device)
        if window is not None and sequences.prompts is not None:
            token = token[(token > position - window) | (token < sequences.prompts[sequence])]
        block = sequences.block_tables[sequence, token // block_size].long()
        keys, values = blocks[:, block, token % block_size].float()
        scores = torch.einsum("hd,thd->ht", q[index].view(heads, dim).float() * dim**-0.5, keys)
        out[index] = torch.einsum("ht,thd->hd", scores.softmax(-1), values).flatten().to(q.dtype)
    return out


def draft_attention_fused(
    q: Tensor,
    blocks: Tensor,
    sequences: DecodeSequences,
    layout: DraftRows,
    *,
    split: Split,
    split_counters: Tensor,
    window: int | None = None,
) -> Tensor:
    """`draft_attention` in one kernel; padding is not written. `split_counters` (B * heads,) int32
    must be zeros, and are zeros again afterwards."""
    total, count = len(q), len(layout.rows)
    block_size, heads, dim = blocks.shape[2:]
    assert blocks.stride(4) == 1 and sequences.block_tables.stride(1) == 1
    prompts = sequences.lengths if sequences.prompts is None else sequences.prompts
    assert prompts.stride() == sequences.lengths.stride()
    out = torch.empty_like(q)
    partial = q.new_empty(total * heads, split.num_splits, dim, dtype=torch.float32)
    sums = q.new_empty(total * heads, 2, split.num_splits, dtype=torch.float32)
    row = dim * q.element_size()
    keys = fit_block(split.keys, q.device, lambda keys: (WIDTH + 2 * keys) * row)
    stages = fit_stages(
        split.stages, q.device, stage_bytes=2 * keys * row, resident_bytes=WIDTH * row
    )
    _attend[(heads, count, split.num_splits)](
        *(q, blocks, layout.rows, layout.starts, layout.counts, sequences.lengths, prompts),
        *(sequences.block_tables, partial, sums, split_counters, out, dim**-0.5),
        *(sequences.lengths.stride(0), sequences.block_tables.stride(0), *blocks.stride()[:4]),
        HEADS=heads,
        DIM=dim,
        BLOCK_SIZE=block_size,
        KEYS=keys,
        NUM_SPLITS=split.num_splits,
        SPLIT_BLOCK=next_power_of_2(split.num_splits, minimum=1),
        WINDOW=window or 0,
        STAGES=stages,
        PRECISION=dot_precision(q.dtype),
        num_warps=split.warps,
    )
    return out


@triton.jit
def _attend(
    Q, CACHE, ROWS, STARTS, COUNTS, LENGTHS, PROMPTS, TABLES, PARTIAL, SUMS, COUNTERS, OUT, scale,
    length_stride, table_stride, value_stride, block_stride, token_stride, head_stride,
    HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr, KEYS: tl.constexpr,
    NUM_SPLITS: tl.constexpr, SPLIT_BLOCK: tl.constexpr, WINDOW: tl.constexpr,
    STAGES: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    LOG2E: tl.constexpr = 1.4426950408889634
    head, row, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    drafts = tl.load(COUNTS + row)
    if drafts >= 0:
        sequence = tl.load(ROWS + row)
        newest = tl.load(LENGTHS + sequence * length_stride) - 1
        table = TABLES + sequence.to(tl.int64) * table_stride
        dim, step = tl.arange(0, DIM), tl.arange(0, _WIDTH)
        is_query = step <= drafts
        index = tl.where(step == 0, row, tl.load(STARTS + row) + step - 1)
        at = (index[:, None] * HEADS + head) * DIM + dim[None, :]
        q = to_dot_dtype(tl.load(Q + at, mask=is_query[:, None], other=0.0), CACHE)
        # the cached tokens that are attended to, in order: the prompt's, then those after a gap
        num_keys = newest + 1 + drafts
        prompt, gap = num_keys, 0
        if WINDOW > 0:
            prompt = tl.load(PROMPTS + sequence * length_stride)
            gap = tl.maximum(newest + 1 - WINDOW - prompt, 0)
            num_keys -= gap
        split_size = tl.cdiv(tl.cdiv(num_keys, NUM_SPLITS), KEYS) * KEYS
        begin = split * split_size
        end = tl.minimum(begin + split_size, num_keys)
        running_max = tl.full((_WIDTH,), -1e30, tl.float32)
        running_sum = tl.zeros((_WIDTH,), tl.float32)
        acc = tl.zeros((_WIDTH, DIM), tl.float32)
        keys = CACHE + head * head_stride
        values = keys + value_stride
        for first in tl.range(begin, end, KEYS, num_stages=STAGES):
            token = first + tl.arange(0, KEYS)
            mask = token < end
            if WINDOW > 0:
                token += tl.where(token >= prompt, gap, 0)
            block = tl.load(table + token // BLOCK_SIZE, mask=mask, other=0).to(tl.int64)
            offset = block * block_stride + token % BLOCK_SIZE * token_stride
            k = tl.load(keys + offset[None, :] + dim[:, None], mask=mask[None, :], other=0.0)
            v = tl.load(values + offset[:, None] + dim[None, :], mask=mask[:, None], other=0.0)
            k, v = k.to(q.dtype), v.to(q.dtype)
            scores = tl.dot(q, k, input_precision=PRECISION) * (scale * LOG2E)
            seen = mask[None, :] & (token[None, :] <= (newest + step)[:, None])
            if WINDOW > 0:
                recent = token[None, :] > (newest + step - WINDOW)[:, None]
                seen = seen & (recent | (token < prompt)[None, :])
            scores = tl.where(seen, scores, -1e30)
            weights, rescale, running_max, running_sum = online_softmax(
                scores, running_max, running_sum
            )
            acc = acc * rescale[:, None]
            acc = tl.dot(weights.to(v.dtype), v, acc, input_precision=PRECISION)

        if NUM_SPLITS == 1:
            out = (acc / running_sum[:, None]).to(OUT.dtype.element_ty)
            tl.store(OUT + at, out, mask=is_query[:, None])
        else:
            place = index * HEADS + head
            tl.store(
                PARTIAL + (place * NUM_SPLITS + split)[:, None] * DIM + dim[None, :],
                acc, mask=is_query[:, None],
            )  # fmt: skip
            tl.store(SUMS + place * 2 * NUM_SPLITS + split, running_max, mask=is_query)
            tl.store(SUMS + (place * 2 + 1) * NUM_SPLITS + split, running_sum, mask=is_query)
            tl.debug_barrier()  # all threads have stored before the counter is increased
            counter = COUNTERS + row * HEADS + head
            if tl.atomic_add(counter, 1, sem="acq_rel") == NUM_SPLITS - 1:
                tl.store(counter, 0)
                merge_splits(PARTIAL, SUMS, OUT, row * HEADS + head, DIM, NUM_SPLITS, SPLIT_BLOCK)
                start = tl.load(STARTS + row)
                for one in range(0, drafts):
                    merge_splits(
                        PARTIAL, SUMS, OUT, (start + one) * HEADS + head,
                        DIM, NUM_SPLITS, SPLIT_BLOCK,
                    )  # fmt: skip
