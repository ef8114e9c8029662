"""Memory-bound operations between a decoder layer's GEMMs: residual sum with RMSNorm, SiLU times
up, and the embedding lookup."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.kernels.gemv import add_norm_row
from dsocr.runtime.kernels.triton_compat import next_power_of_2, tl, triton

SILU_BLOCK = 1024


def add_rmsnorm(
    residual: Tensor, deltas: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """residual (B, hidden) plus all deltas (B, N, hidden), and its RMSNorm."""
    delta = None if deltas is None else deltas.float().sum(1)
    if delta is not None:
        residual = (residual.float() + delta).to(residual.dtype)
    return add_norm_row(residual, None, weight, eps)


def add_rmsnorm_fused(
    residual: Tensor, deltas: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """`add_rmsnorm` in one kernel."""
    count, hidden = residual.shape
    new = residual if deltas is None else torch.empty_like(residual)
    normed = torch.empty_like(residual)
    _add_rmsnorm[(count,)](
        *(residual, deltas, weight, new, normed, eps, hidden),
        NUM_DELTAS=0 if deltas is None else deltas.shape[1],
        BLOCK=next_power_of_2(hidden),
        num_warps=4,
    )
    return new, normed


def silu_mul(gate_up: Tensor) -> Tensor:
    """silu(first half) * second half of (B, 2 * width)."""
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate) * up


def silu_mul_fused(gate_up: Tensor) -> Tensor:
    """`silu_mul` in one kernel."""
    count, width = gate_up.shape[0], gate_up.shape[1] // 2
    out = gate_up.new_empty(count, width)
    _silu_mul[(-(-width // SILU_BLOCK), count)](gate_up, out, width, BLOCK=SILU_BLOCK, num_warps=4)
    return out


def gather_embeddings(table: Tensor, tokens: Tensor, lengths: Tensor, rows: Tensor) -> Tensor:
    """Embeddings (B, hidden) of the newest token of each row's sequence; zeros for rows below 0."""
    sequence = rows.clamp_min(0).long()
    newest = tokens[sequence, (lengths[sequence] - 1).long()].long()
    return F.embedding(newest, table) * (rows >= 0)[:, None]


def gather_embeddings_fused(table: Tensor, tokens: Tensor, lengths: Tensor, rows: Tensor) -> Tensor:
    """`gather_embeddings` in one kernel."""
    hidden = table.shape[1]
    out = table.new_empty(len(rows), hidden)
    _gather_embeddings[(len(rows),)](
        *(table, tokens, lengths, rows, out, tokens.stride(0), lengths.stride(0), hidden),
        BLOCK=next_power_of_2(hidden),
        num_warps=4,
    )
    return out


@triton.jit
def _add_rmsnorm(
    X, DELTAS, WEIGHT, NEW, NORMED, eps, hidden, NUM_DELTAS: tl.constexpr, BLOCK: tl.constexpr
):
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    mask = column < hidden
    weight = tl.load(WEIGHT + column, mask=mask, other=0.0)
    x = tl.load(X + row * hidden + column, mask=mask, other=0.0)
    if NUM_DELTAS > 0:
        total = x.to(tl.float32)
        for index in tl.static_range(NUM_DELTAS):
            delta = DELTAS + (row * NUM_DELTAS + index) * hidden + column
            total += tl.load(delta, mask=mask, other=0.0).to(tl.float32)
        x = total.to(x.dtype)
        tl.store(NEW + row * hidden + column, x, mask=mask)
    wide = x.to(tl.float32)
    scale = tl.rsqrt(tl.sum(wide * wide, 0) / hidden + eps)
    tl.store(NORMED + row * hidden + column, (wide * scale).to(x.dtype) * weight, mask=mask)


@triton.jit
def _silu_mul(GATE_UP, OUT, width, BLOCK: tl.constexpr):
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = tl.program_id(1)
    mask = column < width
    gate = tl.load(GATE_UP + row * 2 * width + column, mask=mask, other=0.0).to(tl.float32)
    up = tl.load(GATE_UP + (row * 2 + 1) * width + column, mask=mask, other=0.0).to(tl.float32)
    out = gate / (1.0 + tl.exp(-gate)) * up
    tl.store(OUT + row * width + column, out.to(OUT.dtype.element_ty), mask=mask)


@triton.jit
def _gather_embeddings(
    TABLE, TOKENS, LENGTHS, ROWS, OUT, token_stride, length_stride, hidden, BLOCK: tl.constexpr
):
    row = tl.program_id(0)
    sequence = tl.load(ROWS + row)
    column = tl.arange(0, BLOCK)
    mask = column < hidden
    length = tl.load(LENGTHS + sequence * length_stride, mask=sequence >= 0, other=1)
    newest = TOKENS + sequence * token_stride + length - 1
    token = tl.load(newest, mask=sequence >= 0, other=0).to(tl.int64)
    x = tl.load(TABLE + token * hidden + column, mask=mask & (sequence >= 0), other=0.0)
    tl.store(OUT + row * hidden + column, x, mask=mask)
