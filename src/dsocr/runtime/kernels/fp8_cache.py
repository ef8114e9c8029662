"""Kernel code for an fp8 KV cache: conversion to it, and attention with one query per sequence.

Tensor cores take 16-bit operands here, and single bytes cannot be transposed while they are loaded
from shared memory. So two neighbouring numbers of a key or value are loaded as one 16-bit pair, and
unpacked in registers to two matrices of half the width: the first of every pair, and the second.
They are converted to float16, which holds every fp8 value exactly and takes one instruction;
bfloat16 takes more.
"""

from __future__ import annotations

from dsocr.runtime.kernels.primitives import online_softmax
from dsocr.runtime.kernels.triton_compat import tl, triton


@triton.jit
def to_cache(x, CACHE):
    """x in the cache's dtype; clamped for fp8, which ends at 448 and has no infinity."""
    DTYPE: tl.constexpr = CACHE.dtype.element_ty
    if tl.float8e4nv == DTYPE:
        low = tl.maximum(x.to(tl.float32), -448.0, propagate_nan=tl.PropagateNan.ALL)
        x = tl.minimum(low, 448.0, propagate_nan=tl.PropagateNan.ALL)
    return x.to(DTYPE)


@triton.jit
def to_dot_dtype(q, CACHE):
    """A query in the dtype of the products with the cache: float16 for fp8. Queries are far below
    its maximum, 65,504."""
    if (tl.float8e4nv == CACHE.dtype.element_ty) & (q.dtype == tl.bfloat16):
        q = q.to(tl.float16)
    return q


@triton.jit
def attend_pairs(
    queries, running_max, running_sum, acc, keys, values, table, begin, end, scale,
    prompt, visible, prompt_end, gap, block_stride, token_stride,
    COPIES: tl.constexpr, DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr, KEYS: tl.constexpr,
    WINDOW: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    """Maximum score, sum of weights and weighted values, after the tokens begin : end. With a
    window these leave out `gap` tokens after `prompt_end`, and only those of the prompt and from
    `visible` on are attended to."""
    PAIRS: tl.constexpr = DIM // 2
    pair = tl.arange(0, PAIRS)
    keys = keys.to(tl.pointer_type(tl.int16), bitcast=True)
    values = values.to(tl.pointer_type(tl.int16), bitcast=True)
    q1, q2 = tl.split(tl.reshape(queries, (COPIES, PAIRS, 2)))
    acc1, acc2 = tl.split(tl.reshape(acc, (COPIES, PAIRS, 2)))
    for first in tl.range(begin, end, KEYS, num_stages=STAGES):
        token = first + tl.arange(0, KEYS)
        mask = token < end
        if WINDOW > 0:
            token += tl.where(first >= prompt_end, gap, 0)
            mask &= (token < prompt) | (token >= visible)
        block = tl.load(table + token // BLOCK_SIZE, mask=mask, other=0).to(tl.int64)
        offset = block * (block_stride // 2) + token % BLOCK_SIZE * (token_stride // 2)
        k = tl.load(keys + offset[None, :] + pair[:, None], mask=mask[None, :], other=0)
        v = tl.load(values + offset[:, None] + pair[None, :], mask=mask[:, None], other=0)
        k1, k2 = unpack_pairs(k)
        scores = tl.dot(q2, k2, tl.dot(q1, k1)) * scale
        scores = tl.where(mask[None, :], scores, -1e30)
        weights, rescale, running_max, running_sum = online_softmax(
            scores, running_max, running_sum
        )
        weights = weights.to(tl.float16)
        v1, v2 = unpack_pairs(v)
        acc1 = tl.dot(weights, v1, acc1 * rescale[:, None])
        acc2 = tl.dot(weights, v2, acc2 * rescale[:, None])
    return running_max, running_sum, tl.reshape(tl.join(acc1, acc2), (COPIES, DIM))


@triton.jit
def unpack_pairs(x):
    """The first and the second of pairs of fp8, as float16. Two pairs are converted together: their
    bytes are sorted by their place in the pair, then converted two at a time."""
    return tl.inline_asm_elementwise(
        """{
        .reg .b32 sorted;
        .reg .b16 first, second;
        prmt.b32 sorted, $2, $2, 0x3120;
        mov.b32 {first, second}, sorted;
        cvt.rn.f16x2.e4m3x2 $0, first;
        cvt.rn.f16x2.e4m3x2 $1, second;
        }""",
        "=r,=r,r",
        [x],
        dtype=(tl.float16, tl.float16),
        is_pure=True,
        pack=2,
    )
