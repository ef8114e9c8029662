"""What stands between the vision towers' products, in one pass over memory each."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.kernels.triton_language import power_of_two, tl, triton

SLOPE = 1.702
"""CLIP's approximation of GELU (spec 2.2)."""
BLOCK = 2048


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), rounded after each step as the released code does."""
    return x * torch.sigmoid(SLOPE * x)


def quick_gelu_fused(x: Tensor) -> Tensor:
    """The same in float32, rounded once; `x` must be contiguous and is overwritten."""
    count = x.numel()
    _quick_gelu[(-(-count // BLOCK),)](x, count, SLOPE=SLOPE, BLOCK=BLOCK, num_warps=8)
    return x


def add_norm(
    x: Tensor, change: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """x + change, and its LayerNorm over the last dimension."""
    total = x + change
    return total, F.layer_norm(total, weight.shape, weight, bias, eps)


def add_norm_fused(
    x: Tensor, change: Tensor, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """The same in one kernel; statistics are of the rounded sum, in float32."""
    width = x.shape[-1]
    x, change = x.contiguous(), change.contiguous()
    total, normed = torch.empty_like(x), torch.empty_like(x)
    _add_norm[(x.numel() // width,)](
        *(x, change, weight, bias, total, normed, eps, width),
        BLOCK=power_of_two(width),
        num_warps=4,
    )
    return total, normed


@triton.jit
def _quick_gelu(X, count, SLOPE: tl.constexpr, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(X + place, mask=place < count, other=0.0).to(tl.float32)
    x = x / (1.0 + tl.exp(-SLOPE * x))
    tl.store(X + place, x.to(X.dtype.element_ty), mask=place < count)


@triton.jit
def _add_norm(X, CHANGE, WEIGHT, BIAS, TOTAL, NORMED, eps, width, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    real = column < width
    place = tl.program_id(0).to(tl.int64) * width + column
    x = tl.load(X + place, mask=real, other=0.0).to(tl.float32)
    x += tl.load(CHANGE + place, mask=real, other=0.0).to(tl.float32)
    rounded = x.to(TOTAL.dtype.element_ty)
    tl.store(TOTAL + place, rounded, mask=real)
    x = rounded.to(tl.float32)
    mean = tl.sum(x, 0) / width
    off = tl.where(real, x - mean, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(off * off, 0) / width + eps)
    weight = tl.load(WEIGHT + column, mask=real, other=0.0).to(tl.float32)
    bias = tl.load(BIAS + column, mask=real, other=0.0).to(tl.float32)
    normed = off * scale * weight + bias
    tl.store(NORMED + place, normed.to(NORMED.dtype.element_ty), mask=real)
