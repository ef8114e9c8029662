"""Device functions that several kernels share, and the launch option for dependent launch."""

from __future__ import annotations

from dsocr.runtime.kernels.triton_compat import tl, triton


def launch_options(pdl: bool) -> dict[str, bool]:
    """Triton's option for programmatic dependent launch; its interpreter does not know it."""
    return {"launch_pdl": True} if pdl else {}


@triton.jit
def load_residual(RESIDUAL, DELTA, offset, mask, ADDS: tl.constexpr):
    """The residual, after DELTA is added in float32 and the sum rounded to the stored dtype."""
    x = tl.load(RESIDUAL + offset, mask=mask, other=0.0)
    if ADDS:
        delta = tl.load(DELTA + offset, mask=mask, other=0.0).to(tl.float32)
        x = (x.to(tl.float32) + delta).to(RESIDUAL.dtype.element_ty)
    return x


@triton.jit
def apply_rmsnorm(x, scale, NORM, offset, mask):
    """x times `scale`, rounded, times the norm's weight; float32."""
    weight = tl.load(NORM + offset, mask=mask, other=0.0)
    return ((x.to(tl.float32) * scale).to(x.dtype) * weight).to(tl.float32)


@triton.jit
def online_softmax(scores, running_max, running_sum):
    """One step of a softmax to the base 2 over blocks of scores.

    Returns the block's weights, the factor by which earlier sums shrink, and the new maximum and
    sum of weights.
    """
    new_max = tl.maximum(running_max, tl.max(scores, 1))
    rescale = tl.exp2(running_max - new_max)
    weights = tl.exp2(scores - new_max[:, None])
    return weights, rescale, new_max, running_sum * rescale + tl.sum(weights, 1)


@triton.jit
def online_softmax_biased(scores, bias, running_max, running_sum):
    """`online_softmax` of `scores + bias[:, None]` without adding the bias to every score."""
    new_max = tl.maximum(running_max, tl.max(scores, 1) + bias)
    rescale = tl.exp2(running_max - new_max)
    weights = tl.exp2(scores - (new_max - bias)[:, None])
    return weights, rescale, new_max, running_sum * rescale + tl.sum(weights, 1)


@triton.jit
def softmax_ranks(logits, expert):
    """Softmax over experts, and the rank of each; of equal ones the first ranks higher. Ranks are
    used as indices, so they are distinct even where logits are NaN."""
    probs = tl.exp(logits - tl.max(logits, 0))
    probs = probs / tl.sum(probs, 0)
    worse = probs[None, :] < probs[:, None]
    better = (probs[None, :] > probs[:, None]) | (~worse & (expert[None, :] < expert[:, None]))
    return probs, tl.sum(better.to(tl.int32), 1)
