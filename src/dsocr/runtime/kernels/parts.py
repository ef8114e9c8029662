"""Pieces that several decode kernels are made of."""

from __future__ import annotations

from dsocr.runtime.kernels.triton_language import tl, triton


def launched(ahead: bool) -> dict[str, bool]:
    """Triton's option for programmatic launch; the interpreter does not know it."""
    return {"launch_pdl": True} if ahead else {}


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
    """A query in the type in which it meets what the cache holds: fp8 widens to float16 at once and
    exactly, to bfloat16 only by way of it."""
    if (tl.float8e4nv == CACHE.dtype.element_ty) & (q.dtype == tl.bfloat16):
        q = q.to(tl.float16)
    return q


@triton.jit
def wide_sum(ROW, CHANGE, place, real, ADDS: tl.constexpr):
    """The residual after a change, rounded as it is stored, in float32."""
    x = tl.load(ROW + place, mask=real, other=0.0)
    if ADDS:
        change = tl.load(CHANGE + place, mask=real, other=0.0).to(tl.float32)
        x = (x.to(tl.float32) + change).to(ROW.dtype.element_ty)
    return x


@triton.jit
def normed(x, scale, NORM, place, real):
    weight = tl.load(NORM + place, mask=real, other=0.0)
    return ((x.to(tl.float32) * scale).to(x.dtype) * weight).to(tl.float32)


@triton.jit
def ranked(scores, expert):
    """Softmax, and how many experts are better than each; of equal ones the first. Ranks are all
    different whatever the scores are: one is a place in memory, and scores may be no numbers."""
    share = tl.exp(scores - tl.max(scores, 0))
    share = share / tl.sum(share, 0)
    worse = share[None, :] < share[:, None]
    better = (share[None, :] > share[:, None]) | (~worse & (expert[None, :] < expert[:, None]))
    return share, tl.sum(better.to(tl.int32), 1)
