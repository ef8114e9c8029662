"""The experts of several decoded tokens: one kernel for norm and routing, two for the experts.

A program takes a tile of one expert's weights as the left operand of `tl.dot`, so that the few
tokens are on the side where the tensor cores need only 16.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.kernels.experts import ExpertWeights, Routes, apply_experts, choose_experts
from dsocr.runtime.kernels.gemv import add_norm_row
from dsocr.runtime.kernels.primitives import apply_rmsnorm, load_residual, softmax_ranks
from dsocr.runtime.kernels.triton_compat import (
    dot_precision,
    fit_stages,
    next_power_of_2,
    tl,
    triton,
)


@dataclass(frozen=True, slots=True)
class DecodeTile:
    """Block sizes of a product: weight rows, inputs, tokens; warps and pipeline stages."""

    rows: int
    inputs: int
    tokens: int
    warps: int
    stages: int


def norm_route(
    residual: Tensor,
    delta: Tensor,
    norm: Tensor,
    eps: float,
    router: Tensor,
    experts: ExpertWeights,
    rows: Tensor,
    counts: Tensor,
) -> tuple[Tensor, Tensor, Routes]:
    """residual + delta (B, hidden), its norm, and the experts chosen for it.

    `rows` (B,) int32 are below 0 for padding, which is listed for no expert. `counts` (experts,)
    int32 must be zeros. The stride of the lists is `experts.experts_per_token`.
    """
    residual, x = add_norm_row(residual, delta, norm, eps)
    weights, ids = choose_experts(F.linear(x.float(), router.float()), experts)
    lists = torch.zeros(experts.num_experts, len(x), dtype=torch.int32, device=x.device)
    for index, expert in enumerate(ids.flatten().tolist()):
        token, rank = divmod(index, experts.num_chosen)
        if rows[token] >= 0:
            lists[expert, counts[expert]] = token * experts.experts_per_token + rank
            counts[expert] += 1
    return residual, x, Routes(weights, ids, counts, lists)


def norm_route_fused(
    residual: Tensor,
    delta: Tensor,
    norm: Tensor,
    eps: float,
    router: Tensor,
    experts: ExpertWeights,
    rows: Tensor,
    counts: Tensor,
    *,
    tile: tuple[int, int] = (128, 8),
) -> tuple[Tensor, Tensor, Routes]:
    """`norm_route` in one kernel. `tile`: inputs per iteration, warps."""
    count, hidden = residual.shape
    new, x = torch.empty_like(residual), torch.empty_like(residual)
    shape = (count, experts.num_chosen)
    weights = residual.new_empty(shape, dtype=torch.float32)
    ids = residual.new_empty(shape, dtype=torch.int32)
    lists = residual.new_empty(experts.num_experts, count, dtype=torch.int32)
    _norm_route[(count,)](
        *(residual, delta, norm, router, rows, new, x, weights, ids, counts, lists),
        *(eps, experts.scale, count),
        INPUTS=hidden,
        INPUT_BLOCK=next_power_of_2(hidden),
        BLOCK=min(tile[0], next_power_of_2(hidden)),
        NUM_EXPERTS=experts.num_experts,
        EXPERT_BLOCK=next_power_of_2(experts.num_experts),
        NUM_CHOSEN=experts.num_chosen,
        PER_TOKEN=experts.experts_per_token,
        NORMALIZES=experts.normalize,
        num_warps=tile[1],
    )
    return new, x, Routes(weights, ids, counts, lists)


def experts_decode(x: Tensor, routes: Routes, experts: ExpertWeights) -> Tensor:
    """Weighted output of each expert of each token: (B, K + shared, hidden)."""
    return apply_experts(x, routes.weights, routes.ids, experts)


def _stages(tile: DecodeTile, x: Tensor, *, matrices: int) -> int:
    stage_bytes = (tile.tokens + matrices * tile.rows) * tile.inputs * x.element_size()
    return fit_stages(tile.stages, x.device, stage_bytes=stage_bytes)


def experts_decode_fused(
    x: Tensor, routes: Routes, experts: ExpertWeights, *, up: DecodeTile, down: DecodeTile
) -> Tensor:
    """`experts_decode` in two kernels; padding gets the shared experts' outputs only."""
    count, hidden = x.shape
    width = experts.width
    inner = x.new_empty(count * experts.experts_per_token, width)
    out = x.new_empty(count, experts.experts_per_token, hidden)
    sizes = {
        "NUM_EXPERTS": experts.num_experts,
        "NUM_CHOSEN": experts.num_chosen,
        "NUM_SHARED": experts.num_shared,
        "PRECISION": dot_precision(x.dtype),
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
def _norm_route(
    X, DELTA, NORM, ROUTER, ROWS, NEW, NORMED, WEIGHTS, IDS, COUNTS, LISTS, eps, scale, count,
    INPUTS: tl.constexpr, INPUT_BLOCK: tl.constexpr, BLOCK: tl.constexpr,
    NUM_EXPERTS: tl.constexpr, EXPERT_BLOCK: tl.constexpr, NUM_CHOSEN: tl.constexpr,
    PER_TOKEN: tl.constexpr, NORMALIZES: tl.constexpr,
):  # fmt: skip
    """One token per program: residual sum, norm, router in float32, and the ranks of all experts,
    of which those below NUM_CHOSEN are chosen."""
    token = tl.program_id(0)
    expert, column = tl.arange(0, EXPERT_BLOCK), tl.arange(0, INPUT_BLOCK)
    mask = column < INPUTS
    x = load_residual(X, DELTA, token * INPUTS + column, mask, True)
    tl.store(NEW + token * INPUTS + column, x, mask=mask)
    squares = tl.sum(x.to(tl.float32) * x.to(tl.float32), 0)
    norm_scale = tl.rsqrt(squares / INPUTS + eps)
    weight = tl.load(NORM + column, mask=mask, other=0.0)
    y = (x.to(tl.float32) * norm_scale).to(x.dtype) * weight
    tl.store(NORMED + token * INPUTS + column, y, mask=mask)
    expert_mask = expert < NUM_EXPERTS
    products = tl.zeros((EXPERT_BLOCK, BLOCK), tl.float32)
    for k in tl.static_range(0, INPUTS, BLOCK):
        part = k + tl.arange(0, BLOCK)
        part_mask = part < INPUTS
        x = load_residual(X, DELTA, token * INPUTS + part, part_mask, True)
        y = apply_rmsnorm(x, norm_scale, NORM, part, part_mask)
        router = tl.load(
            ROUTER + expert[:, None] * INPUTS + part[None, :],
            mask=expert_mask[:, None] & part_mask[None, :], other=0.0,
        )  # fmt: skip
        products += router.to(tl.float32) * y[None, :]
    logits = tl.where(expert_mask, tl.sum(products, 1), float("-inf"))
    probs, rank = softmax_ranks(logits, expert)
    if NORMALIZES:
        probs = probs / tl.sum(tl.where(rank < NUM_CHOSEN, probs, 0.0), 0)
    chosen = rank < NUM_CHOSEN
    tl.store(WEIGHTS + token * NUM_CHOSEN + rank, probs * scale, mask=chosen)
    tl.store(IDS + token * NUM_CHOSEN + rank, expert, mask=chosen)
    chosen = chosen & (tl.load(ROWS + token) >= 0)
    index = tl.atomic_add(COUNTS + expert, 1, mask=chosen)
    tl.store(LISTS + expert * count + index, token * PER_TOKEN + rank, mask=chosen)


@triton.jit
def _expert_and_range(COUNTS, count, TOKENS: tl.constexpr, NUM_SHARED: tl.constexpr):
    """The expert of this program, below 0 a shared one, and the range of its list. The shared
    experts have the most tokens: they come first, with one program per TOKENS."""
    tiles = tl.cdiv(count, TOKENS)
    tile = tl.program_id(1)
    expert = tile - NUM_SHARED * tiles
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
    TOKENS: tl.constexpr, EVEN: tl.constexpr, NUM_EXPERTS: tl.constexpr, NUM_CHOSEN: tl.constexpr,
    NUM_SHARED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """silu(gate) * up of ROWS rows of one expert for its tokens."""
    expert, begin, end = _expert_and_range(COUNTS, count, TOKENS, NUM_SHARED)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    # a branch cannot return pointers to int8 on one side and to floats on the other
    if SCALE13 is None:
        if expert < 0:
            gate = GATE + (-1 - expert) * (WIDTH * INPUTS)
            up = UP + (-1 - expert) * (WIDTH * INPUTS)
        else:
            gate = W13 + expert.to(tl.int64) * (2 * WIDTH * INPUTS)
            up = gate + WIDTH * INPUTS
        _silu_mul_rows(
            gate, up, None, X, LISTS, INNER, count, expert, begin, end, row,
            INPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, NUM_CHOSEN, NUM_SHARED, PRECISION,
        )  # fmt: skip
    elif expert < 0:
        shared = (-1 - expert) * (WIDTH * INPUTS)
        _silu_mul_rows(
            GATE + shared, UP + shared, None, X, LISTS, INNER, count, expert, begin, end, row,
            INPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, NUM_CHOSEN, NUM_SHARED, PRECISION,
        )  # fmt: skip
    else:
        w13 = W13 + expert.to(tl.int64) * (2 * WIDTH * INPUTS)
        _silu_mul_rows(
            w13, w13 + WIDTH * INPUTS, SCALE13 + expert * (2 * WIDTH), X, LISTS, INNER, count,
            expert, begin, end, row, INPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, NUM_CHOSEN,
            NUM_SHARED, PRECISION,
        )  # fmt: skip


@triton.jit
def _silu_mul_rows(
    gate, up, SCALES, X, LISTS, INNER, count, expert, begin, end, row,
    INPUTS: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
    TOKENS: tl.constexpr, EVEN: tl.constexpr, NUM_CHOSEN: tl.constexpr, NUM_SHARED: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Rows of the matrices at `gate` and `up`; SCALES of gate, then of up, or None."""
    column = tl.arange(0, BLOCK)
    for first in tl.range(begin, end, TOKENS):
        index = first + tl.arange(0, TOKENS)
        token_mask = index < end
        entry = index * (NUM_CHOSEN + NUM_SHARED) + NUM_CHOSEN - 1 - expert
        if expert >= 0:
            entry = tl.load(LISTS + expert * count + index, mask=token_mask, other=0)
        token = entry // (NUM_CHOSEN + NUM_SHARED)
        g = tl.zeros((ROWS, TOKENS), tl.float32)
        u = tl.zeros((ROWS, TOKENS), tl.float32)
        for k in tl.range(0, INPUTS, BLOCK):
            column_mask = k + column < INPUTS
            offset = row[:, None] * INPUTS + k + column[None, :]
            if EVEN:
                w1 = tl.load(gate + offset)
                w3 = tl.load(up + offset)
            else:
                mask = (row < WIDTH)[:, None] & column_mask[None, :]
                w1 = tl.load(gate + offset, mask=mask, other=0.0)
                w3 = tl.load(up + offset, mask=mask, other=0.0)
            x = tl.load(
                X + token[None, :] * INPUTS + k + column[:, None],
                mask=token_mask[None, :] & column_mask[:, None], other=0.0,
            )  # fmt: skip
            g = tl.dot(w1.to(x.dtype), x, g, input_precision=PRECISION)
            u = tl.dot(w3.to(x.dtype), x, u, input_precision=PRECISION)
        if SCALES is not None:
            g *= tl.load(SCALES + row, mask=row < WIDTH, other=0.0)[:, None]
            u *= tl.load(SCALES + WIDTH + row, mask=row < WIDTH, other=0.0)[:, None]
        inner = g / (1.0 + tl.exp(-g)) * u
        tl.store(
            INNER + entry[None, :].to(tl.int64) * WIDTH + row[:, None],
            inner.to(INNER.dtype.element_ty), mask=token_mask[None, :] & (row < WIDTH)[:, None],
        )  # fmt: skip


@triton.jit(do_not_specialize=["count"])
def _down(
    INNER, COUNTS, LISTS, WEIGHTS, W2, DOWN, SCALE2, OUT, count,
    OUTPUTS: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
    TOKENS: tl.constexpr, EVEN: tl.constexpr, NUM_EXPERTS: tl.constexpr, NUM_CHOSEN: tl.constexpr,
    NUM_SHARED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """ROWS weighted outputs of one expert for its tokens."""
    expert, begin, end = _expert_and_range(COUNTS, count, TOKENS, NUM_SHARED)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    if SCALE2 is None:
        if expert < 0:
            down = DOWN + (-1 - expert) * WIDTH + row[:, None] * (NUM_SHARED * WIDTH)
        else:
            down = W2 + expert.to(tl.int64) * (OUTPUTS * WIDTH) + row[:, None] * WIDTH
        _down_rows(
            down, None, INNER, LISTS, WEIGHTS, OUT, count, expert, begin, end, row,
            OUTPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, NUM_CHOSEN, NUM_SHARED, PRECISION,
        )  # fmt: skip
    elif expert < 0:
        shared = DOWN + (-1 - expert) * WIDTH + row[:, None] * (NUM_SHARED * WIDTH)
        _down_rows(
            shared, None, INNER, LISTS, WEIGHTS, OUT, count, expert, begin, end, row,
            OUTPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, NUM_CHOSEN, NUM_SHARED, PRECISION,
        )  # fmt: skip
    else:
        w2 = W2 + expert.to(tl.int64) * (OUTPUTS * WIDTH) + row[:, None] * WIDTH
        _down_rows(
            w2, SCALE2 + expert * OUTPUTS, INNER, LISTS, WEIGHTS, OUT, count, expert, begin, end,
            row, OUTPUTS, WIDTH, ROWS, BLOCK, TOKENS, EVEN, NUM_CHOSEN, NUM_SHARED, PRECISION,
        )  # fmt: skip


@triton.jit
def _down_rows(
    down, SCALES, INNER, LISTS, WEIGHTS, OUT, count, expert, begin, end, row,
    OUTPUTS: tl.constexpr, WIDTH: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
    TOKENS: tl.constexpr, EVEN: tl.constexpr, NUM_CHOSEN: tl.constexpr, NUM_SHARED: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """Rows of the matrix at `down`, which points at each row's start."""
    column = tl.arange(0, BLOCK)
    for first in tl.range(begin, end, TOKENS):
        index = first + tl.arange(0, TOKENS)
        token_mask = index < end
        entry = index * (NUM_CHOSEN + NUM_SHARED) + NUM_CHOSEN - 1 - expert
        weight = tl.full((TOKENS,), 1.0, tl.float32)
        if expert >= 0:
            entry = tl.load(LISTS + expert * count + index, mask=token_mask, other=0)
            token = entry // (NUM_CHOSEN + NUM_SHARED)
            chosen = token * NUM_CHOSEN + entry % (NUM_CHOSEN + NUM_SHARED)
            weight = tl.load(WEIGHTS + chosen, mask=token_mask, other=0.0)
        expert_out = tl.zeros((ROWS, TOKENS), tl.float32)
        for k in tl.range(0, WIDTH, BLOCK):
            column_mask = k + column < WIDTH
            if EVEN:
                w2 = tl.load(down + (k + column)[None, :])
            else:
                mask = (row < OUTPUTS)[:, None] & column_mask[None, :]
                w2 = tl.load(down + (k + column)[None, :], mask=mask, other=0.0)
            x = tl.load(
                INNER + entry[None, :].to(tl.int64) * WIDTH + k + column[:, None],
                mask=token_mask[None, :] & column_mask[:, None], other=0.0,
            )  # fmt: skip
            expert_out = tl.dot(w2.to(x.dtype), x, expert_out, input_precision=PRECISION)
        if SCALES is not None:
            expert_out *= tl.load(SCALES + row, mask=row < OUTPUTS, other=0.0)[:, None]
        expert_out = expert_out * weight[None, :]
        tl.store(
            OUT + entry[None, :].to(tl.int64) * OUTPUTS + row[:, None],
            expert_out.to(OUT.dtype.element_ty),
            mask=token_mask[None, :] & (row < OUTPUTS)[:, None],
        )  # fmt: skip
