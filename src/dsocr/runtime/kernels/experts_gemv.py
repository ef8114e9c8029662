"""The experts of a single decoded token: two matrix-vector kernels on the chosen experts only."""

from __future__ import annotations

import torch
from torch import Tensor

from dsocr.runtime.kernels.experts import ExpertWeights, apply_experts, choose_experts
from dsocr.runtime.kernels.gemv import GemvTile, add_norm_row
from dsocr.runtime.kernels.primitives import (
    apply_rmsnorm,
    launch_options,
    load_residual,
    softmax_ranks,
)
from dsocr.runtime.kernels.triton_compat import next_power_of_2, split_width, tl, triton

DOWN_BLOCK = 1024
"""Inputs of the down projection per iteration."""


def experts_gemv(
    residual: Tensor,
    delta: Tensor | None,
    norm: Tensor,
    eps: float,
    logits: Tensor | None,
    experts: ExpertWeights,
) -> tuple[Tensor, Tensor]:
    """residual + delta (1, hidden), and the sum of the experts' outputs for its norm, (1, hidden).

    `logits` (1, experts) float32 are the router's; None where all experts are shared.
    """
    residual, x = add_norm_row(residual, delta, norm, eps)
    if logits is None:
        weights = ids = x.new_empty(1, 0)
    else:
        weights, ids = choose_experts(logits, experts)
    expert_out = apply_experts(x, weights, ids, experts)
    return residual, expert_out.float().sum(1).to(x.dtype)


def experts_gemv_fused(
    residual: Tensor,
    delta: Tensor | None,
    norm: Tensor,
    eps: float,
    logits: Tensor | None,
    experts: ExpertWeights,
    *,
    up: GemvTile = (8, 4),
    down: GemvTile = (4, 4),
    pdl: bool = False,
) -> tuple[Tensor, Tensor]:
    """`experts_gemv` in two kernels; `pdl` as in `norm_gemv_fused`."""
    hidden, width = residual.shape[-1], experts.width
    new = residual if delta is None else torch.empty_like(residual)
    inner = residual.new_empty(experts.experts_per_token, width)
    ids = residual.new_empty(max(1, experts.num_chosen), dtype=torch.int32)
    weights = residual.new_empty(max(1, experts.num_chosen), dtype=torch.float32)
    first, rest = split_width(hidden)
    _up[(-(-width // up[0]), experts.experts_per_token)](
        *(residual, delta, norm, logits, experts.w13, experts.gate, experts.up, experts.scale13),
        *(new, inner, ids, weights, eps, experts.scale),
        INPUTS=hidden,
        FIRST=first,
        REST=rest,
        WIDTH=width,
        ROWS=up[0],
        NUM_EXPERTS=experts.num_experts,
        EXPERT_BLOCK=next_power_of_2(experts.num_experts or 1),
        NUM_CHOSEN=experts.num_chosen,
        NORMALIZES=experts.normalize,
        ADDS=delta is not None,
        PDL=pdl,
        num_warps=up[1],
        **launch_options(pdl),
    )
    out = torch.empty_like(residual)
    _down[(-(-hidden // down[0]),)](
        *(inner, ids, weights, experts.w2, experts.down, experts.scale2, out),
        OUTPUTS=hidden,
        WIDTH=width,
        ROWS=down[0],
        BLOCK=min(DOWN_BLOCK, next_power_of_2(width)),
        NUM_CHOSEN=experts.num_chosen,
        NUM_SHARED=experts.num_shared,
        PDL=pdl,
        num_warps=down[1],
        **launch_options(pdl),
    )
    return new, out


@triton.jit
def _select(LOGITS, rank, scale, NUM_EXPERTS: tl.constexpr, EXPERT_BLOCK: tl.constexpr,
            NUM_CHOSEN: tl.constexpr, NORMALIZES: tl.constexpr):  # fmt: skip
    """The expert of this rank, and its weight."""
    expert = tl.arange(0, EXPERT_BLOCK)
    logits = tl.load(LOGITS + expert, mask=expert < NUM_EXPERTS, other=float("-inf"))
    probs, ranks = softmax_ranks(logits, expert)
    weight = tl.sum(tl.where(ranks == rank, probs, 0.0), 0)
    if NORMALIZES:
        weight = weight / tl.sum(tl.where(ranks < NUM_CHOSEN, probs, 0.0), 0)
    return tl.sum(tl.where(ranks == rank, expert, 0), 0), weight * scale


@triton.jit
def _up(
    X, DELTA, NORM, LOGITS, W13, GATE, UP, SCALE13, NEW, INNER, IDS, WEIGHTS, eps, scale,
    INPUTS: tl.constexpr, FIRST: tl.constexpr, REST: tl.constexpr, WIDTH: tl.constexpr,
    ROWS: tl.constexpr, NUM_EXPERTS: tl.constexpr, EXPERT_BLOCK: tl.constexpr,
    NUM_CHOSEN: tl.constexpr, NORMALIZES: tl.constexpr, ADDS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """silu(gate) * up of ROWS rows of one expert; the shared experts do not wait for the router."""
    if PDL:
        tl.extra.cuda.gdc_launch_dependents()
    rank = tl.program_id(1)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    gate = GATE + (rank - NUM_CHOSEN) * (WIDTH * INPUTS)
    up = UP + (rank - NUM_CHOSEN) * (WIDTH * INPUTS)
    # a branch cannot return pointers to int8 on one side and to floats on the other
    if SCALE13 is None:
        if NUM_CHOSEN > 0:
            if rank < NUM_CHOSEN:
                expert = _route(
                    LOGITS, IDS, WEIGHTS, rank, scale,
                    NUM_EXPERTS, EXPERT_BLOCK, NUM_CHOSEN, NORMALIZES, PDL,
                )  # fmt: skip
                gate = W13 + expert * (2 * WIDTH * INPUTS)
                up = gate + WIDTH * INPUTS
        _silu_mul_rows(
            gate, up, None, X, DELTA, NORM, NEW, INNER, row, rank, eps,
            INPUTS, FIRST, REST, WIDTH, ADDS, PDL,
        )  # fmt: skip
    elif rank < NUM_CHOSEN:
        expert = _route(
            LOGITS, IDS, WEIGHTS, rank, scale,
            NUM_EXPERTS, EXPERT_BLOCK, NUM_CHOSEN, NORMALIZES, PDL,
        )  # fmt: skip
        w13 = W13 + expert * (2 * WIDTH * INPUTS)
        _silu_mul_rows(
            w13, w13 + WIDTH * INPUTS, SCALE13 + expert * (2 * WIDTH), X, DELTA, NORM, NEW, INNER,
            row, rank, eps, INPUTS, FIRST, REST, WIDTH, ADDS, PDL,
        )  # fmt: skip
    else:
        _silu_mul_rows(
            gate, up, None, X, DELTA, NORM, NEW, INNER, row, rank, eps,
            INPUTS, FIRST, REST, WIDTH, ADDS, PDL,
        )  # fmt: skip


@triton.jit
def _route(
    LOGITS, IDS, WEIGHTS, rank, scale, NUM_EXPERTS: tl.constexpr, EXPERT_BLOCK: tl.constexpr,
    NUM_CHOSEN: tl.constexpr, NORMALIZES: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """The expert of this rank, once the router's logits are written; stored with its weight."""
    if PDL:
        tl.extra.cuda.gdc_wait()
    expert, weight = _select(LOGITS, rank, scale, NUM_EXPERTS, EXPERT_BLOCK, NUM_CHOSEN, NORMALIZES)
    if tl.program_id(0) == 0:
        tl.store(IDS + rank, expert)
        tl.store(WEIGHTS + rank, weight)
    return expert.to(tl.int64)


@triton.jit
def _silu_mul_rows(
    gate, up, SCALES, X, DELTA, NORM, NEW, INNER, row, rank, eps,
    INPUTS: tl.constexpr, FIRST: tl.constexpr, REST: tl.constexpr, WIDTH: tl.constexpr,
    ADDS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """Rows of the matrices at `gate` and `up`; SCALES of gate, then of up, or None."""
    row_mask = (row < WIDTH)[:, None]
    offset = row[:, None] * INPUTS
    first = tl.arange(0, FIRST)
    g1 = tl.load(gate + offset + first[None, :], mask=row_mask, other=0.0)
    u1 = tl.load(up + offset + first[None, :], mask=row_mask, other=0.0)
    if REST > 0:
        rest = FIRST + tl.arange(0, REST)
        rest_mask = rest < INPUTS
        g2 = tl.load(gate + offset + rest[None, :], mask=row_mask & rest_mask[None, :], other=0.0)
        u2 = tl.load(up + offset + rest[None, :], mask=row_mask & rest_mask[None, :], other=0.0)
    if PDL:
        tl.extra.cuda.gdc_wait()
    x1 = load_residual(X, DELTA, first, first < INPUTS, ADDS)
    squares = tl.sum(x1.to(tl.float32) * x1.to(tl.float32), 0)
    if REST > 0:
        x2 = load_residual(X, DELTA, rest, rest_mask, ADDS)
        squares += tl.sum(x2.to(tl.float32) * x2.to(tl.float32), 0)
    if ADDS:
        if (tl.program_id(0) == 0) & (rank == 0):
            tl.store(NEW + first, x1)
            if REST > 0:
                tl.store(NEW + rest, x2, mask=rest_mask)
    norm_scale = tl.rsqrt(squares / INPUTS + eps)
    y1 = apply_rmsnorm(x1, norm_scale, NORM, first, first < INPUTS)
    g = tl.sum(g1.to(tl.float32) * y1[None, :], 1)
    u = tl.sum(u1.to(tl.float32) * y1[None, :], 1)
    if REST > 0:
        y2 = apply_rmsnorm(x2, norm_scale, NORM, rest, rest_mask)
        g += tl.sum(g2.to(tl.float32) * y2[None, :], 1)
        u += tl.sum(u2.to(tl.float32) * y2[None, :], 1)
    if SCALES is not None:
        g *= tl.load(SCALES + row, mask=row < WIDTH, other=0.0)
        u *= tl.load(SCALES + WIDTH + row, mask=row < WIDTH, other=0.0)
    inner = g / (1.0 + tl.exp(-g)) * u
    tl.store(INNER + rank * WIDTH + row, inner.to(INNER.dtype.element_ty), mask=row < WIDTH)


@triton.jit
def _down(
    INNER, IDS, WEIGHTS, W2, DOWN, SCALE2, OUT,
    OUTPUTS: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
    NUM_CHOSEN: tl.constexpr, NUM_SHARED: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """ROWS outputs, summed over all experts of the token in the order of their ranks."""
    if PDL:
        tl.extra.cuda.gdc_launch_dependents()
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    row_mask = (row < OUTPUTS)[:, None]
    column = tl.arange(0, BLOCK)
    acc = tl.zeros((ROWS, BLOCK), tl.float32)
    if PDL:
        tl.extra.cuda.gdc_wait()
    for rank in tl.static_range(NUM_CHOSEN):
        expert = tl.load(IDS + rank).to(tl.int64)
        weight = tl.load(WEIGHTS + rank)
        w2 = W2 + expert * (OUTPUTS * WIDTH) + row[:, None] * WIDTH
        if SCALE2 is not None:
            scales = tl.load(SCALE2 + expert * OUTPUTS + row, mask=row < OUTPUTS, other=0.0)
        for k in tl.static_range(0, WIDTH, BLOCK):
            mask = k + column < WIDTH
            w = tl.load(w2 + (k + column)[None, :], mask=row_mask & mask[None, :], other=0.0)
            x = tl.load(INNER + rank * WIDTH + k + column, mask=mask, other=0.0)
            w = w.to(tl.float32)
            if SCALE2 is not None:
                w *= scales[:, None]
            acc += w * (x.to(tl.float32) * weight)[None, :]
    for index in tl.static_range(NUM_SHARED):
        down = DOWN + row[:, None] * (NUM_SHARED * WIDTH) + index * WIDTH
        for k in tl.static_range(0, WIDTH, BLOCK):
            mask = k + column < WIDTH
            w = tl.load(down + (k + column)[None, :], mask=row_mask & mask[None, :], other=0.0)
            x = tl.load(INNER + (NUM_CHOSEN + index) * WIDTH + k + column, mask=mask, other=0.0)
            acc += w.to(tl.float32) * x.to(tl.float32)[None, :]
    out = tl.sum(acc, 1)
    tl.store(OUT + row, out.to(OUT.dtype.element_ty), mask=row < OUTPUTS)
