"""The experts of one decoded token alone: two kernels that go straight to those it chose."""

from __future__ import annotations

import torch
from torch import Tensor

from dsocr.runtime.kernels.experts import ExpertWeights, choose_experts, pass_experts
from dsocr.runtime.kernels.gemv import Cut, norm_row
from dsocr.runtime.kernels.parts import launched, normed, ranked, wide_sum
from dsocr.runtime.kernels.triton_language import halves, power_of_two, tl, triton

DOWN_COLUMNS = 1024
"""Inputs that a program takes at once."""


def experts_gemv(
    residual: Tensor,
    change: Tensor | None,
    norm: Tensor,
    eps: float,
    logits: Tensor | None,
    experts: ExpertWeights,
) -> tuple[Tensor, Tensor]:
    """residual + change (1, hidden), and what the experts add to it for its norm, (1, hidden).

    `logits` (1, experts) float32 are the router's; None where there is nothing to choose.
    """
    residual, x = norm_row(residual, change, norm, eps)
    if logits is None:
        weights = ids = x.new_empty(1, 0)
    else:
        weights, ids = choose_experts(logits, experts)
    said = pass_experts(x, weights, ids, experts)
    return residual, said.float().sum(1).to(x.dtype)


def experts_gemv_fused(
    residual: Tensor,
    change: Tensor | None,
    norm: Tensor,
    eps: float,
    logits: Tensor | None,
    experts: ExpertWeights,
    *,
    up: Cut = (8, 4),
    down: Cut = (4, 4),
    ahead: bool = False,
) -> tuple[Tensor, Tensor]:
    """The same in two kernels."""
    hidden, width, slots = residual.shape[-1], experts.width, experts.slots
    new = residual if change is None else torch.empty_like(residual)
    inner = residual.new_empty(slots, width)
    chosen = residual.new_empty(max(1, experts.num_chosen), dtype=torch.int32)
    weights = residual.new_empty(max(1, experts.num_chosen), dtype=torch.float32)
    first, rest = halves(hidden)
    _up[(-(-width // up[0]), slots)](
        *(residual, change, norm, logits, experts.w13, experts.gate, experts.up, experts.scale13),
        *(new, inner, chosen, weights, eps, experts.scale),
        INPUTS=hidden,
        FIRST=first,
        REST=rest,
        WIDTH=width,
        ROWS=up[0],
        EXPERTS=experts.num_experts,
        ALL=power_of_two(experts.num_experts or 1),
        CHOSEN=experts.num_chosen,
        NORMALIZES=experts.normalize,
        ADDS=change is not None,
        AHEAD=ahead,
        num_warps=up[1],
        **launched(ahead),
    )
    out = torch.empty_like(residual)
    _down[(-(-hidden // down[0]),)](
        *(inner, chosen, weights, experts.w2, experts.down, experts.scale2, out),
        OUTPUTS=hidden,
        WIDTH=width,
        ROWS=down[0],
        COLUMNS=min(DOWN_COLUMNS, power_of_two(width)),
        CHOSEN=experts.num_chosen,
        SHARED=experts.num_shared,
        AHEAD=ahead,
        num_warps=down[1],
        **launched(ahead),
    )
    return new, out


@triton.jit
def _pick(LOGITS, place, scale, EXPERTS: tl.constexpr, ALL: tl.constexpr,
          CHOSEN: tl.constexpr, NORMALIZES: tl.constexpr):  # fmt: skip
    """The expert that is at this place, and its weight."""
    expert = tl.arange(0, ALL)
    logits = tl.load(LOGITS + expert, mask=expert < EXPERTS, other=float("-inf"))
    share, rank = ranked(logits, expert)
    weight = tl.sum(tl.where(rank == place, share, 0.0), 0)
    if NORMALIZES:
        weight = weight / tl.sum(tl.where(rank < CHOSEN, share, 0.0), 0)
    return tl.sum(tl.where(rank == place, expert, 0), 0), weight * scale


@triton.jit
def _up(
    X, CHANGE, NORM, LOGITS, W13, GATE, UP, SCALE13, NEW, INNER, IDS, WEIGHTS, eps, scale,
    INPUTS: tl.constexpr, FIRST: tl.constexpr, REST: tl.constexpr, WIDTH: tl.constexpr,
    ROWS: tl.constexpr, EXPERTS: tl.constexpr, ALL: tl.constexpr, CHOSEN: tl.constexpr,
    NORMALIZES: tl.constexpr, ADDS: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """silu(gate) * up of ROWS rows of one expert; the shared ones need not wait to be chosen."""
    if AHEAD:
        tl.extra.cuda.gdc_launch_dependents()
    place = tl.program_id(1)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    gate = GATE + (place - CHOSEN) * (WIDTH * INPUTS)
    up = UP + (place - CHOSEN) * (WIDTH * INPUTS)
    # pointers to int8 and to floats are of two types, which no branch can join
    if SCALE13 is None:
        if CHOSEN > 0:
            if place < CHOSEN:
                expert = _chosen(
                    LOGITS, IDS, WEIGHTS, place, scale, EXPERTS, ALL, CHOSEN, NORMALIZES, AHEAD
                )
                gate = W13 + expert * (2 * WIDTH * INPUTS)
                up = gate + WIDTH * INPUTS
        _gated(
            gate, up, None, X, CHANGE, NORM, NEW, INNER, row, place, eps,
            INPUTS, FIRST, REST, WIDTH, ADDS, AHEAD,
        )  # fmt: skip
    elif place < CHOSEN:
        expert = _chosen(
            LOGITS, IDS, WEIGHTS, place, scale, EXPERTS, ALL, CHOSEN, NORMALIZES, AHEAD
        )
        own = W13 + expert * (2 * WIDTH * INPUTS)
        _gated(
            own, own + WIDTH * INPUTS, SCALE13 + expert * (2 * WIDTH), X, CHANGE, NORM, NEW, INNER,
            row, place, eps, INPUTS, FIRST, REST, WIDTH, ADDS, AHEAD,
        )  # fmt: skip
    else:
        _gated(
            gate, up, None, X, CHANGE, NORM, NEW, INNER, row, place, eps,
            INPUTS, FIRST, REST, WIDTH, ADDS, AHEAD,
        )  # fmt: skip


@triton.jit
def _chosen(
    LOGITS, IDS, WEIGHTS, place, scale, EXPERTS: tl.constexpr, ALL: tl.constexpr,
    CHOSEN: tl.constexpr, NORMALIZES: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """The expert at this place, as soon as the scores are there; written down with its weight."""
    if AHEAD:
        tl.extra.cuda.gdc_wait()
    expert, weight = _pick(LOGITS, place, scale, EXPERTS, ALL, CHOSEN, NORMALIZES)
    if tl.program_id(0) == 0:
        tl.store(IDS + place, expert)
        tl.store(WEIGHTS + place, weight)
    return expert.to(tl.int64)


@triton.jit
def _gated(
    gate, up, SCALES, X, CHANGE, NORM, NEW, INNER, row, place, eps,
    INPUTS: tl.constexpr, FIRST: tl.constexpr, REST: tl.constexpr, WIDTH: tl.constexpr,
    ADDS: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """The rows of these two matrices; SCALES of the first, then of the second, if they have any."""
    known = (row < WIDTH)[:, None]
    begin = row[:, None] * INPUTS
    first = tl.arange(0, FIRST)
    g1 = tl.load(gate + begin + first[None, :], mask=known, other=0.0)
    u1 = tl.load(up + begin + first[None, :], mask=known, other=0.0)
    if REST > 0:
        rest = FIRST + tl.arange(0, REST)
        real = rest < INPUTS
        g2 = tl.load(gate + begin + rest[None, :], mask=known & real[None, :], other=0.0)
        u2 = tl.load(up + begin + rest[None, :], mask=known & real[None, :], other=0.0)
    if AHEAD:
        tl.extra.cuda.gdc_wait()
    x1 = wide_sum(X, CHANGE, first, first < INPUTS, ADDS)
    squares = tl.sum(x1.to(tl.float32) * x1.to(tl.float32), 0)
    if REST > 0:
        x2 = wide_sum(X, CHANGE, rest, real, ADDS)
        squares += tl.sum(x2.to(tl.float32) * x2.to(tl.float32), 0)
    if ADDS:
        if (tl.program_id(0) == 0) & (place == 0):
            tl.store(NEW + first, x1)
            if REST > 0:
                tl.store(NEW + rest, x2, mask=real)
    norm_scale = tl.rsqrt(squares / INPUTS + eps)
    y1 = normed(x1, norm_scale, NORM, first, first < INPUTS)
    g = tl.sum(g1.to(tl.float32) * y1[None, :], 1)
    u = tl.sum(u1.to(tl.float32) * y1[None, :], 1)
    if REST > 0:
        y2 = normed(x2, norm_scale, NORM, rest, real)
        g += tl.sum(g2.to(tl.float32) * y2[None, :], 1)
        u += tl.sum(u2.to(tl.float32) * y2[None, :], 1)
    if SCALES is not None:
        g *= tl.load(SCALES + row, mask=row < WIDTH, other=0.0)
        u *= tl.load(SCALES + WIDTH + row, mask=row < WIDTH, other=0.0)
    inner = g / (1.0 + tl.exp(-g)) * u
    tl.store(INNER + place * WIDTH + row, inner.to(INNER.dtype.element_ty), mask=row < WIDTH)


@triton.jit
def _down(
    INNER, IDS, WEIGHTS, W2, DOWN, SCALE2, OUT,
    OUTPUTS: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
    CHOSEN: tl.constexpr, SHARED: tl.constexpr, AHEAD: tl.constexpr,
):  # fmt: skip
    """ROWS outputs of all the token's experts, summed in one order whatever was chosen."""
    if AHEAD:
        tl.extra.cuda.gdc_launch_dependents()
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    known = (row < OUTPUTS)[:, None]
    column = tl.arange(0, COLUMNS)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    if AHEAD:
        tl.extra.cuda.gdc_wait()
    for place in tl.static_range(CHOSEN):
        expert = tl.load(IDS + place).to(tl.int64)
        weight = tl.load(WEIGHTS + place)
        begin = W2 + expert * (OUTPUTS * WIDTH) + row[:, None] * WIDTH
        if SCALE2 is not None:
            scales = tl.load(SCALE2 + expert * OUTPUTS + row, mask=row < OUTPUTS, other=0.0)
        for k in tl.static_range(0, WIDTH, COLUMNS):
            real = k + column < WIDTH
            w = tl.load(begin + (k + column)[None, :], mask=known & real[None, :], other=0.0)
            x = tl.load(INNER + place * WIDTH + k + column, mask=real, other=0.0)
            w = w.to(tl.float32)
            if SCALE2 is not None:
                w *= scales[:, None]
            total += w * (x.to(tl.float32) * weight)[None, :]
    for number in tl.static_range(SHARED):
        begin = DOWN + row[:, None] * (SHARED * WIDTH) + number * WIDTH
        for k in tl.static_range(0, WIDTH, COLUMNS):
            real = k + column < WIDTH
            w = tl.load(begin + (k + column)[None, :], mask=known & real[None, :], other=0.0)
            x = tl.load(INNER + (CHOSEN + number) * WIDTH + k + column, mask=real, other=0.0)
            total += w.to(tl.float32) * x.to(tl.float32)[None, :]
    out = tl.sum(total, 1)
    tl.store(OUT + row, out.to(OUT.dtype.element_ty), mask=row < OUTPUTS)
