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
from dsocr.runtime.kernels.triton_language import power_of_two, precision_of, tl, triton
from dsocr.runtime.layers.attention import attend

QUERIES = 128
"""Queries a program takes."""


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
    # by key row, queries in a row; and by query, key columns in a row: as each is read
    rows = qkv.new_empty(squares, num_heads, window, tokens)
    columns = qkv.new_empty(squares, num_heads, tokens, window)
    out = qkv.new_empty(batch, side, side, width // 3)
    shape: dict[str, Any] = {
        "side": side,
        "count": count,
        "WINDOW": window,
        "HEADS": num_heads,
        "DIM": head_dim,
        "LINE": power_of_two(window),
        "PRECISION": precision_of(qkv.dtype),
    }
    _relative[(2 * window, num_heads, squares)](
        qkv, rel_h.contiguous(), rel_w.contiguous(), rows, columns, **shape, num_warps=2
    )
    blocks = -(-tokens // QUERIES)
    _attend[(blocks, num_heads, squares)](
        *(qkv, outside, rows, columns, out, head_dim**-0.5),
        **shape,
        QUERIES=QUERIES,
        REACHES_OUT=side % window != 0,
        num_warps=8 if head_dim >= 64 else 4,
        num_stages=2,
    )
    return out


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


@triton.jit
def _relative(
    QKV, REL_H, REL_W, ROWS, COLUMNS, side, count,
    WINDOW: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, LINE: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """One line of a window's queries, a row or a column, by all key lines it can see."""
    line = tl.program_id(0) % WINDOW
    by_row = tl.program_id(0) < WINDOW
    head, square = tl.program_id(1), tl.program_id(2)
    along, dim = tl.arange(0, LINE), tl.arange(0, DIM)
    row = tl.where(by_row, line, along)
    column = tl.where(by_row, along, line)
    image, place = square // (count * count), square % (count * count)
    y, x = place // count * WINDOW + row, place % count * WINDOW + column
    real = (along < WINDOW) & (y < side) & (x < side)
    token = ((image * side + y) * side + x).to(tl.int64)
    q = tl.load(
        QKV + token[:, None] * (3 * HEADS * DIM) + head * DIM + dim[None, :],
        mask=real[:, None], other=0.0,
    )  # fmt: skip
    distance = (line - along + WINDOW - 1)[None, :] * DIM + dim[:, None]
    if by_row:
        rel = tl.load(REL_H + distance, mask=(along < WINDOW)[None, :], other=0.0)
    else:
        rel = tl.load(REL_W + distance, mask=(along < WINDOW)[None, :], other=0.0)
    product = tl.dot(q, rel, input_precision=PRECISION).to(QKV.dtype.element_ty)
    first = (square * HEADS + head).to(tl.int64) * (WINDOW * WINDOW * WINDOW)
    query = row * WINDOW + column
    wanted = (along < WINDOW)[:, None] & (along < WINDOW)[None, :]
    if by_row:
        places = first + along[None, :] * (WINDOW * WINDOW) + query[:, None]
        tl.store(ROWS + places, product, mask=wanted)
    else:
        tl.store(COLUMNS + first + query[:, None] * WINDOW + along[None, :], product, mask=wanted)


@triton.jit
def _attend(
    QKV, OUTSIDE, ROWS, COLUMNS, OUT, scale, side, count,
    WINDOW: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, LINE: tl.constexpr,
    PRECISION: tl.constexpr, QUERIES: tl.constexpr, REACHES_OUT: tl.constexpr,
):  # fmt: skip
    """A block of a window's queries against its keys, one row of keys at a time.

    A row of keys has one row distance to each query, and the same column distances as every other
    row: the column part of the bias stays in registers.
    """
    LOG2E: tl.constexpr = 1.4426950408889634
    head, square = tl.program_id(1), tl.program_id(2)
    query = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    column, dim = tl.arange(0, LINE), tl.arange(0, DIM)
    image, place = square // (count * count), square % (count * count)
    top, left = place // count * WINDOW, place % count * WINDOW
    y, x = top + query // WINDOW, left + query % WINDOW
    asked = query < WINDOW * WINDOW
    real = asked & (y < side) & (x < side)
    token = ((image * side + y) * side + x).to(tl.int64)
    WIDTH: tl.constexpr = HEADS * DIM
    q = tl.load(
        QKV + token[:, None] * (3 * WIDTH) + head * DIM + dim[None, :],
        mask=real[:, None], other=0.0,
    )  # fmt: skip
    first = (square * HEADS + head).to(tl.int64) * (WINDOW * WINDOW * WINDOW)
    seen = column < WINDOW
    by_column = tl.load(
        COLUMNS + first + query[:, None] * WINDOW + column[None, :],
        mask=asked[:, None] & seen[None, :], other=0.0,
    ).to(tl.float32)  # fmt: skip
    by_column = tl.where(seen[None, :], by_column * LOG2E, float("-inf"))
    outside_k = tl.load(OUTSIDE + WIDTH + head * DIM + dim)
    outside_v = tl.load(OUTSIDE + 2 * WIDTH + head * DIM + dim)
    highest = tl.full((QUERIES,), float("-inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    mixed = tl.zeros((QUERIES, DIM), tl.float32)
    for row in tl.range(0, WINDOW):
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
            k = tl.where(inside[None, :], k, outside_k[:, None])
            v = tl.where(inside[:, None], v, outside_v[None, :])
        by_row = tl.load(ROWS + first + row * (WINDOW * WINDOW) + query, mask=asked, other=0.0)
        scores = tl.dot(q, k, input_precision=PRECISION) * (scale * LOG2E)
        scores = scores + by_row.to(tl.float32)[:, None] * LOG2E + by_column
        higher = tl.maximum(highest, tl.max(scores, 1))
        faded = tl.exp2(highest - higher)
        weights = tl.exp2(scores - higher[:, None])
        total = total * faded + tl.sum(weights, 1)
        mixed = mixed * faded[:, None]
        mixed = tl.dot(weights.to(v.dtype), v, mixed, input_precision=PRECISION)
        highest = higher
    mixed = mixed / total[:, None]
    tl.store(
        OUT + token[:, None] * WIDTH + head * DIM + dim[None, :],
        mixed.to(OUT.dtype.element_ty), mask=real[:, None],
    )  # fmt: skip
