"""The experts of many decoded tokens: routed in one kernel, passed expert by expert in two.

A program holds a piece of one expert's weights as the left operand of the tensor cores, so that few
tokens waste none of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.kernels.experts import ExpertWeights, Routes, choose_experts, pass_experts
from dsocr.runtime.kernels.gemv import norm_row
from dsocr.runtime.kernels.parts import normed, ranked, wide_sum
from dsocr.runtime.kernels.triton_language import (
    fitting_stages,
    power_of_two,
    precision_of,
    tl,
    triton,
)


@dataclass(frozen=True, slots=True)
class Tiles:
    """How a product is cut: weight rows, inputs, tokens; warps and stages."""

    rows: int
    inputs: int
    tokens: int
    warps: int
    stages: int


def norm_route(
    residual: Tensor,
    change: Tensor,
    norm: Tensor,
    eps: float,
    router: Tensor,
    experts: ExpertWeights,
    owners: Tensor,
    counts: Tensor,
) -> tuple[Tensor, Tensor, Routes]:
    """residual + change (B, hidden), its norm, and the experts that choose it.

    `owners` (B,) int32 below 0 mark rows that nobody reads; they are given to no expert. `counts`
    (experts,) must be zeros. The lists' stride is `experts.slots`.
    """
    residual, x = norm_row(residual, change, norm, eps)
    weights, ids = choose_experts(F.linear(x.float(), router.float()), experts)
    lists = torch.zeros(experts.num_experts, len(x), dtype=torch.int32, device=x.device)
    for place, expert in enumerate(ids.flatten().tolist()):
        token, pick = divmod(place, experts.num_chosen)
        if owners[token] >= 0:
            lists[expert, counts[expert]] = token * experts.slots + pick
            counts[expert] += 1
    return residual, x, Routes(weights, ids, counts, lists)


def norm_route_fused(
    residual: Tensor,
    change: Tensor,
    norm: Tensor,
    eps: float,
    router: Tensor,
    experts: ExpertWeights,
    owners: Tensor,
    counts: Tensor,
    *,
    cut: tuple[int, int] = (128, 8),
) -> tuple[Tensor, Tensor, Routes]:
    """The same in one kernel. `cut`: inputs taken at once, warps."""
    count, hidden = residual.shape
    new, x = torch.empty_like(residual), torch.empty_like(residual)
    shape = (count, experts.num_chosen)
    weights = residual.new_empty(shape, dtype=torch.float32)
    ids = residual.new_empty(shape, dtype=torch.int32)
    lists = residual.new_empty(experts.num_experts, count, dtype=torch.int32)
    _route[(count,)](
        *(residual, change, norm, router, owners, new, x, weights, ids, counts, lists),
        *(eps, experts.scale, count),
        INPUTS=hidden,
        WHOLE=power_of_two(hidden),
        BLOCK=min(cut[0], power_of_two(hidden)),
        EXPERTS=experts.num_experts,
        ALL=power_of_two(experts.num_experts),
        CHOSEN=experts.num_chosen,
        SLOTS=experts.slots,
        NORMALIZES=experts.normalize,
        num_warps=cut[1],
    )
    return new, x, Routes(weights, ids, counts, lists)


def experts_decode(x: Tensor, routes: Routes, experts: ExpertWeights) -> Tensor:
    """What each expert of each token says, weighed: (B, slots, hidden)."""
    return pass_experts(x, routes.weights, routes.ids, experts)


def _stages(tiles: Tiles, x: Tensor, *, matrices: int) -> int:
    stage_bytes = (tiles.tokens + matrices * tiles.rows) * tiles.inputs * x.element_size()
    return fitting_stages(tiles.stages, x.device, stage_bytes=stage_bytes)


def experts_decode_fused(
    x: Tensor, routes: Routes, experts: ExpertWeights, *, up: Tiles, down: Tiles
) -> Tensor:
    """The same; rows that nobody reads get their shared experts' part only."""
    count, hidden = x.shape
    width, slots = experts.width, experts.slots
    inner = x.new_empty(count * slots, width)
    out = x.new_empty(count, slots, hidden)
    sizes = {
        "EXPERTS": experts.num_experts,
        "CHOSEN": experts.num_chosen,
        "SHARED": experts.num_shared,
        "PRECISION": precision_of(x.dtype),
    }
    _up[(-(-width // up.rows), experts.num_experts + experts.num_shared * -(-count // up.tokens))](
        *(x, routes.counts, routes.lists, experts.w13, experts.gate, experts.up),
        *(experts.scale13, inner, count),
        INPUTS=hidden,
        WIDTH=width,
        ROWS=up.rows,
        BLOCK=up.inputs,
        TOKENS=up.tokens,
        EVEN=width % up.rows == 0 and hidden % up.inputs == 0,
        num_warps=up.warps,
        num_stages=_stages(up, x, matrices=2),
        **sizes,
    )
    tiles = experts.num_experts + experts.num_shared * -(-count // down.tokens)
    _down[(-(-hidden // down.rows), tiles)](
        *(inner, routes.counts, routes.lists, routes.weights, experts.w2, experts.down),
        *(experts.scale2, out, count),
        OUTPUTS=hidden,
        WIDTH=width,
        ROWS=down.rows,
        BLOCK=down.inputs,
        TOKENS=down.tokens,
        EVEN=hidden % down.rows == 0 and width % down.inputs == 0,
        num_warps=down.warps,
        num_stages=_stages(down, x, matrices=1),
        **sizes,
    )
    return out


@triton.jit(do_not_specialize=["count"])
def _route(
    X, CHANGE, NORM, ROUTER, OWNERS, NEW, NORMED, WEIGHTS, IDS, COUNTS, LISTS, eps, scale, count,
    INPUTS: tl.constexpr, WHOLE: tl.constexpr, BLOCK: tl.constexpr, EXPERTS: tl.constexpr,
    ALL: tl.constexpr, CHOSEN: tl.constexpr, SLOTS: tl.constexpr, NORMALIZES: tl.constexpr,
):  # fmt: skip
    """One token: its sum, its norm, its scores in float32; an expert's rank is how many beat it."""
    token = tl.program_id(0)
    expert, column = tl.arange(0, ALL), tl.arange(0, WHOLE)
    real = column < INPUTS
    x = wide_sum(X, CHANGE, token * INPUTS + column, real, True)
    tl.store(NEW + token * INPUTS + column, x, mask=real)
    squares = tl.sum(x.to(tl.float32) * x.to(tl.float32), 0)
    norm_scale = tl.rsqrt(squares / INPUTS + eps)
    weight = tl.load(NORM + column, mask=real, other=0.0)
    y = (x.to(tl.float32) * norm_scale).to(x.dtype) * weight
    tl.store(NORMED + token * INPUTS + column, y, mask=real)
    exists = expert < EXPERTS
    products = tl.zeros((ALL, BLOCK), tl.float32)
    for k in tl.static_range(0, INPUTS, BLOCK):
        part = k + tl.arange(0, BLOCK)
        inside = part < INPUTS
        x = wide_sum(X, CHANGE, token * INPUTS + part, inside, True)
        y = normed(x, norm_scale, NORM, part, inside)
        router = tl.load(
            ROUTER + expert[:, None] * INPUTS + part[None, :],
            mask=exists[:, None] & inside[None, :], other=0.0,
        )  # fmt: skip
        products += router.to(tl.float32) * y[None, :]
    scores = tl.where(exists, tl.sum(products, 1), float("-inf"))
    share, rank = ranked(scores, expert)
    if NORMALIZES:
        share = share / tl.sum(tl.where(rank < CHOSEN, share, 0.0), 0)
    chosen = rank < CHOSEN
    tl.store(WEIGHTS + token * CHOSEN + rank, share * scale, mask=chosen)
    tl.store(IDS + token * CHOSEN + rank, expert, mask=chosen)
    chosen = chosen & (tl.load(OWNERS + token) >= 0)
    at = tl.atomic_add(COUNTS + expert, 1, mask=chosen)
    tl.store(LISTS + expert * count + at, token * SLOTS + rank, mask=chosen)


@triton.jit
def _whose(COUNTS, count, TOKENS: tl.constexpr, SHARED: tl.constexpr):
    """The expert of this program, below 0 a shared one, and the range of its tokens. The shared
    ones have the most to do and come first, cut in pieces."""
    tiles = tl.cdiv(count, TOKENS)
    tile = tl.program_id(1)
    expert = tile - SHARED * tiles
    if expert < 0:
        begin = tile % tiles * TOKENS
        expert = -1 - tile // tiles
        end = tl.minimum(begin + TOKENS, count)
    else:
        begin = 0
        end = tl.load(COUNTS + expert)
    return expert, begin, end


@triton.jit(do_not_specialize=["count"])
def _up(
    X, COUNTS, LISTS, W13, GATE, UP, SCALE13, INNER, count,
    INPUTS: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
    TOKENS: tl.constexpr, EVEN: tl.constexpr, EXPERTS: tl.constexpr, CHOSEN: tl.constexpr,
    SHARED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """silu(gate) * up of ROWS rows of one expert for its tokens."""
    expert, begin, end = _whose(COUNTS, count, TOKENS, SHARED)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    # pointers to int8 and to floats are of two types, which no branch can join
    if SCALE13 is None:
        if expert < 0:
            gate = GATE + (-1 - expert) * (WIDTH * INPUTS)
            up = UP + (-1 - expert) * (WIDTH * INPUTS)
        else:
            gate = W13 + expert.to(tl.int64) * (2 * WIDTH * INPUTS)
            up = gate + WIDTH * INPUTS
        _gated(
            gate, up, None, X, LISTS, INNER, count, expert, begin, end, row,
            INPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, CHOSEN, SHARED, PRECISION,
        )  # fmt: skip
    elif expert < 0:
        shared = (-1 - expert) * (WIDTH * INPUTS)
        _gated(
            GATE + shared, UP + shared, None, X, LISTS, INNER, count, expert, begin, end, row,
            INPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, CHOSEN, SHARED, PRECISION,
        )  # fmt: skip
    else:
        own = W13 + expert.to(tl.int64) * (2 * WIDTH * INPUTS)
        _gated(
            own, own + WIDTH * INPUTS, SCALE13 + expert * (2 * WIDTH), X, LISTS, INNER, count,
            expert, begin, end, row, INPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, CHOSEN, SHARED,
            PRECISION,
        )  # fmt: skip


@triton.jit
def _gated(
    gate, up, SCALES, X, LISTS, INNER, count, expert, begin, end, row,
    INPUTS: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
    TOKENS: tl.constexpr, EVEN: tl.constexpr, CHOSEN: tl.constexpr, SHARED: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """The rows of these two matrices; SCALES of the first, then of the second, if they have any."""
    column = tl.arange(0, BLOCK)
    for first in tl.range(begin, end, TOKENS):
        number = first + tl.arange(0, TOKENS)
        known = number < end
        place = number * (CHOSEN + SHARED) + CHOSEN - 1 - expert
        if expert >= 0:
            place = tl.load(LISTS + expert * count + number, mask=known, other=0)
        token = place // (CHOSEN + SHARED)
        g = tl.zeros((ROWS, TOKENS), tl.float32)
        u = tl.zeros((ROWS, TOKENS), tl.float32)
        for k in tl.range(0, INPUTS, BLOCK):
            inside = k + column < INPUTS
            at = row[:, None] * INPUTS + k + column[None, :]
            if EVEN:
                w1 = tl.load(gate + at)
                w3 = tl.load(up + at)
            else:
                real = (row < WIDTH)[:, None] & inside[None, :]
                w1 = tl.load(gate + at, mask=real, other=0.0)
                w3 = tl.load(up + at, mask=real, other=0.0)
            x = tl.load(
                X + token[None, :] * INPUTS + k + column[:, None],
                mask=known[None, :] & inside[:, None], other=0.0,
            )  # fmt: skip
            g = tl.dot(w1.to(x.dtype), x, g, input_precision=PRECISION)
            u = tl.dot(w3.to(x.dtype), x, u, input_precision=PRECISION)
        if SCALES is not None:
            g *= tl.load(SCALES + row, mask=row < WIDTH, other=0.0)[:, None]
            u *= tl.load(SCALES + WIDTH + row, mask=row < WIDTH, other=0.0)[:, None]
        inner = g / (1.0 + tl.exp(-g)) * u
        tl.store(
            INNER + place[None, :].to(tl.int64) * WIDTH + row[:, None],
            inner.to(INNER.dtype.element_ty), mask=known[None, :] & (row < WIDTH)[:, None],
        )  # fmt: skip


@triton.jit(do_not_specialize=["count"])
def _down(
    INNER, COUNTS, LISTS, WEIGHTS, W2, DOWN, SCALE2, OUT, count,
    OUTPUTS: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
    TOKENS: tl.constexpr, EVEN: tl.constexpr, EXPERTS: tl.constexpr, CHOSEN: tl.constexpr,
    SHARED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """ROWS outputs of one expert for its tokens, weighed."""
    expert, begin, end = _whose(COUNTS, count, TOKENS, SHARED)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    if SCALE2 is None:
        if expert < 0:
            down = DOWN + (-1 - expert) * WIDTH + row[:, None] * (SHARED * WIDTH)
        else:
            down = W2 + expert.to(tl.int64) * (OUTPUTS * WIDTH) + row[:, None] * WIDTH
        _said(
            down, None, INNER, LISTS, WEIGHTS, OUT, count, expert, begin, end, row,
            OUTPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, CHOSEN, SHARED, PRECISION,
        )  # fmt: skip
    elif expert < 0:
        shared = DOWN + (-1 - expert) * WIDTH + row[:, None] * (SHARED * WIDTH)
        _said(
            shared, None, INNER, LISTS, WEIGHTS, OUT, count, expert, begin, end, row,
            OUTPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, CHOSEN, SHARED, PRECISION,
        )  # fmt: skip
    else:
        own = W2 + expert.to(tl.int64) * (OUTPUTS * WIDTH) + row[:, None] * WIDTH
        _said(
            own, SCALE2 + expert * OUTPUTS, INNER, LISTS, WEIGHTS, OUT, count, expert, begin, end,
            row, OUTPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, CHOSEN, SHARED, PRECISION,
        )  # fmt: skip


@triton.jit
def _said(
    down, SCALES, INNER, LISTS, WEIGHTS, OUT, count, expert, begin, end, row,
    OUTPUTS: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
    TOKENS: tl.constexpr, EVEN: tl.constexpr, CHOSEN: tl.constexpr, SHARED: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """The rows that begin at `down`."""
    column = tl.arange(0, BLOCK)
    for first in tl.range(begin, end, TOKENS):
        number = first + tl.arange(0, TOKENS)
        known = number < end
        place = number * (CHOSEN + SHARED) + CHOSEN - 1 - expert
        weight = tl.full((TOKENS,), 1.0, tl.float32)
        if expert >= 0:
            place = tl.load(LISTS + expert * count + number, mask=known, other=0)
            chosen = place // (CHOSEN + SHARED) * CHOSEN + place % (CHOSEN + SHARED)
            weight = tl.load(WEIGHTS + chosen, mask=known, other=0.0)
        said = tl.zeros((ROWS, TOKENS), tl.float32)
        for k in tl.range(0, WIDTH, BLOCK):
            inside = k + column < WIDTH
            if EVEN:
                w2 = tl.load(down + (k + column)[None, :])
            else:
                real = (row < OUTPUTS)[:, None] & inside[None, :]
                w2 = tl.load(down + (k + column)[None, :], mask=real, other=0.0)
            x = tl.load(
                INNER + place[None, :].to(tl.int64) * WIDTH + k + column[:, None],
                mask=known[None, :] & inside[:, None], other=0.0,
            )  # fmt: skip
            said = tl.dot(w2.to(x.dtype), x, said, input_precision=PRECISION)
        if SCALES is not None:
            said *= tl.load(SCALES + row, mask=row < OUTPUTS, other=0.0)[:, None]
        said = said * weight[None, :]
        tl.store(
            OUT + place[None, :].to(tl.int64) * OUTPUTS + row[:, None],
            said.to(OUT.dtype.element_ty), mask=known[None, :] & (row < OUTPUTS)[:, None],
        )  # fmt: skip
