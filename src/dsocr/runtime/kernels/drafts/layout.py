"""The tokens of a step with drafts: the newest of each row, then the drafts, without gaps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from dsocr.runtime.kernels.drafts.tables import (
    CAPACITY,
    COUNT,
    MAX_DRAFT,
    NUM_DRAFT_FIELDS,
    WIDTH,
    DraftTables,
)
from dsocr.runtime.kernels.sampling import LENGTH, LIMIT, TokenHistories
from dsocr.runtime.kernels.triton_compat import constexprs, next_power_of_2, tl, triton

PADDING = 128
"""Unused tokens that are marked per iteration."""

_LENGTH, _LIMIT = constexprs(LENGTH, LIMIT)
_CAPACITY, _COUNT = constexprs(CAPACITY, COUNT)
_WIDTH, _MAX_DRAFT, _STATE = constexprs(WIDTH, MAX_DRAFT, NUM_DRAFT_FIELDS)


@dataclass(frozen=True, slots=True)
class DraftRows:
    """T tokens of B rows: token i < B is the newest of row i, the drafts follow row by row."""

    rows: Tensor
    """(B,) int32 sequences, below 0 for padding."""
    owners: Tensor
    """(T,) int32 sequences, below 0 for padding, and where a sequence has reached its limit."""
    tokens: Tensor
    """(T,) int64 ids."""
    positions: Tensor
    """(T,) int64 positions in their sequences."""
    slots: Tensor
    """(T,) int64 places in the cache; below 0: none."""
    starts: Tensor
    """(B,) int32 index of each row's first draft."""
    counts: Tensor
    """(B,) int32 drafts of each row; below 0 where the row has no token."""


def lay_out_drafts(
    histories: TokenHistories,
    tables: DraftTables,
    block_tables: Tensor,
    rows: Tensor,
    *,
    num_drafts: int,
    block_size: int,
) -> DraftRows:
    """The tokens of a step for these rows and at most `num_drafts` drafts, of which every sequence
    gets the same share. The drafts are written behind the sequence's tokens."""
    count, total = len(rows), len(rows) + num_drafts
    layout = _empty(rows, num_drafts)
    layout.owners.fill_(-1)
    layout.slots.fill_(-1)
    layout.tokens.zero_()
    layout.positions.zero_()
    lengths = [_drafts_of(histories, tables, sequence) for sequence in rows.tolist()]
    share = max(
        n for n in range(WIDTH) if sum(max(0, min(n, one)) for one in lengths) <= num_drafts
    )
    at = count
    for row, sequence in enumerate(rows.tolist()):
        drafts = min(share, lengths[row])
        layout.starts[row], layout.counts[row] = at, drafts
        if drafts < 0:
            continue
        length = int(histories.params[sequence, LENGTH])
        histories.tokens[sequence, length : length + drafts] = tables.drafts[sequence, :drafts]
        for position, index in enumerate((row, *range(at, at + drafts)), length - 1):
            layout.owners[index], layout.positions[index] = sequence, position
            layout.tokens[index] = histories.tokens[sequence, position]
            block = int(block_tables[sequence, position // block_size])
            layout.slots[index] = block * block_size + position % block_size
        at += drafts
    assert at <= total
    return layout


def lay_out_drafts_fused(
    histories: TokenHistories,
    tables: DraftTables,
    block_tables: Tensor,
    rows: Tensor,
    *,
    num_drafts: int,
    block_size: int,
) -> DraftRows:
    """`lay_out_drafts` in one kernel."""
    layout = _empty(rows, num_drafts)
    _lay_out[(len(rows) + 1,)](
        *(histories.tokens, histories.params, tables.state, tables.drafts, block_tables, rows),
        *(layout.owners, layout.tokens, layout.positions, layout.slots),
        *(layout.starts, layout.counts, len(rows), num_drafts),
        *(histories.tokens.shape[1], block_tables.stride(0)),
        FIELDS=histories.params.shape[1],
        BLOCK_SIZE=block_size,
        ROWS_BLOCK=next_power_of_2(len(tables.state)),
        PADDING=PADDING,
        num_warps=4,
    )
    return layout


def _empty(rows: Tensor, num_drafts: int) -> DraftRows:
    total = len(rows) + num_drafts
    wide = partial(rows.new_empty, total, dtype=torch.int64)  # apart, so that all are aligned
    starts, counts = torch.empty_like(rows), torch.empty_like(rows)
    return DraftRows(rows, rows.new_empty(total), wide(), wide(), wide(), starts, counts)


def _drafts_of(histories: TokenHistories, tables: DraftTables, sequence: int) -> int:
    """Drafts of a sequence that its blocks have space for; below 0 at its limit or for padding."""
    if sequence < 0:
        return -1
    params, state = histories.params[sequence], tables.state[sequence]
    length = int(params[LENGTH])
    if length >= int(params[LIMIT]):
        return -1
    return max(0, min(int(state[COUNT]), int(state[CAPACITY]) - length))


@triton.jit(do_not_specialize=["count", "num_drafts"])
def _lay_out(
    TOKENS, PARAMS, STATE, DRAFTS, TABLES, ROWS, OWNERS, IDS, POSITIONS, SLOTS, STARTS, COUNTS,
    count, num_drafts, max_tokens, table_stride,
    FIELDS: tl.constexpr, BLOCK_SIZE: tl.constexpr, ROWS_BLOCK: tl.constexpr,
    PADDING: tl.constexpr,
):  # fmt: skip
    """A program per row, and one for the padding behind the drafts; each counts those of all."""
    row = tl.program_id(0)
    every = tl.arange(0, ROWS_BLOCK)
    sequence = tl.load(ROWS + every, mask=every < count, other=-1)
    known = sequence >= 0
    length = tl.load(PARAMS + sequence * FIELDS + _LENGTH, mask=known, other=0)
    known = known & (length < tl.load(PARAMS + sequence * FIELDS + _LIMIT, mask=known, other=0))
    drafts = tl.load(STATE + sequence * _STATE + _COUNT, mask=known, other=0)
    space = tl.load(STATE + sequence * _STATE + _CAPACITY, mask=known, other=0) - length
    drafts = tl.where(known, tl.maximum(tl.minimum(drafts, space), 0), 0)
    share = 0
    for most in tl.static_range(1, _WIDTH):
        fits = tl.sum(tl.minimum(drafts, most), 0) <= num_drafts
        share = tl.where(fits, most, share)
    drafts = tl.minimum(drafts, share)
    if row == count:
        for begin in range(tl.sum(drafts, 0), num_drafts, PADDING):
            index = begin + tl.arange(0, PADDING)
            mask = index < num_drafts
            tl.store(OWNERS + count + index, -1, mask=mask)
            tl.store(IDS + count + index, 0, mask=mask)
            tl.store(POSITIONS + count + index, 0, mask=mask)
            tl.store(SLOTS + count + index, -1, mask=mask)
    else:
        start = count + tl.sum(tl.where(every < row, drafts, 0), 0)
        own = tl.sum(tl.where(every == row, drafts, 0), 0)
        is_live = tl.sum(tl.where((every == row) & known, 1, 0), 0) > 0
        _lay_out_row(
            TOKENS, PARAMS, DRAFTS, TABLES, OWNERS, IDS, POSITIONS, SLOTS,
            row, tl.load(ROWS + row), is_live, start, own, max_tokens, table_stride,
            FIELDS, BLOCK_SIZE,
        )  # fmt: skip
        tl.store(STARTS + row, start)
        tl.store(COUNTS + row, tl.where(is_live, own, -1))


@triton.jit
def _lay_out_row(
    TOKENS, PARAMS, DRAFTS, TABLES, OWNERS, IDS, POSITIONS, SLOTS,
    row, sequence, is_live, start, drafts, max_tokens, table_stride,
    FIELDS: tl.constexpr, BLOCK_SIZE: tl.constexpr,
):  # fmt: skip
    step = tl.arange(0, _WIDTH)
    mask = step <= drafts
    index = tl.where(step == 0, row, start + step - 1)
    own = tl.maximum(sequence, 0).to(tl.int64)
    length = tl.load(PARAMS + own * FIELDS + _LENGTH, mask=is_live, other=1)
    position = tl.where(is_live, length - 1 + step, 0)
    tokens = TOKENS + own * max_tokens
    newest = tl.load(tokens + length - 1, mask=is_live, other=0)
    draft = tl.load(DRAFTS + own * _WIDTH + step - 1, mask=mask & (step > 0), other=0)
    token = tl.where(step == 0, newest, draft)
    block = tl.load(
        TABLES + own * table_stride + position // BLOCK_SIZE, mask=mask & is_live, other=0
    ).to(tl.int64)
    slot = tl.where(is_live, block * BLOCK_SIZE + position % BLOCK_SIZE, -1)
    tl.store(tokens + position, token, mask=mask & (step > 0) & is_live)
    tl.store(OWNERS + index, tl.where(is_live, sequence, -1), mask=mask)
    tl.store(IDS + index, token.to(tl.int64), mask=mask)
    tl.store(POSITIONS + index, position.to(tl.int64), mask=mask)
    tl.store(SLOTS + index, slot, mask=mask)
