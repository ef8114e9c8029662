"""What kernels do to a cache in fp8: write to it, and walk past it with one query a sequence.

Tensor cores want 16 bits, and bytes are not turned round on their way out of shared memory. So keys
and values travel as pairs of neighbours, 16 bits each, and become two matrices of half the width
in registers: one of every pair's first number, one of the second. They are widened to float16,
which holds all of fp8 and is reached in one instruction; bfloat16 is not.
"""

from __future__ import annotations

from dsocr.runtime.kernels.parts import softmax_on
from dsocr.runtime.kernels.triton_language import tl, triton


@triton.jit
def kept(x, CACHE):
    """x as the cache holds it: fp8 ends at 448, and has no infinity."""
    KEPT: tl.constexpr = CACHE.dtype.element_ty
    if tl.float8e4nv == KEPT:
        low = tl.maximum(x.to(tl.float32), -448.0, propagate_nan=tl.PropagateNan.ALL)
        x = tl.minimum(low, 448.0, propagate_nan=tl.PropagateNan.ALL)
    return x.to(KEPT)


@triton.jit
def to_meet(q, CACHE):
    """A query in the type in which it meets what the cache holds; none comes near to float16's
    greatest, 65,504."""
    if (tl.float8e4nv == CACHE.dtype.element_ty) & (q.dtype == tl.bfloat16):
        q = q.to(tl.float16)
    return q


@triton.jit
def walk_pairs(
    queries, highest, total, mixed, keys, values, table, begin, end, scale,
    block_stride, token_stride,
    COPIES: tl.constexpr, DIM: tl.constexpr, BLOCK_SIZE: tl.constexpr, KEYS: tl.constexpr,
    STAGES: tl.constexpr,
):  # fmt: skip
    """Highest score, sum of weights and weighed values, the tokens begin : end taken in."""
    PAIRS: tl.constexpr = DIM // 2
    pair = tl.arange(0, PAIRS)
    keys = keys.to(tl.pointer_type(tl.int16), bitcast=True)
    values = values.to(tl.pointer_type(tl.int16), bitcast=True)
    q1, q2 = tl.split(tl.reshape(queries, (COPIES, PAIRS, 2)))
    mixed1, mixed2 = tl.split(tl.reshape(mixed, (COPIES, PAIRS, 2)))
    for first in tl.range(begin, end, KEYS, num_stages=STAGES):
        token = first + tl.arange(0, KEYS)
        seen = token < end
        block = tl.load(table + token // BLOCK_SIZE, mask=seen, other=0).to(tl.int64)
        place = block * (block_stride // 2) + token % BLOCK_SIZE * (token_stride // 2)
        k = tl.load(keys + place[None, :] + pair[:, None], mask=seen[None, :], other=0)
        v = tl.load(values + place[:, None] + pair[None, :], mask=seen[:, None], other=0)
        k1, k2 = unpaired(k)
        scores = tl.dot(q2, k2, tl.dot(q1, k1)) * scale
        scores = tl.where(seen[None, :], scores, -1e30)
        weights, faded, highest, total = softmax_on(scores, highest, total)
        weights = weights.to(tl.float16)
        v1, v2 = unpaired(v)
        mixed1 = tl.dot(weights, v1, mixed1 * faded[:, None])
        mixed2 = tl.dot(weights, v2, mixed2 * faded[:, None])
    return highest, total, tl.reshape(tl.join(mixed1, mixed2), (COPIES, DIM))


@triton.jit
def unpaired(x):
    """The first and the second of pairs of fp8, as float16. Two pairs are taken at a time: their
    bytes are sorted by place, then widened two by two."""
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
