"""What stands between the vision towers' products, in one pass over memory each."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.kernels.triton_language import power_of_two, tl, triton

SLOPE = 1.702
"""CLIP's approximation of GELU (spec 2.2)."""
BLOCK = 2048


def normalize(pictures: Tensor, dtype: torch.dtype) -> Tensor:
    """uint8 (B, S, S, 3) to pixels (B, 3, S, S) in -1..1, through float32 (spec 3.6)."""
    return ((pictures.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5).to(dtype)


def normalize_fused(pictures: Tensor, dtype: torch.dtype) -> Tensor:
    """The same; `pictures` must be contiguous."""
    batch, side = pictures.shape[:2]
    pixels = torch.empty(batch, 3, side, side, dtype=dtype, device=pictures.device)
    _normalize[(-(-side * side // BLOCK), batch)](
        pictures, pixels, side * side, BLOCK=BLOCK, num_warps=8
    )
    return pixels


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """GELU of x (..., in) by a linear layer (out, in): (..., out)."""
    return F.gelu(F.linear(x, weight, bias))


def linear_gelu_fused(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The same in one product where numbers have 16 bits. cuBLASLt takes GELU of sums that are not
    yet rounded, in its tanh form: off by 5e-4 at most, and nearer to float32 than the other."""
    if x.element_size() > 2:
        return linear_gelu(x, weight, bias)
    rows = torch._addmm_activation(bias, x.flatten(0, -2), weight.t(), use_gelu=True)
    return rows.view(*x.shape[:-1], -1)


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), rounded after each step as the released code does."""
    return x * torch.sigmoid(SLOPE * x)


def quick_gelu_fused(x: Tensor) -> Tensor:
    """The same in float32, rounded once; `x` must be contiguous and is overwritten."""
    count = x.numel()
    _quick_gelu[(-(-count // BLOCK),)](x, count, SLOPE=SLOPE, BLOCK=BLOCK, num_warps=8)
    return x


def add_norm(
    x: Tensor, change: Tensor | None, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """x + change, and its LayerNorm over the last dimension."""
    total = x if change is None else x + change
    return total, F.layer_norm(total, weight.shape, weight, bias, eps)


def add_norm_fused(
    x: Tensor, change: Tensor | None, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """The same in one kernel; statistics are of the rounded sum, in float32."""
    width = x.shape[-1]
    x = x.contiguous()
    change = None if change is None else change.contiguous()
    total = x if change is None else torch.empty_like(x)
    normed = torch.empty_like(x)
    _add_norm[(x.numel() // width,)](
        *(x, change, weight, bias, total, normed, eps, width),
        CHANGES=change is not None,
        BLOCK=power_of_two(width),
        num_warps=4,
    )
    return total, normed


@triton.jit
def _normalize(PICTURES, PIXELS, count, BLOCK: tl.constexpr):
    picture = tl.program_id(1).to(tl.int64) * 3 * count
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    for channel in tl.static_range(3):
        x = tl.load(PICTURES + picture + place * 3 + channel, mask=place < count, other=0)
        x = (tl.div_rn(x.to(tl.float32), 255.0) - 0.5) / 0.5
        to = PIXELS + picture + channel * count + place
        tl.store(to, x.to(PIXELS.dtype.element_ty), mask=place < count)


@triton.jit
def _quick_gelu(X, count, SLOPE: tl.constexpr, BLOCK: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(X + place, mask=place < count, other=0.0).to(tl.float32)
    x = x / (1.0 + tl.exp(-SLOPE * x))
    tl.store(X + place, x.to(X.dtype.element_ty), mask=place < count)


@triton.jit
def _add_norm(
    X, CHANGE, WEIGHT, BIAS, TOTAL, NORMED, eps, width, CHANGES: tl.constexpr, BLOCK: tl.constexpr
):
    column = tl.arange(0, BLOCK)
    real = column < width
    place = tl.program_id(0).to(tl.int64) * width + column
    x = tl.load(X + place, mask=real, other=0.0).to(tl.float32)
    if CHANGES:
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
