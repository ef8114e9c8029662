"""Pieces that several decode kernels are made of."""

from __future__ import annotations

from dsocr.runtime.kernels.triton_language import tl, triton


def launched(ahead: bool) -> dict[str, bool]:
    """Triton's option for programmatic launch; the interpreter does not know it."""
    return {"launch_pdl": True} if ahead else {}


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
def softmax_on(scores, highest, total):
    """Weights of further scores, to the base 2, and by how much what was summed before them fades;
    then the highest score so far and the sum of weights."""
    higher = tl.maximum(highest, tl.max(scores, 1))
    faded = tl.exp2(highest - higher)
    weights = tl.exp2(scores - higher[:, None])
    return weights, faded, higher, total * faded + tl.sum(weights, 1)


@triton.jit
def softmax_biased_on(scores, bias, highest, total):
    """Like `softmax_on` for `scores + bias[:, None]`, without adding the bias to every score."""
    higher = tl.maximum(highest, tl.max(scores, 1) + bias)
    faded = tl.exp2(highest - higher)
    weights = tl.exp2(scores - (higher - bias)[:, None])
    return weights, faded, higher, total * faded + tl.sum(weights, 1)


@triton.jit
def ranked(scores, expert):
    """Softmax, and how many experts are better than each; of equal ones the first. Ranks are all
    different whatever the scores are: one is a place in memory, and scores may be no numbers."""
    share = tl.exp(scores - tl.max(scores, 0))
    share = share / tl.sum(share, 0)
    worse = share[None, :] < share[:, None]
    better = (share[None, :] > share[:, None]) | (~worse & (expert[None, :] < expert[:, None]))
    return share, tl.sum(better.to(tl.int32), 1)
