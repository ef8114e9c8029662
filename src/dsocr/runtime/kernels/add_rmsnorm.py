"""What stands between two products of a layer: the residual, its changes, its norm."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.kernels.gemv import norm_row
from dsocr.runtime.kernels.triton_language import power_of_two, tl, triton

GATED = 1024


def add_rmsnorm(
    residual: Tensor, changes: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """residual (B, hidden) plus all changes (B, parts, hidden), and its RMSNorm."""
    change = None if changes is None else changes.float().sum(1)
    if change is not None:
        residual = (residual.float() + change).to(residual.dtype)
    return norm_row(residual, None, weight, eps)


def add_rmsnorm_fused(
    residual: Tensor, changes: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    count, hidden = residual.shape
    new = residual if changes is None else torch.empty_like(residual)
    normed = torch.empty_like(residual)
    _add_rmsnorm[(count,)](
        *(residual, changes, weight, new, normed, eps, hidden),
        PARTS=0 if changes is None else changes.shape[1],
        BLOCK=power_of_two(hidden),
        num_warps=4,
    )
    return new, normed


def gate(both: Tensor) -> Tensor:
    """silu(first half) * second half of (B, 2 * width)."""
    first, second = both.chunk(2, dim=-1)
    return F.silu(first) * second


def gate_fused(both: Tensor) -> Tensor:
    count, width = both.shape[0], both.shape[1] // 2
    out = both.new_empty(count, width)
    _gate[(-(-width // GATED), count)](both, out, width, BLOCK=GATED, num_warps=4)
    return out


def newest_embeddings(table: Tensor, tokens: Tensor, lengths: Tensor, rows: Tensor) -> Tensor:
    """The embedding (B, hidden) of each row's newest token; zeros for rows below 0."""
    owned = rows >= 0
    sequence = rows.clamp_min(0).long()
    newest = tokens[sequence, (lengths[sequence] - 1).long()].long()
    return F.embedding(newest, table) * owned[:, None]


def newest_embeddings_fused(table: Tensor, tokens: Tensor, lengths: Tensor, rows: Tensor) -> Tensor:
    hidden = table.shape[1]
    out = table.new_empty(len(rows), hidden)
    _embed[(len(rows),)](
        *(table, tokens, lengths, rows, out, tokens.stride(0), lengths.stride(0), hidden),
        BLOCK=power_of_two(hidden),
        num_warps=4,
    )
    return out


@triton.jit
def _add_rmsnorm(
    X, CHANGES, WEIGHT, NEW, NORMED, eps, hidden, PARTS: tl.constexpr, BLOCK: tl.constexpr
):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    real = column < hidden
    weight = tl.load(WEIGHT + column, mask=real, other=0.0)
    x = tl.load(X + row * hidden + column, mask=real, other=0.0)
    if PARTS > 0:
        total = x.to(tl.float32)
        for part in tl.static_range(PARTS):
            change = CHANGES + (row * PARTS + part) * hidden + column
            total += tl.load(change, mask=real, other=0.0).to(tl.float32)
        x = total.to(x.dtype)
        tl.store(NEW + row * hidden + column, x, mask=real)
    wide = x.to(tl.float32)
    scale = tl.rsqrt(tl.sum(wide * wide, 0) / hidden + eps)
    tl.store(NORMED + row * hidden + column, (wide * scale).to(x.dtype) * weight, mask=real)


@triton.jit
def _gate(BOTH, OUT, width, BLOCK: tl.constexpr):
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = tl.program_id(1)
    real = column < width
    first = tl.load(BOTH + row * 2 * width + column, mask=real, other=0.0).to(tl.float32)
    second = tl.load(BOTH + (row * 2 + 1) * width + column, mask=real, other=0.0).to(tl.float32)
    gated = first / (1.0 + tl.exp(-first)) * second
    tl.store(OUT + row * width + column, gated.to(OUT.dtype.element_ty), mask=real)


@triton.jit
def _embed(
    TABLE, TOKENS, LENGTHS, ROWS, OUT, token_stride, length_stride, hidden, BLOCK: tl.constexpr
):
    row = tl.program_id(0)
    sequence = tl.load(ROWS + row)
    column = tl.arange(0, BLOCK)
    real = column < hidden
    length = tl.load(LENGTHS + sequence * length_stride, mask=sequence >= 0, other=1)
    newest = TOKENS + sequence * token_stride + length - 1
    token = tl.load(newest, mask=sequence >= 0, other=0).to(tl.int64)
    x = tl.load(TABLE + token * hidden + column, mask=real & (sequence >= 0), other=0.0)
    tl.store(OUT + row * hidden + column, x, mask=real)
