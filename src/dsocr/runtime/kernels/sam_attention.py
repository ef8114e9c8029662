"""SAM's attention over a square of tokens with learned relative rows and columns (spec 2.1).

`attend_square` spells out the bias of every pair of tokens; `attend_square_fused` adds it in
registers and never stores it: at 1024 pixels it would be 400 MB a layer. Both take windows that
reach beyond the picture as upstream does: what is outside takes part, unmasked.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.config import AttentionName
from dsocr.runtime.kernels.parts import softmax_biased_on, softmax_on
from dsocr.runtime.kernels.triton_language import (
    fitting_block,
    fitting_stages,
    power_of_two,
    precision_of,
    tl,
    triton,
)
from dsocr.runtime.layers.attention import attend

QUERIES, WARPS, STAGES = 64, 4, 3
NARROW_REGISTERS = 128
"""Of a thread, where rows do not fill a power of two: four programs then share a processor."""
WINDOW_QUERIES, WINDOW_KEYS, WINDOW_WARPS = 64, 32, 4
SMALL_WINDOW = 16
"""Up to this side one product takes a query's bias to all its keys."""


def attend_square(
    qkv: Tensor,
    outside: Tensor,
    rel_h: Tensor,
    rel_w: Tensor,
    *,
    num_heads: int,
    window: int,
    kind: AttentionName,
) -> Tensor:
    """Attention within windows of `window` tokens a side; `window` = S is one for all.

    qkv (B, S, S, 3 * C) with the heads inside each third, outside (3 * C,): what stands beyond the
    picture's edge, rel_h and rel_w (2 * window - 1, head_dim) by distance. Returns (B, S, S, C).
    """
    batch, side, _, width = qkv.shape
    count = -(-side // window)
    whole = count * window
    if whole != side:
        padded = outside.expand(batch, whole, whole, width).clone()
        padded[:, :side, :side] = qkv
        qkv = padded
    windows = qkv.view(batch, count, window, count, window, width).transpose(2, 3)
    windows = windows.reshape(-1, window * window, 3, num_heads, width // 3 // num_heads)
    q, k, v = windows.permute(2, 0, 3, 1, 4)  # (windows, heads, tokens, head_dim) each
    x = attend(q, k, v, kind=kind, bias=_bias(q, rel_h, rel_w, window))
    x = x.transpose(1, 2).reshape(batch, count, count, window, window, width // 3)
    return x.transpose(2, 3).reshape(batch, whole, whole, width // 3)[:, :side, :side]


def attend_square_fused(
    qkv: Tensor, outside: Tensor, rel_h: Tensor, rel_w: Tensor, *, num_heads: int, window: int
) -> Tensor:
    """The same by two kernels: q by every relative row and column, then flash attention.

    Needs a head_dim that is a power of two from 16 on. Softmax and sums are float32.
    """
    batch, side, _, width = qkv.shape
    head_dim = width // 3 // num_heads
    count = -(-side // window)
    squares, tokens = batch * count * count, window * window
    qkv = qkv.contiguous()
    line = power_of_two(window)
    bias = qkv.new_empty(2, squares, num_heads, tokens, line)  # by key row, by key column
    out = qkv.new_empty(batch, side, side, width // 3)
    shape: dict[str, Any] = {
        "side": side,
        "count": count,
        "WINDOW": window,
        "HEADS": num_heads,
        "DIM": head_dim,
        "LINE": line,
        "PRECISION": precision_of(qkv.dtype),
    }
    is_small = window <= SMALL_WINDOW
    is_narrow = line > window and qkv.element_size() == 2
    _relative[(2 * window, num_heads, squares)](
        *(qkv, rel_h.contiguous(), rel_w.contiguous(), bias, squares),
        **shape,
        KEYS_FIRST=not is_small,
        num_warps=2,
    )
    attended = (qkv, outside, bias, out, head_dim**-0.5, squares)
    if is_small:
        _attend_window[(-(-tokens // WINDOW_QUERIES), num_heads, squares)](
            *attended,
            **shape,
            QUERIES=WINDOW_QUERIES,
            KEYS=WINDOW_KEYS,
            REACHES_OUT=side % window != 0,
            num_warps=WINDOW_WARPS,
            num_stages=2,
        )
    else:
        queries, stages = _rows_cut(qkv, line, head_dim)
        _attend_rows[(-(-tokens // queries), num_heads, squares)](
            *attended,
            **shape,
            QUERIES=queries,
            REACHES_OUT=side % window != 0,
            num_warps=WARPS,
            num_stages=stages,
            maxnreg=NARROW_REGISTERS if is_narrow else None,
        )
    return out


def _rows_cut(qkv: Tensor, line: int, head_dim: int) -> tuple[int, int]:
    """Queries and stages that fit the card."""
    size, device = qkv.element_size(), qkv.device
    stage = 2 * line * head_dim * size

    def kept(queries: int) -> int:
        return queries * (head_dim + line) * size

    queries = fitting_block(QUERIES, device, lambda queries: kept(queries) + stage)
    return queries, fitting_stages(STAGES, device, stage_bytes=stage, kept_bytes=kept(queries))


def _bias(q: Tensor, rel_h: Tensor, rel_w: Tensor, side: int) -> Tensor:
    """q · rel_h[row of q - row of k] + q · rel_w[column - column], with q unscaled."""
    q = q.unflatten(2, (side, side))  # (B, heads, rows, columns, head_dim)
    from_rows = torch.einsum("bnhwc,hkc->bnhwk", q, _by_distance(rel_h, side))
    from_columns = torch.einsum("bnhwc,wkc->bnhwk", q, _by_distance(rel_w, side))
    bias = from_rows.unsqueeze(-1) + from_columns.unsqueeze(-2)  # (B, heads, h, w, side, side)
    return bias.flatten(4, 5).flatten(2, 3)  # (B, heads, side * side, side * side)


def _by_distance(table: Tensor, side: int) -> Tensor:
    """(2 * side - 1, C) to (side, side, C): entry [a, b] is row a - b + side - 1."""
    index = torch.arange(side, device=table.device)
    return F.embedding(index[:, None] - index[None, :] + side - 1, table)


@triton.jit(do_not_specialize=["squares"])
def _relative(
    QKV, REL_H, REL_W, BIAS, squares, side, count,
    WINDOW: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, LINE: tl.constexpr,
    PRECISION: tl.constexpr, KEYS_FIRST: tl.constexpr,
):  # fmt: skip
    """One line of a window's queries, a row or a column, by all key lines it can see.

    Writes (tokens, LINE) for each part, window and head, zeros after the last key line; for rows
    with KEYS_FIRST the transposed (LINE, tokens).
    """
    line = tl.program_id(0) % WINDOW
    by_row = tl.program_id(0) < WINDOW
    head, square = tl.program_id(1), tl.program_id(2)
    along, dim = tl.arange(0, LINE), tl.arange(0, DIM)
    row = tl.where(by_row, line, along)
    column = tl.where(by_row, along, line)
    image, place = square // (count * count), square % (count * count)
    y, x = place // count * WINDOW + row, place % count * WINDOW + column
    known = along < WINDOW
    real = known & (y < side) & (x < side)
    token = ((image * side + y) * side + x).to(tl.int64)
    q = tl.load(
        QKV + token[:, None] * (3 * HEADS * DIM) + head * DIM + dim[None, :],
        mask=real[:, None], other=0.0,
    )  # fmt: skip
    distance = (line - along + WINDOW - 1)[None, :] * DIM + dim[:, None]
    if by_row:
        rel = tl.load(REL_H + distance, mask=known[None, :], other=0.0)
    else:
        rel = tl.load(REL_W + distance, mask=known[None, :], other=0.0)
    product = tl.dot(q, rel, input_precision=PRECISION).to(QKV.dtype.element_ty)
    TOKENS: tl.constexpr = WINDOW * WINDOW
    part = tl.where(by_row, 0, squares * HEADS)
    first = (part + square * HEADS + head).to(tl.int64) * (TOKENS * LINE)
    query = row * WINDOW + column
    if KEYS_FIRST and by_row:
        tl.store(BIAS + first + along[None, :] * TOKENS + query[:, None], product, known[:, None])
    else:
        tl.store(BIAS + first + query[:, None] * LINE + along[None, :], product, known[:, None])


@triton.jit(do_not_specialize=["squares"])
def _attend_rows(
    QKV, OUTSIDE, BIAS, OUT, scale, squares, side, count,
    WINDOW: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, LINE: tl.constexpr,
    PRECISION: tl.constexpr, QUERIES: tl.constexpr, REACHES_OUT: tl.constexpr,
):  # fmt: skip
    """A block of a window's queries against its keys, one row of keys at a time.

    A row of keys has one row distance to each query: its part of the bias is added once, not to
    every score. The column distances are those of every other row and stay in registers.
    """
    LOG2E: tl.constexpr = 1.4426950408889634
    WIDTH: tl.constexpr = HEADS * DIM
    TOKENS: tl.constexpr = WINDOW * WINDOW
    head, square = tl.program_id(1), tl.program_id(2)
    query = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    column, dim = tl.arange(0, LINE), tl.arange(0, DIM)
    image, place = square // (count * count), square % (count * count)
    top, left = place // count * WINDOW, place % count * WINDOW
    y, x = top + query // WINDOW, left + query % WINDOW
    asked = query < TOKENS
    real = asked & (y < side) & (x < side)
    token = ((image * side + y) * side + x).to(tl.int64)
    q = tl.load(
        QKV + token[:, None] * (3 * WIDTH) + head * DIM + dim[None, :],
        mask=real[:, None], other=0.0,
    )  # fmt: skip
    by_rows = BIAS + (square * HEADS + head).to(tl.int64) * (TOKENS * LINE)
    by_columns = BIAS + ((squares + square) * HEADS + head).to(tl.int64) * (TOKENS * LINE)
    by_column = tl.load(
        by_columns + query[:, None] * LINE + column[None, :], mask=asked[:, None], other=0.0
    ).to(tl.float32)
    seen = column < WINDOW
    by_column = tl.where(seen[None, :], by_column * LOG2E, float("-inf"))
    highest = tl.full((QUERIES,), float("-inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    mixed = tl.zeros((QUERIES, DIM), tl.float32)
    first = ((image * side + top) * side + left + column).to(tl.int64) * (3 * WIDTH) + head * DIM
    keys = QKV + first[None, :] + WIDTH + dim[:, None]
    values = QKV + first[:, None] + 2 * WIDTH + dim[None, :]
    for row in tl.range(0, WINDOW):
        inside = seen & (left + column < side) & (top + row < side)
        further = row * side * (3 * WIDTH)
        k = tl.load(keys + further, mask=inside[None, :], other=0.0)
        v = tl.load(values + further, mask=inside[:, None], other=0.0)
        if REACHES_OUT:
            outside_k = tl.load(OUTSIDE + WIDTH + head * DIM + dim)
            outside_v = tl.load(OUTSIDE + 2 * WIDTH + head * DIM + dim)
            k = tl.where(inside[None, :], k, outside_k[:, None])
            v = tl.where(inside[:, None], v, outside_v[None, :])
        by_row = tl.load(by_rows + row * TOKENS + query, mask=asked, other=0.0).to(tl.float32)
        scores = tl.dot(q, k, input_precision=PRECISION) * (scale * LOG2E) + by_column
        weights, faded, highest, total = softmax_biased_on(scores, by_row * LOG2E, highest, total)
        mixed = mixed * faded[:, None]
        mixed = tl.dot(weights.to(v.dtype), v, mixed, input_precision=PRECISION)
    mixed = mixed / total[:, None]
    tl.store(
        OUT + token[:, None] * WIDTH + head * DIM + dim[None, :],
        mixed.to(OUT.dtype.element_ty), mask=real[:, None],
    )  # fmt: skip


@triton.jit(do_not_specialize=["squares"])
def _attend_window(
    QKV, OUTSIDE, BIAS, OUT, scale, squares, side, count,
    WINDOW: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, LINE: tl.constexpr,
    PRECISION: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr, REACHES_OUT: tl.constexpr,
):  # fmt: skip
    """A block of a small window's queries against all its keys.

    Rows of so few keys would leave the tensor cores idle. A query's bias by row and by column, 2 *
    LINE numbers, is multiplied with ones where a key's row and column are.
    """
    LOG2E: tl.constexpr = 1.4426950408889634
    WIDTH: tl.constexpr = HEADS * DIM
    TOKENS: tl.constexpr = WINDOW * WINDOW
    head, square = tl.program_id(1), tl.program_id(2)
    query = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    dim, lines = tl.arange(0, DIM), tl.arange(0, 2 * LINE)
    image, place = square // (count * count), square % (count * count)
    top, left = place // count * WINDOW, place % count * WINDOW
    y, x = top + query // WINDOW, left + query % WINDOW
    asked = query < TOKENS
    real = asked & (y < side) & (x < side)
    token = ((image * side + y) * side + x).to(tl.int64)
    q = tl.load(
        QKV + token[:, None] * (3 * WIDTH) + head * DIM + dim[None, :],
        mask=real[:, None], other=0.0,
    )  # fmt: skip
    part = tl.where(lines < LINE, 0, squares * HEADS) + square * HEADS + head
    bias = tl.load(
        BIAS + part[None, :].to(tl.int64) * (TOKENS * LINE) + query[:, None] * LINE
        + (lines % LINE)[None, :],
        mask=asked[:, None], other=0.0,
    )  # fmt: skip
    highest = tl.full((QUERIES,), float("-inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    mixed = tl.zeros((QUERIES, DIM), tl.float32)
    for begin in tl.range(0, TOKENS, KEYS):
        other = begin + tl.arange(0, KEYS)
        row, column = other // WINDOW, other % WINDOW
        seen = other < TOKENS
        inside = seen & (left + column < side) & (top + row < side)
        key = ((image * side + top + row) * side + left + column).to(tl.int64) * (3 * WIDTH)
        k = tl.load(
            QKV + key[None, :] + WIDTH + head * DIM + dim[:, None],
            mask=inside[None, :], other=0.0,
        )  # fmt: skip
        v = tl.load(
            QKV + key[:, None] + 2 * WIDTH + head * DIM + dim[None, :],
            mask=inside[:, None], other=0.0,
        )  # fmt: skip
        if REACHES_OUT:
            outside_k = tl.load(OUTSIDE + WIDTH + head * DIM + dim)
            outside_v = tl.load(OUTSIDE + 2 * WIDTH + head * DIM + dim)
            k = tl.where(inside[None, :], k, outside_k[:, None])
            v = tl.where(inside[:, None], v, outside_v[None, :])
        here = (lines[:, None] == row[None, :]) | (lines[:, None] == column[None, :] + LINE)
        scores = tl.dot(q, k, input_precision=PRECISION) * scale
        scores = tl.dot(bias, here.to(bias.dtype), scores, input_precision=PRECISION) * LOG2E
        scores = tl.where(seen[None, :], scores, float("-inf"))
        weights, faded, highest, total = softmax_on(scores, highest, total)
        mixed = mixed * faded[:, None]
        mixed = tl.dot(weights.to(v.dtype), v, mixed, input_precision=PRECISION)
    mixed = mixed / total[:, None]
    tl.store(
        OUT + token[:, None] * WIDTH + head * DIM + dim[None, :],
        mixed.to(OUT.dtype.element_ty), mask=real[:, None],
    )  # fmt: skip
