"""Whether a row's newest tokens look like a loop, on the device: what wakes the host's watch.

A cheap necessary condition for each of the three signs of `repetition.RepetitionDetector`: it may
flag honest pages, but misses none that the host's watch would stop. Only flagged pages are looked
at by the host.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.kernels.sampling import LENGTH, PROMPT, WATCH, WATCH_STATE, Histories
from dsocr.runtime.kernels.triton_language import constants, power_of_two, tl, triton
from dsocr.runtime.text.repetition import (
    BLOCK,
    EXACT,
    MAX_UNCHANGED,
    MOST_NEW,
    NEAR,
    REACH,
    RECENT,
    TEMPLATE,
    WINDOW,
)

WARPS = 8

UNWATCHED, WATCHED, BLIND = 0, 1, 2
"""In the column `WATCH`. Blind: what was written is not known here, so it is always flagged."""

SUSPECT = 16
"""Added to the flags of a choice."""

NEW_EXACT_AT, NUM_NEW, NUM_SYMBOLS, IN_NUMBER, NEW_SYMBOL_AT = range(WATCH_STATE, WATCH_STATE + 5)
"""Columns of a sequence's parameters that are kept here, 0 at first. Tokens of the answer up to the
last that ended a new n-gram of `EXACT`; how many of the last `WINDOW` ended a new one of `NEAR`;
symbols, which are the answer's tokens with every number as one; whether the newest token is part of
a number; tokens up to the last symbol that ended a new n-gram of `TEMPLATE`."""

_LENGTH, _PROMPT, _WATCH = constants(LENGTH, PROMPT, WATCH)
_NEW_EXACT_AT, _NUM_NEW, _NUM_SYMBOLS, _IN_NUMBER, _NEW_SYMBOL_AT = constants(
    NEW_EXACT_AT, NUM_NEW, NUM_SYMBOLS, IN_NUMBER, NEW_SYMBOL_AT
)
_UNWATCHED, _WATCHED, _BLIND, _SUSPECT = constants(UNWATCHED, WATCHED, BLIND, SUSPECT)


@dataclass(frozen=True, slots=True)
class Traces:
    """What is kept of all sequences beside their tokens."""

    symbols: Tensor
    """(sequences, most tokens) int32."""
    news: Tensor
    """(sequences, WINDOW) int8, by place modulo `WINDOW`: 1 where an n-gram of `NEAR` was new."""
    digits: Tensor
    """(any,) int8, by token: 1 for those that are nothing but digits. None beyond its end."""


def traces_for(tokens: Tensor, digits: Collection[int]) -> Traces:
    """Empty ones, for tables of tokens (sequences, most)."""
    is_digit = torch.zeros(max(digits, default=0) + 1, dtype=torch.int8)
    is_digit[[*digits]] = 1
    news = tokens.new_zeros(len(tokens), WINDOW, dtype=torch.int8)
    return Traces(torch.zeros_like(tokens), news, is_digit.to(tokens.device))


def flag_suspects(histories: Histories, traces: Traces, rows: Tensor, flags: Tensor) -> None:
    """Takes in each row's newest token, and adds `SUSPECT` to its flag (B,) int32 where the host
    should look. Rows below 0 are nobody's."""
    for row, sequence in enumerate(rows.tolist()):
        if sequence < 0 or int(histories.params[sequence, WATCH]) == UNWATCHED:
            continue
        if int(histories.params[sequence, WATCH]) == WATCHED:
            _take_in(histories, traces, sequence)
        if _is_suspect(histories.params[sequence].tolist()):
            flags[row] += SUSPECT


def flag_suspects_fused(histories: Histories, traces: Traces, rows: Tensor, flags: Tensor) -> None:
    _flag_suspects[(len(rows),)](
        *(histories.tokens, histories.params, rows, flags),
        *(traces.symbols, traces.news, traces.digits),
        *(histories.tokens.shape[1], len(traces.digits)),
        FIELDS=histories.params.shape[1],
        BLOCK=BLOCK,
        EXACT=EXACT,
        NEAR=NEAR,
        TEMPLATE=TEMPLATE,
        REACH=REACH,
        RECENT=RECENT,
        MAX_UNCHANGED=MAX_UNCHANGED,
        WINDOW=WINDOW,
        MOST_NEW=MOST_NEW,
        SPAN=power_of_two(REACH),
        num_warps=WARPS,
    )


def _take_in(histories: Histories, traces: Traces, sequence: int) -> None:
    params = histories.params[sequence]
    length, prompt = int(params[LENGTH]), int(params[PROMPT])
    answer = histories.tokens[sequence, prompt:length]
    place = len(answer) - 1
    if not _was_there(answer, EXACT, REACH):
        params[NEW_EXACT_AT] = place + 1
    news = traces.news[sequence]
    is_new = not _was_there(answer, NEAR, RECENT)
    params[NUM_NEW] += is_new - (int(news[place % WINDOW]) if place >= WINDOW else 0)
    news[place % WINDOW] = is_new

    token = int(answer[-1])
    is_digit = token < len(traces.digits) and bool(traces.digits[token])
    if not (is_digit and bool(params[IN_NUMBER])):
        count = int(params[NUM_SYMBOLS])
        traces.symbols[sequence, count] = 0 if is_digit else token
        params[NUM_SYMBOLS] = count + 1
        if not _was_there(traces.symbols[sequence, : count + 1], TEMPLATE, REACH):
            params[NEW_SYMBOL_AT] = place + 1
    params[IN_NUMBER] = is_digit


def _was_there(line: Tensor, size: int, reach: int) -> bool:
    """Whether the last n-gram also ends at one of the `reach` places before. Before the line are
    zeros."""
    grams = torch.nn.functional.pad(line, (size - 1, 0)).unfold(0, size, 1)
    return bool((grams[:-1][-reach:] == grams[-1]).all(dim=1).any())


def _is_suspect(params: list[int]) -> bool:
    written = params[LENGTH] - params[PROMPT]
    if written % BLOCK:
        return False  # the host's watch looks at whole blocks only
    return (
        params[WATCH] == BLIND
        or written - params[NEW_EXACT_AT] >= MAX_UNCHANGED
        or written - params[NEW_SYMBOL_AT] >= MAX_UNCHANGED
        or (written >= WINDOW and params[NUM_NEW] <= MOST_NEW)
    )


@triton.jit(do_not_specialize=["FLAGS"])
def _flag_suspects(
    TOKENS, PARAMS, ROWS, FLAGS, SYMBOLS, NEWS, DIGITS, most, num_digits,
    FIELDS: tl.constexpr, BLOCK: tl.constexpr,
    EXACT: tl.constexpr, NEAR: tl.constexpr, TEMPLATE: tl.constexpr,
    REACH: tl.constexpr, RECENT: tl.constexpr, MAX_UNCHANGED: tl.constexpr,
    WINDOW: tl.constexpr, MOST_NEW: tl.constexpr, SPAN: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    sequence = tl.load(ROWS + row)
    kind = _UNWATCHED
    if sequence >= 0:
        kind = tl.load(PARAMS + sequence * FIELDS + _WATCH)
    if kind != _UNWATCHED:
        params = PARAMS + sequence * FIELDS
        prompt = tl.load(params + _PROMPT)
        place = tl.load(params + _LENGTH) - prompt - 1
        suspect = kind == _BLIND
        if kind == _WATCHED:
            answer = TOKENS + sequence.to(tl.int64) * most + prompt
            back = 1 + tl.arange(0, SPAN)
            within = (back <= REACH) & (back <= place)
            near = _still_equal(answer, place, within, back, 0, NEAR)
            exact = _still_equal(answer, place, near, back, NEAR, EXACT)
            was_near = tl.max((near & (back <= RECENT)).to(tl.int32), 0)
            was_exact = tl.max(exact.to(tl.int32), 0)

            symbols = SYMBOLS + sequence.to(tl.int64) * most
            count = tl.load(params + _NUM_SYMBOLS)
            token = tl.load(answer + place)
            digit = tl.load(DIGITS + token, mask=token < num_digits, other=0).to(tl.int32)
            begins = (digit == 0) | (tl.load(params + _IN_NUMBER) == 0)
            symbol = tl.where(digit > 0, 0, token)
            same = tl.load(symbols + count - back, mask=back <= count, other=-1) == symbol
            known = _still_equal(symbols, count, (back <= REACH) & same, back, 1, TEMPLATE)
            was_known = tl.max(known.to(tl.int32), 0)

            exact_at = tl.load(params + _NEW_EXACT_AT)
            symbol_at = tl.load(params + _NEW_SYMBOL_AT)
            ring = NEWS + sequence * WINDOW + place % WINDOW
            left = tl.load(ring, mask=place >= WINDOW, other=0).to(tl.int32)
            num_new = tl.load(params + _NUM_NEW) + 1 - was_near - left
            exact_at = tl.where(was_exact > 0, exact_at, place + 1)
            symbol_at = tl.where(begins & (was_known == 0), place + 1, symbol_at)
            tl.debug_barrier()  # all threads have read what is now written over
            tl.store(ring, (1 - was_near).to(tl.int8))
            tl.store(symbols + count, symbol, mask=begins)
            tl.store(params + _NEW_EXACT_AT, exact_at)
            tl.store(params + _NUM_NEW, num_new)
            tl.store(params + _NUM_SYMBOLS, count + begins.to(tl.int32))
            tl.store(params + _IN_NUMBER, digit)
            tl.store(params + _NEW_SYMBOL_AT, symbol_at)
            silence = place + 1 - tl.minimum(exact_at, symbol_at)
            little = (place + 1 >= WINDOW) & (num_new <= MOST_NEW)
            suspect = (silence >= MAX_UNCHANGED) | little
        if suspect & ((place + 1) % BLOCK == 0):
            tl.store(FLAGS + row, tl.load(FLAGS + row) + _SUSPECT)


@triton.jit
def _still_equal(LINE, place, candidates, back, BEGIN: tl.constexpr, END: tl.constexpr):
    """Which candidates, n-grams that end `back` before `place`, have the same tokens there as the
    one that ends at it: those from `BEGIN` to before `END`, counted from the end. Before the line
    are zeros."""
    for number in tl.static_range(BEGIN, END):
        at = place - number
        newest = tl.load(LINE + at, mask=at >= 0, other=0)
        there = tl.load(LINE + at - back, mask=candidates & (at >= back), other=0)
        candidates = candidates & (there == newest)
    return candidates
