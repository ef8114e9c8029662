"""One decoded token alone: vectors times matrices, as few kernels as can be.

Every program takes its rows of the weights into registers before it asks for what the kernel before
it wrote: with programmatic launch the weights are on their way while that kernel still runs. All
programs norm the same vector again; that costs less than a kernel of its own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.kernels.parts import launched, normed, wide_sum
from dsocr.runtime.kernels.triton_language import halves, tl, triton

Cut = tuple[int, int]
"""Rows of a matrix that a program takes, and its warps."""


def norm_row(
    residual: Tensor, change: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """The new residual and its RMSNorm: all (1, hidden)."""
    residual = residual if change is None else residual + change
    wide = residual.float()
    wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return residual, wide.to(residual.dtype) * weight


def norm_gemv(
    residual: Tensor,
    change: Tensor | None,
    norm: Tensor,
    eps: float,
    weight: Tensor,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """residual + change (1, hidden), and `weight` (N, hidden) times its norm, (1, N) in `dtype`."""
    residual, x = norm_row(residual, change, norm, eps)
    return residual, F.linear(x.float(), weight.float()).to(dtype)


def norm_gemv_fused(
    residual: Tensor,
    change: Tensor | None,
    norm: Tensor,
    eps: float,
    weight: Tensor,
    dtype: torch.dtype,
    *,
    cut: Cut = (8, 4),
    ahead: bool = False,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The same in one kernel. `ahead`: it may start before the kernel before it ends."""
    outputs, inputs = weight.shape
    if out is None:
        out = torch.empty(1, outputs, dtype=dtype, device=weight.device)
    new = residual if change is None else torch.empty_like(residual)
    first, rest = halves(inputs)
    _linear[(-(-outputs // cut[0]),)](
        *(residual, change, norm, weight, out, new, eps, outputs),
        INPUTS=inputs,
        FIRST=first,
        REST=rest,
        ROWS=cut[0],
        NORMS=True,
        ADDS=change is not None,
        AHEAD=ahead,
        num_warps=cut[1],
        **launched(ahead),
    )
    return new, out


def gemv(x: Tensor, weight: Tensor) -> Tensor:
    """`weight` (N, hidden) times x (1, hidden), in x's dtype."""
    return F.linear(x.float(), weight.float()).to(x.dtype)


def gemv_fused(
    x: Tensor,
    weight: Tensor,
    *,
    cut: Cut = (8, 4),
    ahead: bool = False,
) -> Tensor:
    outputs, inputs = weight.shape
    out = torch.empty(1, outputs, dtype=x.dtype, device=x.device)
    first, rest = halves(inputs)
    _linear[(-(-outputs // cut[0]),)](
        *(x, None, None, weight, out, x, 0.0, outputs),
        INPUTS=inputs,
        FIRST=first,
        REST=rest,
        ROWS=cut[0],
        NORMS=False,
        ADDS=False,
        AHEAD=ahead,
        num_warps=cut[1],
        **launched(ahead),
    )
    return out


@triton.jit
def _linear(
    X, CHANGE, NORM, WEIGHT, OUT, NEW, eps, outputs,
    INPUTS: tl.constexpr, FIRST: tl.constexpr, REST: tl.constexpr, ROWS: tl.constexpr,
    NORMS: tl.constexpr, ADDS: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """ROWS outputs. The inputs lie in two blocks that are powers of two, FIRST and REST."""
    if AHEAD:
        tl.extra.cuda.gdc_launch_dependents()
    output = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    begin = WEIGHT + output[:, None].to(tl.int64) * INPUTS
    known = (output < outputs)[:, None]
    first = tl.arange(0, FIRST)
    w1 = tl.load(begin + first[None, :], mask=known, other=0.0)
    if REST > 0:
        rest = FIRST + tl.arange(0, REST)
        real = rest < INPUTS
        w2 = tl.load(begin + rest[None, :], mask=known & real[None, :], other=0.0)
    if AHEAD:
        tl.extra.cuda.gdc_wait()
    x1 = wide_sum(X, CHANGE, first, first < INPUTS, ADDS)
    squares = tl.sum(x1.to(tl.float32) * x1.to(tl.float32), 0)
    if REST > 0:
        x2 = wide_sum(X, CHANGE, rest, real, ADDS)
        squares += tl.sum(x2.to(tl.float32) * x2.to(tl.float32), 0)
    if ADDS:
        if tl.program_id(0) == 0:
            tl.store(NEW + first, x1)
            if REST > 0:
                tl.store(NEW + rest, x2, mask=real)
    scale = tl.rsqrt(squares / INPUTS + eps)
    if NORMS:
        y1 = normed(x1, scale, NORM, first, first < INPUTS)
    else:
        y1 = x1.to(tl.float32)
    out = tl.sum(w1.to(tl.float32) * y1[None, :], 1)
    if REST > 0:
        if NORMS:
            y2 = normed(x2, scale, NORM, rest, real)
        else:
            y2 = x2.to(tl.float32)
        out += tl.sum(w2.to(tl.float32) * y2[None, :], 1)
    tl.store(OUT + output, out.to(OUT.dtype.element_ty), mask=output < outputs)
