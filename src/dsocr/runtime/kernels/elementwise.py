"""Elementwise operations and norms of the vision towers, each in one pass over memory."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.kernels.triton_compat import next_power_of_2, tl, triton

GELU_SCALE = 1.702
"""CLIP's approximation of GELU is x * sigmoid(1.702 x) (spec 2.2)."""
BLOCK = 2048


def normalize(views: Tensor, dtype: torch.dtype) -> Tensor:
    """uint8 (B, S, S, 3) to pixels (B, 3, S, S) in -1..1, computed in float32 (spec 3.6)."""
    return ((views.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5).to(dtype)


def normalize_fused(views: Tensor, dtype: torch.dtype) -> Tensor:
    """`normalize` in one kernel; `views` must be contiguous."""
    batch, side = views.shape[:2]
    pixels = torch.empty(batch, 3, side, side, dtype=dtype, device=views.device)
    _normalize[(-(-side * side // BLOCK), batch)](
        views, pixels, side * side, BLOCK=BLOCK, num_warps=8
    )
    return pixels


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """GELU of a linear layer (out, in) of x (..., in): (..., out)."""
    return F.gelu(F.linear(x, weight, bias))


def linear_gelu_fused(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`linear_gelu` in one GEMM for 16-bit dtypes. cuBLASLt applies GELU in its tanh form to sums
    that are not yet rounded: off by at most 5e-4, and closer to float32 than the plain function."""
    if x.element_size() > 2:
        return linear_gelu(x, weight, bias)
    rows = torch._addmm_activation(bias, x.flatten(0, -2), weight.t(), use_gelu=True)
    return rows.view(*x.shape[:-1], -1)


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), rounded after each operation as in the released code."""
    return x * torch.sigmoid(GELU_SCALE * x)


def quick_gelu_fused(x: Tensor) -> Tensor:
    """`quick_gelu` in float32, rounded once; `x` must be contiguous and is overwritten."""
    count = x.numel()
    _quick_gelu[(-(-count // BLOCK),)](x, count, SCALE=GELU_SCALE, BLOCK=BLOCK, num_warps=8)
    return x


def rotate_heads_fused(heads: Tensor, cos: Tensor, sin: Tensor, *, count: int) -> Tensor:
    """`layers.rotary.rotate` of the first `count` heads, in float32, rounded once. heads
    (B, T, heads, head_dim) must be contiguous and is overwritten; cos, sin (T, 1, head_dim)."""
    _, tokens, total, head_dim = heads.shape
    pairs = count * head_dim // 2
    _rotate_heads[(heads.numel() // (total * head_dim),)](
        *(heads, cos, sin, tokens, total * head_dim, pairs),
        HALF=head_dim // 2,
        BLOCK=next_power_of_2(pairs),
        num_warps=4,
    )
    return heads


def add_layernorm(
    x: Tensor, delta: Tensor | None, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """x + delta, and its LayerNorm over the last dimension."""
    total = x if delta is None else x + delta
    return total, F.layer_norm(total, weight.shape, weight, bias, eps)


def add_layernorm_fused(
    x: Tensor, delta: Tensor | None, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """`add_layernorm` in one kernel; the statistics are of the rounded sum, in float32."""
    width = x.shape[-1]
    x = x.contiguous()
    delta = None if delta is None else delta.contiguous()
    total = x if delta is None else torch.empty_like(x)
    normed = torch.empty_like(x)
    _add_layernorm[(x.numel() // width,)](
        *(x, delta, weight, bias, total, normed, eps, width),
        ADDS=delta is not None,
        BLOCK=next_power_of_2(width),
        num_warps=4,
    )
    return total, normed


@triton.jit
def _normalize(VIEWS, PIXELS, count, BLOCK: tl.constexpr):
    view = tl.program_id(1).to(tl.int64) * 3 * count
    offset = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    for channel in tl.static_range(3):
        x = tl.load(VIEWS + view + offset * 3 + channel, mask=offset < count, other=0)
        x = (tl.div_rn(x.to(tl.float32), 255.0) - 0.5) / 0.5
        out = PIXELS + view + channel * count + offset
        tl.store(out, x.to(PIXELS.dtype.element_ty), mask=offset < count)


@triton.jit
def _quick_gelu(X, count, SCALE: tl.constexpr, BLOCK: tl.constexpr):
    offset = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(X + offset, mask=offset < count, other=0.0).to(tl.float32)
    x = x / (1.0 + tl.exp(-SCALE * x))
    tl.store(X + offset, x.to(X.dtype.element_ty), mask=offset < count)


@triton.jit
def _rotate_heads(HEADS, COS, SIN, tokens, stride, pairs, HALF: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    pair = tl.arange(0, BLOCK)
    mask = pair < pairs
    place = pair % HALF
    first = row * stride + pair // HALF * (2 * HALF) + place
    table = row % tokens * (2 * HALF) + place  # both halves of a table are the same
    x = tl.load(HEADS + first, mask=mask, other=0.0).to(tl.float32)
    y = tl.load(HEADS + first + HALF, mask=mask, other=0.0).to(tl.float32)
    cos = tl.load(COS + table, mask=mask, other=0.0).to(tl.float32)
    sin = tl.load(SIN + table, mask=mask, other=0.0).to(tl.float32)
    dtype = HEADS.dtype.element_ty
    tl.store(HEADS + first, (x * cos - y * sin).to(dtype), mask=mask)
    tl.store(HEADS + first + HALF, (y * cos + x * sin).to(dtype), mask=mask)


@triton.jit
def _add_layernorm(
    X, DELTA, WEIGHT, BIAS, TOTAL, NORMED, eps, width, ADDS: tl.constexpr, BLOCK: tl.constexpr
):
    column = tl.arange(0, BLOCK)
    mask = column < width
    offset = tl.program_id(0).to(tl.int64) * width + column
    x = tl.load(X + offset, mask=mask, other=0.0).to(tl.float32)
    if ADDS:
        x += tl.load(DELTA + offset, mask=mask, other=0.0).to(tl.float32)
        rounded = x.to(TOTAL.dtype.element_ty)
        tl.store(TOTAL + offset, rounded, mask=mask)
        x = rounded.to(tl.float32)
    mean = tl.sum(x, 0) / width
    centered = tl.where(mask, x - mean, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centered * centered, 0) / width + eps)
    weight = tl.load(WEIGHT + column, mask=mask, other=0.0).to(tl.float32)
    bias = tl.load(BIAS + column, mask=mask, other=0.0).to(tl.float32)
    normed = centered * scale * weight + bias
    tl.store(NORMED + offset, normed.to(NORMED.dtype.element_ty), mask=mask)
