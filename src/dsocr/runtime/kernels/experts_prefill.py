"""The chosen experts of many tokens, as in prefill: each program computes a tile of one expert.

`experts_decode` does the same for few tokens, which rarely fill one tile per expert. The shared
experts are plain GEMMs here and left to cuBLAS.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.kernels.experts import ExpertWeights, Routes, apply_chosen, choose_experts
from dsocr.runtime.kernels.triton_compat import (
    dot_precision,
    fit_stages,
    next_power_of_2,
    tl,
    triton,
)

ROUTE_TOKENS = 16
"""Tokens per program of the routing."""


@dataclass(frozen=True, slots=True)
class PrefillTile:
    """Block sizes of a product: tokens, outputs, inputs; warps and pipeline stages."""

    tokens: int
    outputs: int
    inputs: int
    warps: int
    stages: int


def route(logits: Tensor, experts: ExpertWeights) -> Routes:
    """The experts chosen for each token by logits (T, experts) float32. The stride of the lists is
    `experts.num_chosen`."""
    weights, ids = choose_experts(logits, experts)
    count, chosen = ids.shape
    counts = torch.bincount(ids.flatten(), minlength=experts.num_experts).int()
    lists = ids.new_zeros(experts.num_experts, count)
    for expert in range(experts.num_experts):
        entries = (ids.flatten() == expert).nonzero().flatten()
        lists[expert, : len(entries)] = entries
    return Routes(weights, ids, counts, lists)


def route_fused(logits: Tensor, experts: ExpertWeights, rows: Tensor | None = None) -> Routes:
    """`route` in one kernel, besides the one that zeroes `counts`. `rows` (T,) int32 are below 0
    for padding, which is listed for no expert."""
    count, num_experts = logits.shape
    weights = logits.new_empty(count, experts.num_chosen)
    ids = logits.new_empty(weights.shape, dtype=torch.int32)
    counts = logits.new_zeros(num_experts, dtype=torch.int32)
    lists = logits.new_empty(num_experts, count, dtype=torch.int32)
    _route[(-(-count // ROUTE_TOKENS),)](
        *(logits, rows, weights, ids, counts, lists, experts.scale, count),
        TOKENS=ROUTE_TOKENS,
        NUM_EXPERTS=num_experts,
        EXPERT_BLOCK=next_power_of_2(num_experts),
        NUM_CHOSEN=experts.num_chosen,
        CHOSEN_BLOCK=next_power_of_2(experts.num_chosen, minimum=1),
        NORMALIZES=experts.normalize,
        num_warps=4,
    )
    return Routes(weights, ids, counts, lists)


def experts_prefill(x: Tensor, routes: Routes, experts: ExpertWeights, out: Tensor) -> None:
    """Writes the weighted output of each chosen expert for x (T, hidden) to out[:, :K] of out
    (T, more than K, hidden)."""
    out[:, : experts.num_chosen] = apply_chosen(x, routes.weights, routes.ids, experts)


def experts_prefill_fused(
    x: Tensor,
    routes: Routes,
    experts: ExpertWeights,
    out: Tensor,
    *,
    up: PrefillTile,
    down: PrefillTile,
) -> None:
    """`experts_prefill` in two kernels; `out` must be contiguous and need not be initialized."""
    (count, hidden), width = x.shape, experts.width
    assert out.is_contiguous() and experts.w13 is not None and experts.w2 is not None
    inner = x.new_empty(count * experts.num_chosen, width)
    sizes = {
        "WIDTH": width,
        "NUM_EXPERTS": experts.num_experts,
        "EXPERT_BLOCK": next_power_of_2(experts.num_experts),
        "NUM_CHOSEN": experts.num_chosen,
        "PRECISION": dot_precision(x.dtype),
    }
    _up[(_max_tiles(count, experts, up), -(-width // up.outputs))](
        *(x, routes.counts, routes.lists, experts.w13, experts.scale13, inner, count),
        INPUTS=hidden,
        EVEN=width % up.outputs == 0 and hidden % up.inputs == 0,
        **_launch_options(up, x, matrices=2),
        **sizes,
    )
    _down[(_max_tiles(count, experts, down), -(-hidden // down.outputs))](
        *(inner, routes.counts, routes.lists, routes.weights, experts.w2, experts.scale2),
        *(out, count),
        HIDDEN=hidden,
        PER_TOKEN=out.shape[1],
        EVEN=hidden % down.outputs == 0 and width % down.inputs == 0,
        **_launch_options(down, x, matrices=1),
        **sizes,
    )


def _max_tiles(count: int, experts: ExpertWeights, tile: PrefillTile) -> int:
    """An upper bound: each expert may have one partial tile. Only the device has the counts."""
    return count * experts.num_chosen // tile.tokens + experts.num_experts


def _launch_options(tile: PrefillTile, x: Tensor, *, matrices: int) -> dict[str, int]:
    stage_bytes = (tile.tokens + matrices * tile.outputs) * tile.inputs * x.element_size()
    return {
        "TOKENS": tile.tokens,
        "COLUMNS": tile.outputs,
        "BLOCK": tile.inputs,
        "num_warps": tile.warps,
        "num_stages": fit_stages(tile.stages, x.device, stage_bytes=stage_bytes),
    }


@triton.jit(do_not_specialize=["count"])
def _route(
    LOGITS, ROWS, WEIGHTS, IDS, COUNTS, LISTS, scale, count,
    TOKENS: tl.constexpr, NUM_EXPERTS: tl.constexpr, EXPERT_BLOCK: tl.constexpr,
    NUM_CHOSEN: tl.constexpr, CHOSEN_BLOCK: tl.constexpr, NORMALIZES: tl.constexpr,
):  # fmt: skip
    """Takes the best remaining expert NUM_CHOSEN times; of equal ones the first."""
    token = tl.program_id(0) * TOKENS + tl.arange(0, TOKENS)
    expert, column = tl.arange(0, EXPERT_BLOCK), tl.arange(0, CHOSEN_BLOCK)
    token_mask = token < count
    is_listed = token_mask
    if ROWS is not None:
        is_listed = token_mask & (tl.load(ROWS + token, mask=token_mask, other=-1) >= 0)
    expert_mask = (expert < NUM_EXPERTS)[None, :]
    logits = tl.load(
        LOGITS + token[:, None] * NUM_EXPERTS + expert[None, :],
        mask=token_mask[:, None] & expert_mask, other=-1e30,
    )  # fmt: skip
    probs = tl.exp(logits - tl.max(logits, 1)[:, None])
    probs = probs / tl.sum(probs, 1)[:, None]
    # logits may be NaN: each chosen expert must still exist and differ from those chosen before
    probs = tl.where((probs >= 0) & expert_mask, probs, 0.0)
    weights = tl.zeros((TOKENS, CHOSEN_BLOCK), tl.float32)
    for rank in tl.static_range(NUM_CHOSEN):
        best = tl.max(probs, 1)
        chosen = tl.min(tl.where(probs == best[:, None], expert[None, :], EXPERT_BLOCK), 1)
        probs = tl.where(expert[None, :] == chosen[:, None], -1.0, probs)
        weights = tl.where(column[None, :] == rank, best[:, None], weights)
        tl.store(IDS + token * NUM_CHOSEN + rank, chosen, mask=token_mask)
        index = tl.atomic_add(COUNTS + chosen, 1, mask=is_listed)
        tl.store(LISTS + chosen * count + index, token * NUM_CHOSEN + rank, mask=is_listed)
    if NORMALIZES:
        weights = weights / tl.sum(weights, 1)[:, None]
    tl.store(
        WEIGHTS + token[:, None] * NUM_CHOSEN + column[None, :], weights * scale,
        mask=token_mask[:, None] & (column < NUM_CHOSEN)[None, :],
    )  # fmt: skip


@triton.jit
def _expert_and_range(
    COUNTS, TOKENS: tl.constexpr, NUM_EXPERTS: tl.constexpr, EXPERT_BLOCK: tl.constexpr
):
    """The expert of this program's tile, and the range of its list; empty past the last tile."""
    experts, tile = tl.arange(0, EXPERT_BLOCK), tl.program_id(0)
    counts = tl.load(COUNTS + experts, mask=experts < NUM_EXPERTS, other=0)
    ends = tl.cumsum(tl.cdiv(counts, TOKENS), 0)
    is_past = ends <= tile
    expert = tl.sum(is_past.to(tl.int32), 0)
    first = (tile - tl.max(tl.where(is_past, ends, 0), 0)) * TOKENS
    end = tl.sum(tl.where(experts == expert, counts, 0), 0)
    return expert, first, end


@triton.jit(do_not_specialize=["count"])
def _up(
    X, COUNTS, LISTS, W13, SCALE13, INNER, count,
    INPUTS: tl.constexpr, WIDTH: tl.constexpr, TOKENS: tl.constexpr, COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr, EVEN: tl.constexpr, NUM_EXPERTS: tl.constexpr, EXPERT_BLOCK: tl.constexpr,
    NUM_CHOSEN: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """silu(gate) * up, COLUMNS of the expert's width."""
    expert, first, end = _expert_and_range(COUNTS, TOKENS, NUM_EXPERTS, EXPERT_BLOCK)
    if first < end:
        index = first + tl.arange(0, TOKENS)
        token_mask = index < end
        entry = tl.load(LISTS + expert * count + index, mask=token_mask, other=0)
        column, part = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS), tl.arange(0, BLOCK)
        x_row = X + (entry // NUM_CHOSEN)[:, None] * INPUTS
        gate = W13 + expert.to(tl.int64) * (2 * WIDTH * INPUTS) + column[None, :] * INPUTS
        g = tl.zeros((TOKENS, COLUMNS), tl.float32)
        u = tl.zeros((TOKENS, COLUMNS), tl.float32)
        for k in tl.range(0, INPUTS, BLOCK):
            part_mask = k + part < INPUTS
            if EVEN:
                x = tl.load(x_row + (k + part)[None, :])
                w1 = tl.load(gate + (k + part)[:, None])
                w3 = tl.load(gate + WIDTH * INPUTS + (k + part)[:, None])
            else:
                mask = part_mask[:, None] & (column < WIDTH)[None, :]
                x = tl.load(x_row + (k + part)[None, :], mask=part_mask[None, :], other=0.0)
                w1 = tl.load(gate + (k + part)[:, None], mask=mask, other=0.0)
                w3 = tl.load(gate + WIDTH * INPUTS + (k + part)[:, None], mask=mask, other=0.0)
            g = tl.dot(x, w1.to(x.dtype), g, input_precision=PRECISION)
            u = tl.dot(x, w3.to(x.dtype), u, input_precision=PRECISION)
        if SCALE13 is not None:
            scales = SCALE13 + expert * (2 * WIDTH) + column
            g *= tl.load(scales, mask=column < WIDTH, other=0.0)[None, :]
            u *= tl.load(scales + WIDTH, mask=column < WIDTH, other=0.0)[None, :]
        inner = g / (1.0 + tl.exp(-g)) * u
        tl.store(
            INNER + entry[:, None] * WIDTH + column[None, :], inner.to(INNER.dtype.element_ty),
            mask=token_mask[:, None] & (column < WIDTH)[None, :],
        )  # fmt: skip


@triton.jit(do_not_specialize=["count"])
def _down(
    INNER, COUNTS, LISTS, WEIGHTS, W2, SCALE2, OUT, count,
    HIDDEN: tl.constexpr, WIDTH: tl.constexpr, PER_TOKEN: tl.constexpr, TOKENS: tl.constexpr,
    COLUMNS: tl.constexpr, BLOCK: tl.constexpr, EVEN: tl.constexpr, NUM_EXPERTS: tl.constexpr,
    EXPERT_BLOCK: tl.constexpr, NUM_CHOSEN: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """COLUMNS of the hidden width of an expert's weighted output."""
    expert, first, end = _expert_and_range(COUNTS, TOKENS, NUM_EXPERTS, EXPERT_BLOCK)
    if first < end:
        index = first + tl.arange(0, TOKENS)
        token_mask = index < end
        entry = tl.load(LISTS + expert * count + index, mask=token_mask, other=0)
        column, part = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS), tl.arange(0, BLOCK)
        row = INNER + entry[:, None] * WIDTH
        down = W2 + expert.to(tl.int64) * (HIDDEN * WIDTH) + column[None, :] * WIDTH
        expert_out = tl.zeros((TOKENS, COLUMNS), tl.float32)
        for k in tl.range(0, WIDTH, BLOCK):
            part_mask = k + part < WIDTH
            if EVEN:
                x = tl.load(row + (k + part)[None, :])
                w2 = tl.load(down + (k + part)[:, None])
            else:
                mask = part_mask[:, None] & (column < HIDDEN)[None, :]
                x = tl.load(row + (k + part)[None, :], mask=part_mask[None, :], other=0.0)
                w2 = tl.load(down + (k + part)[:, None], mask=mask, other=0.0)
            expert_out = tl.dot(x, w2.to(x.dtype), expert_out, input_precision=PRECISION)
        if SCALE2 is not None:
            scales = SCALE2 + expert * HIDDEN + column
            expert_out *= tl.load(scales, mask=column < HIDDEN, other=0.0)[None, :]
        expert_out *= tl.load(WEIGHTS + entry, mask=token_mask, other=0.0)[:, None]
        out_row = entry // NUM_CHOSEN * PER_TOKEN + entry % NUM_CHOSEN
        tl.store(
            OUT + out_row[:, None].to(tl.int64) * HIDDEN + column[None, :],
            expert_out.to(OUT.dtype.element_ty),
            mask=token_mask[:, None] & (column < HIDDEN)[None, :],
        )  # fmt: skip
