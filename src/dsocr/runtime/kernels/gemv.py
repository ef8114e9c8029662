"""Matrix-vector products (GEMV) for decoding a single row, in as few kernels as possible.

Each program loads its rows of the weights before it waits for the output of the previous kernel:
with programmatic dependent launch (PDL) the weights are loaded while that kernel still runs. Every
program computes the norm of the same vector; that costs less than a kernel of its own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.kernels.primitives import apply_rmsnorm, launch_options, load_residual
from dsocr.runtime.kernels.triton_compat import split_width, tl, triton

GemvTile = tuple[int, int]
"""Rows of the matrix per program, and its warps."""


def add_norm_row(
    residual: Tensor, delta: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """residual + delta (B, hidden), and its RMSNorm."""
    residual = residual if delta is None else residual + delta
    wide = residual.float()
    wide = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return residual, wide.to(residual.dtype) * weight


def norm_gemv(
    residual: Tensor,
    delta: Tensor | None,
    norm: Tensor,
    eps: float,
    weight: Tensor,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """residual + delta (1, hidden), and `weight` (N, hidden) times its norm, (1, N) in `dtype`."""
    residual, x = add_norm_row(residual, delta, norm, eps)
    return residual, F.linear(x.float(), weight.float()).to(dtype)


def norm_gemv_fused(
    residual: Tensor,
    delta: Tensor | None,
    norm: Tensor,
    eps: float,
    weight: Tensor,
    dtype: torch.dtype,
    *,
    tile: GemvTile = (8, 4),
    pdl: bool = False,
    out: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """`norm_gemv` in one kernel. `pdl`: it may start before the previous kernel ends."""
    outputs, inputs = weight.shape
    if out is None:
        out = torch.empty(1, outputs, dtype=dtype, device=weight.device)
    new = residual if delta is None else torch.empty_like(residual)
    first, rest = split_width(inputs)
    _gemv[(-(-outputs // tile[0]),)](
        *(residual, delta, norm, weight, out, new, eps, outputs),
        INPUTS=inputs,
        FIRST=first,
        REST=rest,
        ROWS=tile[0],
        NORMS=True,
        ADDS=delta is not None,
        PDL=pdl,
        num_warps=tile[1],
        **launch_options(pdl),
    )
    return new, out


def gemv(x: Tensor, weight: Tensor) -> Tensor:
    """`weight` (N, hidden) times x (1, hidden), in x's dtype."""
    return F.linear(x.float(), weight.float()).to(x.dtype)


def gemv_fused(
    x: Tensor,
    weight: Tensor,
    *,
    tile: GemvTile = (8, 4),
    pdl: bool = False,
) -> Tensor:
    """`gemv` in one kernel; `pdl` as in `norm_gemv_fused`."""
    outputs, inputs = weight.shape
    out = torch.empty(1, outputs, dtype=x.dtype, device=x.device)
    first, rest = split_width(inputs)
    _gemv[(-(-outputs // tile[0]),)](
        *(x, None, None, weight, out, x, 0.0, outputs),
        INPUTS=inputs,
        FIRST=first,
        REST=rest,
        ROWS=tile[0],
        NORMS=False,
        ADDS=False,
        PDL=pdl,
        num_warps=tile[1],
        **launch_options(pdl),
    )
    return out


@triton.jit
def _gemv(
    X, DELTA, NORM, WEIGHT, OUT, NEW, eps, outputs,
    INPUTS: tl.constexpr, FIRST: tl.constexpr, REST: tl.constexpr, ROWS: tl.constexpr,
    NORMS: tl.constexpr, ADDS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """ROWS outputs per program. The inputs are two blocks of a power of two, FIRST and REST."""
    if PDL:
        tl.extra.cuda.gdc_launch_dependents()
    output = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    weight = WEIGHT + output[:, None].to(tl.int64) * INPUTS
    row_mask = (output < outputs)[:, None]
    first = tl.arange(0, FIRST)
    w1 = tl.load(weight + first[None, :], mask=row_mask, other=0.0)
    if REST > 0:
        rest = FIRST + tl.arange(0, REST)
        rest_mask = rest < INPUTS
        w2 = tl.load(weight + rest[None, :], mask=row_mask & rest_mask[None, :], other=0.0)
    if PDL:
        tl.extra.cuda.gdc_wait()
    x1 = load_residual(X, DELTA, first, first < INPUTS, ADDS)
    squares = tl.sum(x1.to(tl.float32) * x1.to(tl.float32), 0)
    if REST > 0:
        x2 = load_residual(X, DELTA, rest, rest_mask, ADDS)
        squares += tl.sum(x2.to(tl.float32) * x2.to(tl.float32), 0)
    if ADDS:
        if tl.program_id(0) == 0:
            tl.store(NEW + first, x1)
            if REST > 0:
                tl.store(NEW + rest, x2, mask=rest_mask)
    scale = tl.rsqrt(squares / INPUTS + eps)
    if NORMS:
        y1 = apply_rmsnorm(x1, scale, NORM, first, first < INPUTS)
    else:
        y1 = x1.to(tl.float32)
    out = tl.sum(w1.to(tl.float32) * y1[None, :], 1)
    if REST > 0:
        if NORMS:
            y2 = apply_rmsnorm(x2, scale, NORM, rest, rest_mask)
        else:
            y2 = x2.to(tl.float32)
        out += tl.sum(w2.to(tl.float32) * y2[None, :], 1)
    tl.store(OUT + output, out.to(OUT.dtype.element_ty), mask=output < outputs)
