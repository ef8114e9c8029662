"""The chosen experts of many tokens, as in a prompt: every program takes a tile of one expert's.

`experts_decode` does the same for few tokens, which hardly fill one tile an expert. The shared
experts are plain products here and left to the library.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.kernels.experts import ExpertWeights, Routes, choose_experts, pass_chosen
from dsocr.runtime.kernels.triton_language import (
    fitting_stages,
    power_of_two,
    precision_of,
    tl,
    triton,
)

ROUTED = 16
"""Tokens that a program of the routing takes."""


@dataclass(frozen=True, slots=True)
class Tile:
    """How a product is cut: tokens, outputs, inputs; warps and stages."""

    tokens: int
    outputs: int
    inputs: int
    warps: int
    stages: int


def route(logits: Tensor, experts: ExpertWeights) -> Routes:
    """The experts that each token chooses, from scores (T, experts) float32. The lists' stride is
    the number of its choices."""
    weights, ids = choose_experts(logits, experts)
    count, chosen = ids.shape
    counts = torch.bincount(ids.flatten(), minlength=experts.num_experts).int()
    lists = ids.new_zeros(experts.num_experts, count)
    for expert in range(experts.num_experts):
        places = (ids.flatten() == expert).nonzero().flatten()
        lists[expert, : len(places)] = places
    return Routes(weights, ids, counts, lists)


def route_fused(logits: Tensor, experts: ExpertWeights) -> Routes:
    """The same in one kernel, but for the zeros it counts up from."""
    count, num_experts = logits.shape
    weights = logits.new_empty(count, experts.num_chosen)
    ids = logits.new_empty(weights.shape, dtype=torch.int32)
    counts = logits.new_zeros(num_experts, dtype=torch.int32)
    lists = logits.new_empty(num_experts, count, dtype=torch.int32)
    _route[(-(-count // ROUTED),)](
        *(logits, weights, ids, counts, lists, experts.scale, count),
        TOKENS=ROUTED,
        EXPERTS=num_experts,
        ALL=power_of_two(num_experts),
        CHOSEN=experts.num_chosen,
        PICKS=power_of_two(experts.num_chosen, least=1),
        NORMALIZES=experts.normalize,
        num_warps=4,
    )
    return Routes(weights, ids, counts, lists)


def experts_prefill(x: Tensor, routes: Routes, experts: ExpertWeights, out: Tensor) -> None:
    """What each chosen expert of each token says, weighed, to out[:, :K] (T, more than K, hidden)
    of x (T, hidden)."""
    out[:, : experts.num_chosen] = pass_chosen(x, routes.weights, routes.ids, experts)


def experts_prefill_fused(
    x: Tensor, routes: Routes, experts: ExpertWeights, out: Tensor, *, up: Tile, down: Tile
) -> None:
    """The same in two kernels; the second tells the outputs apart, `out` need not be filled."""
    (count, hidden), width = x.shape, experts.width
    assert out.is_contiguous() and experts.w13 is not None and experts.w2 is not None
    inner = x.new_empty(count * experts.num_chosen, width)
    sizes = {
        "WIDTH": width,
        "EXPERTS": experts.num_experts,
        "ALL": power_of_two(experts.num_experts),
        "CHOSEN": experts.num_chosen,
        "PRECISION": precision_of(x.dtype),
    }
    _up[(_most_tiles(count, experts, up), -(-width // up.outputs))](
        *(x, routes.counts, routes.lists, experts.w13, experts.scale13, inner, count),
        INPUTS=hidden,
        EVEN=width % up.outputs == 0 and hidden % up.inputs == 0,
        **_cut(up, x, matrices=2),
        **sizes,
    )
    _down[(_most_tiles(count, experts, down), -(-hidden // down.outputs))](
        *(inner, routes.counts, routes.lists, routes.weights, experts.w2, experts.scale2),
        *(out, count),
        HIDDEN=hidden,
        SLOTS=out.shape[1],
        EVEN=hidden % down.outputs == 0 and width % down.inputs == 0,
        **_cut(down, x, matrices=1),
        **sizes,
    )


def _most_tiles(count: int, experts: ExpertWeights, tile: Tile) -> int:
    """Every expert may have one that is not full. How many there are only the device knows."""
    return count * experts.num_chosen // tile.tokens + experts.num_experts


def _cut(tile: Tile, x: Tensor, *, matrices: int) -> dict[str, int]:
    stage_bytes = (tile.tokens + matrices * tile.outputs) * tile.inputs * x.element_size()
    return {
        "TOKENS": tile.tokens,
        "COLUMNS": tile.outputs,
        "BLOCK": tile.inputs,
        "num_warps": tile.warps,
        "num_stages": fitting_stages(tile.stages, x.device, stage_bytes=stage_bytes),
    }


@triton.jit(do_not_specialize=["count"])
def _route(
    LOGITS, WEIGHTS, IDS, COUNTS, LISTS, scale, count,
    TOKENS: tl.constexpr, EXPERTS: tl.constexpr, ALL: tl.constexpr, CHOSEN: tl.constexpr,
    PICKS: tl.constexpr, NORMALIZES: tl.constexpr,
):  # fmt: skip
    """Takes the best expert that is left, CHOSEN times; of equal ones the first."""
    token = tl.program_id(0) * TOKENS + tl.arange(0, TOKENS)
    expert, place = tl.arange(0, ALL), tl.arange(0, PICKS)
    real = token < count
    exists = (expert < EXPERTS)[None, :]
    scores = tl.load(
        LOGITS + token[:, None] * EXPERTS + expert[None, :],
        mask=real[:, None] & exists, other=-1e30,
    )  # fmt: skip
    share = tl.exp(scores - tl.max(scores, 1)[:, None])
    share = share / tl.sum(share, 1)[:, None]
    # scores may be no numbers; every pick must be an expert that was not picked before
    share = tl.where((share >= 0) & exists, share, 0.0)
    weights = tl.zeros((TOKENS, PICKS), tl.float32)
    for pick in tl.static_range(CHOSEN):
        best = tl.max(share, 1)
        at = tl.min(tl.where(share == best[:, None], expert[None, :], ALL), 1)
        share = tl.where(expert[None, :] == at[:, None], -1.0, share)
        weights = tl.where(place[None, :] == pick, best[:, None], weights)
        tl.store(IDS + token * CHOSEN + pick, at, mask=real)
        number = tl.atomic_add(COUNTS + at, 1, mask=real)
        tl.store(LISTS + at * count + number, token * CHOSEN + pick, mask=real)
    if NORMALIZES:
        weights = weights / tl.sum(weights, 1)[:, None]
    tl.store(
        WEIGHTS + token[:, None] * CHOSEN + place[None, :], weights * scale,
        mask=real[:, None] & (place < CHOSEN)[None, :],
    )  # fmt: skip


@triton.jit
def _mine(COUNTS, TOKENS: tl.constexpr, EXPERTS: tl.constexpr, ALL: tl.constexpr):
    """The expert of this program's tile, and the range of its tokens; empty where all are taken."""
    expert, tile = tl.arange(0, ALL), tl.program_id(0)
    counts = tl.load(COUNTS + expert, mask=expert < EXPERTS, other=0)
    ends = tl.cumsum(tl.cdiv(counts, TOKENS), 0)
    is_past = ends <= tile
    mine = tl.sum(is_past.to(tl.int32), 0)
    first = (tile - tl.max(tl.where(is_past, ends, 0), 0)) * TOKENS
    end = tl.sum(tl.where(expert == mine, counts, 0), 0)
    return mine, first, end


@triton.jit(do_not_specialize=["count"])
def _up(
    X, COUNTS, LISTS, W13, SCALE13, INNER, count,
    INPUTS: tl.constexpr, WIDTH: tl.constexpr, TOKENS: tl.constexpr, COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr, EVEN: tl.constexpr, EXPERTS: tl.constexpr, ALL: tl.constexpr,
    CHOSEN: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """silu(gate) * up, COLUMNS of them."""
    expert, first, end = _mine(COUNTS, TOKENS, EXPERTS, ALL)
    if first < end:
        number = first + tl.arange(0, TOKENS)
        known = number < end
        place = tl.load(LISTS + expert * count + number, mask=known, other=0)
        column, part = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS), tl.arange(0, BLOCK)
        x_row = X + (place // CHOSEN)[:, None] * INPUTS
        gate = W13 + expert.to(tl.int64) * (2 * WIDTH * INPUTS) + column[None, :] * INPUTS
        g = tl.zeros((TOKENS, COLUMNS), tl.float32)
        u = tl.zeros((TOKENS, COLUMNS), tl.float32)
        for k in tl.range(0, INPUTS, BLOCK):
            inside = k + part < INPUTS
            if EVEN:
                x = tl.load(x_row + (k + part)[None, :])
                w1 = tl.load(gate + (k + part)[:, None])
                w3 = tl.load(gate + WIDTH * INPUTS + (k + part)[:, None])
            else:
                real = inside[:, None] & (column < WIDTH)[None, :]
                x = tl.load(x_row + (k + part)[None, :], mask=inside[None, :], other=0.0)
                w1 = tl.load(gate + (k + part)[:, None], mask=real, other=0.0)
                w3 = tl.load(gate + WIDTH * INPUTS + (k + part)[:, None], mask=real, other=0.0)
            g = tl.dot(x, w1.to(x.dtype), g, input_precision=PRECISION)
            u = tl.dot(x, w3.to(x.dtype), u, input_precision=PRECISION)
        if SCALE13 is not None:
            scales = SCALE13 + expert * (2 * WIDTH) + column
            g *= tl.load(scales, mask=column < WIDTH, other=0.0)[None, :]
            u *= tl.load(scales + WIDTH, mask=column < WIDTH, other=0.0)[None, :]
        inner = g / (1.0 + tl.exp(-g)) * u
        tl.store(
            INNER + place[:, None] * WIDTH + column[None, :], inner.to(INNER.dtype.element_ty),
            mask=known[:, None] & (column < WIDTH)[None, :],
        )  # fmt: skip


@triton.jit(do_not_specialize=["count"])
def _down(
    INNER, COUNTS, LISTS, WEIGHTS, W2, SCALE2, OUT, count,
    HIDDEN: tl.constexpr, WIDTH: tl.constexpr, SLOTS: tl.constexpr, TOKENS: tl.constexpr,
    COLUMNS: tl.constexpr, BLOCK: tl.constexpr, EVEN: tl.constexpr, EXPERTS: tl.constexpr,
    ALL: tl.constexpr, CHOSEN: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """COLUMNS of the hidden width, weighed."""
    expert, first, end = _mine(COUNTS, TOKENS, EXPERTS, ALL)
    if first < end:
        number = first + tl.arange(0, TOKENS)
        known = number < end
        place = tl.load(LISTS + expert * count + number, mask=known, other=0)
        column, part = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS), tl.arange(0, BLOCK)
        row = INNER + place[:, None] * WIDTH
        down = W2 + expert.to(tl.int64) * (HIDDEN * WIDTH) + column[None, :] * WIDTH
        said = tl.zeros((TOKENS, COLUMNS), tl.float32)
        for k in tl.range(0, WIDTH, BLOCK):
            inside = k + part < WIDTH
            if EVEN:
                x = tl.load(row + (k + part)[None, :])
                w2 = tl.load(down + (k + part)[:, None])
            else:
                real = inside[:, None] & (column < HIDDEN)[None, :]
                x = tl.load(row + (k + part)[None, :], mask=inside[None, :], other=0.0)
                w2 = tl.load(down + (k + part)[:, None], mask=real, other=0.0)
            said = tl.dot(x, w2.to(x.dtype), said, input_precision=PRECISION)
        if SCALE2 is not None:
            scales = SCALE2 + expert * HIDDEN + column
            said *= tl.load(scales, mask=column < HIDDEN, other=0.0)[None, :]
        said *= tl.load(WEIGHTS + place, mask=known, other=0.0)[:, None]
        slot = place // CHOSEN * SLOTS + place % CHOSEN
        tl.store(
            OUT + slot[:, None].to(tl.int64) * HIDDEN + column[None, :],
            said.to(OUT.dtype.element_ty), mask=known[:, None] & (column < HIDDEN)[None, :],
        )  # fmt: skip
