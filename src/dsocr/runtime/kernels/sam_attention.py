"""SAM's attention over a square of tokens with learned relative rows and columns (spec 2.1).

`sam_attention` materializes the bias of every pair of tokens; `sam_attention_fused` adds it in
registers, since it would take 400 MB per layer at 1024 pixels. In both, windows that extend beyond
the image attend to the padding there, unmasked, as in the released code.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dsocr.runtime.config import AttentionName
from dsocr.runtime.kernels.primitives import online_softmax, online_softmax_biased
from dsocr.runtime.kernels.triton_compat import (
    dot_precision,
    fit_block,
    fit_stages,
    next_power_of_2,
    tl,
    triton,
)
from dsocr.runtime.layers.attention import attend

QUERIES, WARPS, STAGES = 64, 4, 3
NARROW_REGISTERS = 128
"""Limit per thread where rows of keys do not fill a power of two, so that four programs fit on a
multiprocessor."""
WINDOW_QUERIES, WINDOW_KEYS, WINDOW_WARPS = 64, 32, 4
SMALL_WINDOW = 16
"""Largest side for which one product adds a query's bias to all its keys."""


def sam_attention(
    qkv: Tensor,
    padding: Tensor,
    rel_h: Tensor,
    rel_w: Tensor,
    *,
    num_heads: int,
    window: int,
    kind: AttentionName,
) -> Tensor:
    """Attention within windows of `window` tokens per side; `window` = S is global attention.

    qkv (B, S, S, 3 * C) with the heads inside each third, padding (3 * C,) for tokens beyond the
    image's edge, rel_h and rel_w (2 * window - 1, head_dim) by distance. Returns (B, S, S, C).
    """
    batch, side, _, width = qkv.shape
    count = -(-side // window)
    whole = count * window
    if whole != side:
        padded = padding.expand(batch, whole, whole, width).clone()
        padded[:, :side, :side] = qkv
        qkv = padded
    windows = qkv.view(batch, count, window, count, window, width).transpose(2, 3)
    windows = windows.reshape(-1, window * window, 3, num_heads, width // 3 // num_heads)
    q, k, v = windows.permute(2, 0, 3, 1, 4)  # (windows, heads, tokens, head_dim) each
    x = attend(q, k, v, kind=kind, bias=_bias(q, rel_h, rel_w, window))
    x = x.transpose(1, 2).reshape(batch, count, count, window, window, width // 3)
    return x.transpose(2, 3).reshape(batch, whole, whole, width // 3)[:, :side, :side]


def sam_attention_fused(
    qkv: Tensor, padding: Tensor, rel_h: Tensor, rel_w: Tensor, *, num_heads: int, window: int
) -> Tensor:
    """`sam_attention` in two kernels: q times every relative row and column, then flash attention.

    head_dim must be a power of two, at least 16. Softmax and sums are float32.
    """
    batch, side, _, width = qkv.shape
    head_dim = width // 3 // num_heads
    count = -(-side // window)
    num_windows, tokens = batch * count * count, window * window
    qkv = qkv.contiguous()
    padded = next_power_of_2(window)
    bias = qkv.new_empty(2, num_windows, num_heads, tokens, padded)  # by key row, by key column
    out = qkv.new_empty(batch, side, side, width // 3)
    shape: dict[str, Any] = {
        "side": side,
        "count": count,
        "WINDOW": window,
        "HEADS": num_heads,
        "DIM": head_dim,
        "PADDED": padded,
        "PRECISION": dot_precision(qkv.dtype),
    }
    is_small = window <= SMALL_WINDOW
    is_narrow = padded > window and qkv.element_size() == 2
    _relative_bias[(2 * window, num_heads, num_windows)](
        *(qkv, rel_h.contiguous(), rel_w.contiguous(), bias, num_windows),
        **shape,
        KEYS_FIRST=not is_small,
        num_warps=2,
    )
    inputs = (qkv, padding, bias, out, head_dim**-0.5, num_windows)
    if is_small:
        _attend_window[(-(-tokens // WINDOW_QUERIES), num_heads, num_windows)](
            *inputs,
            **shape,
            QUERIES=WINDOW_QUERIES,
            KEYS=WINDOW_KEYS,
            PADS=side % window != 0,
            num_warps=WINDOW_WARPS,
            num_stages=2,
        )
    else:
        queries, stages = _queries_and_stages(qkv, padded, head_dim)
        _attend_rows[(-(-tokens // queries), num_heads, num_windows)](
            *inputs,
            **shape,
            QUERIES=queries,
            PADS=side % window != 0,
            num_warps=WARPS,
            num_stages=stages,
            maxnreg=NARROW_REGISTERS if is_narrow else None,
        )
    return out


def _queries_and_stages(qkv: Tensor, padded: int, head_dim: int) -> tuple[int, int]:
    """Queries per program and pipeline stages that fit the device's shared memory."""
    size, device = qkv.element_size(), qkv.device
    stage = 2 * padded * head_dim * size

    def resident(queries: int) -> int:
        return queries * (head_dim + padded) * size

    queries = fit_block(QUERIES, device, lambda queries: resident(queries) + stage)
    return queries, fit_stages(STAGES, device, stage_bytes=stage, resident_bytes=resident(queries))


def _bias(q: Tensor, rel_h: Tensor, rel_w: Tensor, side: int) -> Tensor:
    """q · rel_h[row of q - row of k] + q · rel_w[column - column], with q unscaled."""
    q = q.unflatten(2, (side, side))  # (B, heads, rows, columns, head_dim)
    from_rows = torch.einsum("bnhwc,hkc->bnhwk", q, _by_distance(rel_h, side))
    from_columns = torch.einsum("bnhwc,wkc->bnhwk", q, _by_distance(rel_w, side))
    # contiguous, as their sum then is, whose flattening copies nothing
    from_rows, from_columns = from_rows.contiguous(), from_columns.contiguous()
    bias = from_rows.unsqueeze(-1) + from_columns.unsqueeze(-2)  # (B, heads, h, w, side, side)
    return bias.flatten(4, 5).flatten(2, 3)  # (B, heads, side * side, side * side)


def _by_distance(table: Tensor, side: int) -> Tensor:
    """(2 * side - 1, C) to (side, side, C): entry [a, b] is row a - b + side - 1."""
    index = torch.arange(side, device=table.device)
    return F.embedding(index[:, None] - index[None, :] + side - 1, table)


@triton.jit(do_not_specialize=["num_windows"])
def _relative_bias(
    QKV, REL_H, REL_W, BIAS, num_windows, side, count,
    WINDOW: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, PADDED: tl.constexpr,
    PRECISION: tl.constexpr, KEYS_FIRST: tl.constexpr,
):  # fmt: skip
    """The queries of one row or one column of a window times all key rows or key columns.

    Writes (tokens, PADDED) for rows and for columns, each window and head, zeros after the last key
    row or column; for rows with KEYS_FIRST the transposed (PADDED, tokens).
    """
    fixed = tl.program_id(0) % WINDOW
    by_row = tl.program_id(0) < WINDOW
    head, window = tl.program_id(1), tl.program_id(2)
    along, dim = tl.arange(0, PADDED), tl.arange(0, DIM)
    row = tl.where(by_row, fixed, along)
    column = tl.where(by_row, along, fixed)
    image, index = window // (count * count), window % (count * count)
    y, x = index // count * WINDOW + row, index % count * WINDOW + column
    mask = along < WINDOW
    in_image = mask & (y < side) & (x < side)
    token = ((image * side + y) * side + x).to(tl.int64)
    q = tl.load(
        QKV + token[:, None] * (3 * HEADS * DIM) + head * DIM + dim[None, :],
        mask=in_image[:, None], other=0.0,
    )  # fmt: skip
    distance = (fixed - along + WINDOW - 1)[None, :] * DIM + dim[:, None]
    if by_row:
        rel = tl.load(REL_H + distance, mask=mask[None, :], other=0.0)
    else:
        rel = tl.load(REL_W + distance, mask=mask[None, :], other=0.0)
    product = tl.dot(q, rel, input_precision=PRECISION).to(QKV.dtype.element_ty)
    TOKENS: tl.constexpr = WINDOW * WINDOW
    part = tl.where(by_row, 0, num_windows * HEADS)
    offset = (part + window * HEADS + head).to(tl.int64) * (TOKENS * PADDED)
    query = row * WINDOW + column
    if KEYS_FIRST and by_row:
        tl.store(BIAS + offset + along[None, :] * TOKENS + query[:, None], product, mask[:, None])
    else:
        tl.store(BIAS + offset + query[:, None] * PADDED + along[None, :], product, mask[:, None])


@triton.jit(do_not_specialize=["num_windows"])
def _attend_rows(
    QKV, PADDING, BIAS, OUT, scale, num_windows, side, count,
    WINDOW: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, PADDED: tl.constexpr,
    PRECISION: tl.constexpr, QUERIES: tl.constexpr, PADS: tl.constexpr,
):  # fmt: skip
    """A block of a window's queries, one row of keys per iteration.

    All keys of a row have the same row distance to a query, so that part of the bias is added once
    and not to every score. The column distances are the same for every row and stay in registers.
    """
    LOG2E: tl.constexpr = 1.4426950408889634
    WIDTH: tl.constexpr = HEADS * DIM
    TOKENS: tl.constexpr = WINDOW * WINDOW
    head, window = tl.program_id(1), tl.program_id(2)
    query = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    column, dim = tl.arange(0, PADDED), tl.arange(0, DIM)
    image, index = window // (count * count), window % (count * count)
    top, left = index // count * WINDOW, index % count * WINDOW
    y, x = top + query // WINDOW, left + query % WINDOW
    query_mask = query < TOKENS
    in_image = query_mask & (y < side) & (x < side)
    token = ((image * side + y) * side + x).to(tl.int64)
    q = tl.load(
        QKV + token[:, None] * (3 * WIDTH) + head * DIM + dim[None, :],
        mask=in_image[:, None], other=0.0,
    )  # fmt: skip
    row_bias = BIAS + (window * HEADS + head).to(tl.int64) * (TOKENS * PADDED)
    column_bias = BIAS + ((num_windows + window) * HEADS + head).to(tl.int64) * (TOKENS * PADDED)
    by_column = tl.load(
        column_bias + query[:, None] * PADDED + column[None, :], mask=query_mask[:, None], other=0.0
    ).to(tl.float32)
    column_mask = column < WINDOW
    by_column = tl.where(column_mask[None, :], by_column * LOG2E, float("-inf"))
    running_max = tl.full((QUERIES,), float("-inf"), tl.float32)
    running_sum = tl.zeros((QUERIES,), tl.float32)
    acc = tl.zeros((QUERIES, DIM), tl.float32)
    first = ((image * side + top) * side + left + column).to(tl.int64) * (3 * WIDTH) + head * DIM
    keys = QKV + first[None, :] + WIDTH + dim[:, None]
    values = QKV + first[:, None] + 2 * WIDTH + dim[None, :]
    for row in tl.range(0, WINDOW):
        key_in_image = column_mask & (left + column < side) & (top + row < side)
        offset = row * side * (3 * WIDTH)
        k = tl.load(keys + offset, mask=key_in_image[None, :], other=0.0)
        v = tl.load(values + offset, mask=key_in_image[:, None], other=0.0)
        if PADS:
            padding_k = tl.load(PADDING + WIDTH + head * DIM + dim)
            padding_v = tl.load(PADDING + 2 * WIDTH + head * DIM + dim)
            k = tl.where(key_in_image[None, :], k, padding_k[:, None])
            v = tl.where(key_in_image[:, None], v, padding_v[None, :])
        by_row = tl.load(row_bias + row * TOKENS + query, mask=query_mask, other=0.0).to(tl.float32)
        scores = tl.dot(q, k, input_precision=PRECISION) * (scale * LOG2E) + by_column
        weights, rescale, running_max, running_sum = online_softmax_biased(
            scores, by_row * LOG2E, running_max, running_sum
        )
        acc = acc * rescale[:, None]
        acc = tl.dot(weights.to(v.dtype), v, acc, input_precision=PRECISION)
    acc = acc / running_sum[:, None]
    tl.store(
        OUT + token[:, None] * WIDTH + head * DIM + dim[None, :],
        acc.to(OUT.dtype.element_ty), mask=in_image[:, None],
    )  # fmt: skip


@triton.jit(do_not_specialize=["num_windows"])
def _attend_window(
    QKV, PADDING, BIAS, OUT, scale, num_windows, side, count,
    WINDOW: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, PADDED: tl.constexpr,
    PRECISION: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr, PADS: tl.constexpr,
):  # fmt: skip
    """A block of a small window's queries, KEYS of its keys per iteration.

    Single rows of so few keys would leave the tensor cores idle. The bias is one more product: a
    query's 2 * PADDED biases by row and column times a one-hot matrix of each key's row and column.
    """
    LOG2E: tl.constexpr = 1.4426950408889634
    WIDTH: tl.constexpr = HEADS * DIM
    TOKENS: tl.constexpr = WINDOW * WINDOW
    head, window = tl.program_id(1), tl.program_id(2)
    query = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    dim, entry = tl.arange(0, DIM), tl.arange(0, 2 * PADDED)
    image, index = window // (count * count), window % (count * count)
    top, left = index // count * WINDOW, index % count * WINDOW
    y, x = top + query // WINDOW, left + query % WINDOW
    query_mask = query < TOKENS
    in_image = query_mask & (y < side) & (x < side)
    token = ((image * side + y) * side + x).to(tl.int64)
    q = tl.load(
        QKV + token[:, None] * (3 * WIDTH) + head * DIM + dim[None, :],
        mask=in_image[:, None], other=0.0,
    )  # fmt: skip
    part = tl.where(entry < PADDED, 0, num_windows * HEADS) + window * HEADS + head
    bias = tl.load(
        BIAS + part[None, :].to(tl.int64) * (TOKENS * PADDED) + query[:, None] * PADDED
        + (entry % PADDED)[None, :],
        mask=query_mask[:, None], other=0.0,
    )  # fmt: skip
    running_max = tl.full((QUERIES,), float("-inf"), tl.float32)
    running_sum = tl.zeros((QUERIES,), tl.float32)
    acc = tl.zeros((QUERIES, DIM), tl.float32)
    for begin in tl.range(0, TOKENS, KEYS):
        key = begin + tl.arange(0, KEYS)
        row, column = key // WINDOW, key % WINDOW
        key_mask = key < TOKENS
        key_in_image = key_mask & (left + column < side) & (top + row < side)
        offset = ((image * side + top + row) * side + left + column).to(tl.int64) * (3 * WIDTH)
        k = tl.load(
            QKV + offset[None, :] + WIDTH + head * DIM + dim[:, None],
            mask=key_in_image[None, :], other=0.0,
        )  # fmt: skip
        v = tl.load(
            QKV + offset[:, None] + 2 * WIDTH + head * DIM + dim[None, :],
            mask=key_in_image[:, None], other=0.0,
        )  # fmt: skip
        if PADS:
            padding_k = tl.load(PADDING + WIDTH + head * DIM + dim)
            padding_v = tl.load(PADDING + 2 * WIDTH + head * DIM + dim)
            k = tl.where(key_in_image[None, :], k, padding_k[:, None])
            v = tl.where(key_in_image[:, None], v, padding_v[None, :])
        one_hot = (entry[:, None] == row[None, :]) | (entry[:, None] == column[None, :] + PADDED)
        scores = tl.dot(q, k, input_precision=PRECISION) * scale
        scores = tl.dot(bias, one_hot.to(bias.dtype), scores, input_precision=PRECISION) * LOG2E
        scores = tl.where(key_mask[None, :], scores, float("-inf"))
        weights, rescale, running_max, running_sum = online_softmax(
            scores, running_max, running_sum
        )
        acc = acc * rescale[:, None]
        acc = tl.dot(weights.to(v.dtype), v, acc, input_precision=PRECISION)
    acc = acc / running_sum[:, None]
    tl.store(
        OUT + token[:, None] * WIDTH + head * DIM + dim[None, :],
        acc.to(OUT.dtype.element_ty), mask=in_image[:, None],
    )  # fmt: skip
