"""Repetition flags on the device: which rows' newest tokens may be part of a loop.

A cheap necessary condition for each of the three signs that `text.repetition` looks for: it may
flag normal pages, but misses none that the host's check would end. The host checks flagged pages
only.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.kernels.sampling import (
    LENGTH,
    PROMPT,
    REPETITION_CHECK,
    REPETITION_STATE,
    TokenHistories,
)
from dsocr.runtime.kernels.triton_compat import constexprs, next_power_of_2, tl, triton
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

CHECK_OFF, CHECK_ON, CHECK_ALWAYS = 0, 1, 2
"""Values of the column `REPETITION_CHECK`. `CHECK_ALWAYS` flags every block: for sequences whose
earlier tokens the device has not counted."""

MAY_REPEAT = 16
"""Added to the flags of a sampled token."""

NEW_EXACT_AT, NUM_NEW, NUM_SYMBOLS, IN_NUMBER, NEW_SYMBOL_AT = range(
    REPETITION_STATE, REPETITION_STATE + 5
)
"""Columns of a sequence's parameters that are counted here, 0 at first. Output tokens up to the
last that ended a new n-gram of `EXACT`; how many of the last `WINDOW` ended a new one of `NEAR`;
symbols, which are the output's tokens with every number as one symbol; whether the newest token is
part of a number; tokens up to the last symbol that ended a new n-gram of `TEMPLATE`."""

_LENGTH, _PROMPT, _REPETITION_CHECK = constexprs(LENGTH, PROMPT, REPETITION_CHECK)
_NEW_EXACT_AT, _NUM_NEW, _NUM_SYMBOLS, _IN_NUMBER, _NEW_SYMBOL_AT = constexprs(
    NEW_EXACT_AT, NUM_NEW, NUM_SYMBOLS, IN_NUMBER, NEW_SYMBOL_AT
)
_CHECK_OFF, _CHECK_ON, _CHECK_ALWAYS, _MAY_REPEAT = constexprs(
    CHECK_OFF, CHECK_ON, CHECK_ALWAYS, MAY_REPEAT
)


@dataclass(frozen=True, slots=True)
class RepetitionState:
    """What is stored of all sequences besides their tokens."""

    symbols: Tensor
    """(sequences, max tokens) int32."""
    is_new: Tensor
    """(sequences, WINDOW) int8, by position modulo WINDOW: 1 where an n-gram of `NEAR` was new."""
    digits: Tensor
    """(any,) int8, by token: 1 for those of digits only. Tokens past its end have none."""


def make_repetition_state(tokens: Tensor, digits: Collection[int]) -> RepetitionState:
    """Empty tables for tokens (sequences, max tokens) and the ids of tokens of digits only."""
    is_digit = torch.zeros(max(digits, default=0) + 1, dtype=torch.int8)
    is_digit[[*digits]] = 1
    is_new = tokens.new_zeros(len(tokens), WINDOW, dtype=torch.int8)
    return RepetitionState(torch.zeros_like(tokens), is_new, is_digit.to(tokens.device))


@dataclass(frozen=True, slots=True)
class TokenRuns:
    """The newest tokens of the rows' sequences, where a step adds several."""

    lengths: Tensor
    """(B,) int32: how many."""
    starts: Tensor
    """(B,) int32: where the flags of the second and those after it are; those of the first are at
    the row's own index."""


def flag_repetition(
    histories: TokenHistories,
    state: RepetitionState,
    rows: Tensor,
    flags: Tensor,
    runs: TokenRuns | None = None,
) -> None:
    """Counts the newest token of each row's sequence, or its newest `runs`, and adds `MAY_REPEAT`
    to the flags, int32, of those where the host should check it. `rows` (B,) are below 0 for
    padding. Without `runs` the flags are (B,)."""
    for row, sequence in enumerate(rows.tolist()):
        if sequence < 0:
            continue
        check = int(histories.params[sequence, REPETITION_CHECK])
        if check == CHECK_OFF:
            continue
        length = int(histories.params[sequence, LENGTH])
        count = 1 if runs is None else int(runs.lengths[row])
        for number in range(count):
            end = length - count + number + 1
            if check == CHECK_ON:
                _count_newest(histories, state, sequence, end)
            if _may_repeat(histories.params[sequence].tolist(), end):
                index = int(runs.starts[row]) + number - 1 if runs and number else row
                flags[index] += MAY_REPEAT


def flag_repetition_fused(
    histories: TokenHistories,
    state: RepetitionState,
    rows: Tensor,
    flags: Tensor,
    runs: TokenRuns | None = None,
) -> None:
    """`flag_repetition` in one kernel."""
    _flag_repetition[(len(rows),)](
        *(histories.tokens, histories.params, rows, flags),
        *(None if runs is None else runs.lengths, None if runs is None else runs.starts),
        *(state.symbols, state.is_new, state.digits),
        *(histories.tokens.shape[1], len(state.digits)),
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
        REACH_BLOCK=next_power_of_2(REACH),
        num_warps=WARPS,
    )


def _count_newest(
    histories: TokenHistories, state: RepetitionState, sequence: int, length: int
) -> None:
    params = histories.params[sequence]
    prompt = int(params[PROMPT])
    output = histories.tokens[sequence, prompt:length]
    position = len(output) - 1
    if not _seen_before(output, EXACT, REACH):
        params[NEW_EXACT_AT] = position + 1
    window = state.is_new[sequence]
    is_new = not _seen_before(output, NEAR, RECENT)
    params[NUM_NEW] += is_new - (int(window[position % WINDOW]) if position >= WINDOW else 0)
    window[position % WINDOW] = is_new

    token = int(output[-1])
    is_digit = token < len(state.digits) and bool(state.digits[token])
    if not (is_digit and bool(params[IN_NUMBER])):
        count = int(params[NUM_SYMBOLS])
        state.symbols[sequence, count] = 0 if is_digit else token
        params[NUM_SYMBOLS] = count + 1
        if not _seen_before(state.symbols[sequence, : count + 1], TEMPLATE, REACH):
            params[NEW_SYMBOL_AT] = position + 1
    params[IN_NUMBER] = is_digit


def _seen_before(tokens: Tensor, size: int, reach: int) -> bool:
    """Whether the last n-gram also ends at one of the `reach` positions before. Zeros precede the
    first token."""
    grams = torch.nn.functional.pad(tokens, (size - 1, 0)).unfold(0, size, 1)
    return bool((grams[:-1][-reach:] == grams[-1]).all(dim=1).any())


def _may_repeat(params: list[int], length: int) -> bool:
    written = length - params[PROMPT]
    if written % BLOCK:
        return False  # the host checks whole blocks only
    return (
        params[REPETITION_CHECK] == CHECK_ALWAYS
        or written - params[NEW_EXACT_AT] >= MAX_UNCHANGED
        or written - params[NEW_SYMBOL_AT] >= MAX_UNCHANGED
        or (written >= WINDOW and params[NUM_NEW] <= MOST_NEW)
    )


@triton.jit(do_not_specialize=["FLAGS", "num_digits"])
def _flag_repetition(
    TOKENS, PARAMS, ROWS, FLAGS, RUNS, STARTS, SYMBOLS, IS_NEW, DIGITS, max_tokens, num_digits,
    FIELDS: tl.constexpr, BLOCK: tl.constexpr,
    EXACT: tl.constexpr, NEAR: tl.constexpr, TEMPLATE: tl.constexpr,
    REACH: tl.constexpr, RECENT: tl.constexpr, MAX_UNCHANGED: tl.constexpr,
    WINDOW: tl.constexpr, MOST_NEW: tl.constexpr, REACH_BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    sequence = tl.load(ROWS + row)
    check = _CHECK_OFF
    if sequence >= 0:
        check = tl.load(PARAMS + sequence * FIELDS + _REPETITION_CHECK)
    if check != _CHECK_OFF:
        params = PARAMS + sequence * FIELDS
        prompt = tl.load(params + _PROMPT)
        end = tl.load(params + _LENGTH) - prompt
        first = end - 1
        if RUNS is not None:
            first = end - tl.load(RUNS + row)
        for position in range(first, end):
            may_repeat = check == _CHECK_ALWAYS
            if check == _CHECK_ON:
                output = TOKENS + sequence.to(tl.int64) * max_tokens + prompt
                back = 1 + tl.arange(0, REACH_BLOCK)
                within = (back <= REACH) & (back <= position)
                near = _keep_equal(output, position, within, back, 0, NEAR)
                exact = _keep_equal(output, position, near, back, NEAR, EXACT)
                seen_near = tl.max((near & (back <= RECENT)).to(tl.int32), 0)
                seen_exact = tl.max(exact.to(tl.int32), 0)

                symbols = SYMBOLS + sequence.to(tl.int64) * max_tokens
                count = tl.load(params + _NUM_SYMBOLS)
                token = tl.load(output + position)
                digit = tl.load(DIGITS + token, mask=token < num_digits, other=0).to(tl.int32)
                starts_symbol = (digit == 0) | (tl.load(params + _IN_NUMBER) == 0)
                symbol = tl.where(digit > 0, 0, token)
                equal = tl.load(symbols + count - back, mask=back <= count, other=-1) == symbol
                template = _keep_equal(symbols, count, (back <= REACH) & equal, back, 1, TEMPLATE)
                seen_template = tl.max(template.to(tl.int32), 0)

                exact_at = tl.load(params + _NEW_EXACT_AT)
                symbol_at = tl.load(params + _NEW_SYMBOL_AT)
                entry = IS_NEW + sequence * WINDOW + position % WINDOW
                dropped = tl.load(entry, mask=position >= WINDOW, other=0).to(tl.int32)
                num_new = tl.load(params + _NUM_NEW) + 1 - seen_near - dropped
                exact_at = tl.where(seen_exact > 0, exact_at, position + 1)
                symbol_at = tl.where(starts_symbol & (seen_template == 0), position + 1, symbol_at)
                tl.debug_barrier()  # all threads have loaded what is overwritten below
                tl.store(entry, (1 - seen_near).to(tl.int8))
                tl.store(symbols + count, symbol, mask=starts_symbol)
                tl.store(params + _NEW_EXACT_AT, exact_at)
                tl.store(params + _NUM_NEW, num_new)
                tl.store(params + _NUM_SYMBOLS, count + starts_symbol.to(tl.int32))
                tl.store(params + _IN_NUMBER, digit)
                tl.store(params + _NEW_SYMBOL_AT, symbol_at)
                since_new = position + 1 - tl.minimum(exact_at, symbol_at)
                few_new = (position + 1 >= WINDOW) & (num_new <= MOST_NEW)
                may_repeat = (since_new >= MAX_UNCHANGED) | few_new
            if may_repeat & ((position + 1) % BLOCK == 0):
                index = row
                if RUNS is not None:
                    index = tl.where(
                        position > first, tl.load(STARTS + row) + position - first - 1, row
                    )
                tl.store(FLAGS + index, tl.load(FLAGS + index) + _MAY_REPEAT)
            if RUNS is not None:
                tl.debug_barrier()  # all threads have stored what the next token's look-up loads


@triton.jit
def _keep_equal(TOKENS, position, candidates, back, BEGIN: tl.constexpr, END: tl.constexpr):
    """Candidates are n-grams that end `back` before `position`; keeps those whose tokens from
    `BEGIN` to before `END`, counted from the end, equal those of the n-gram that ends at
    `position`. Zeros precede the first token."""
    for index in tl.static_range(BEGIN, END):
        at = position - index
        newest = tl.load(TOKENS + at, mask=at >= 0, other=0)
        candidate = tl.load(TOKENS + at - back, mask=candidates & (at >= back), other=0)
        candidates = candidates & (candidate == newest)
    return candidates
