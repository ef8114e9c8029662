"""Drafts looked up on the device: `text.draft_lookup` for all sequences of a step at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dsocr.runtime.kernels.drafts.tables import (
    BOX,
    COUNT,
    MOST,
    NEXT,
    NUM_DRAFT_FIELDS,
    NUM_REFERENCE,
    PUSHED,
    SIZE,
    WAIT,
    WIDTH,
    DraftTables,
)
from dsocr.runtime.kernels.sampling import LENGTH, LIMIT, PROMPT, TokenHistories
from dsocr.runtime.kernels.triton_compat import constexprs, tl, triton
from dsocr.runtime.text.draft_lookup import END

SCAN, WARPS = 1024, 4
"""Tokens of a reference, or of the output, per iteration."""

_LENGTH, _PROMPT, _LIMIT = constexprs(LENGTH, PROMPT, LIMIT)
_COUNT, _NEXT, _BOX, _SIZE, _WAIT, _MOST, _PUSHED, _NUM_REFERENCE = constexprs(
    COUNT, NEXT, BOX, SIZE, WAIT, MOST, PUSHED, NUM_REFERENCE
)
_WIDTH, _STATE = constexprs(WIDTH, NUM_DRAFT_FIELDS)


def propose_drafts(histories: TokenHistories, tables: DraftTables, rows: Tensor) -> Tensor:
    """Looks up the next draft of each row's sequence. Returns their lengths (B,) int32; `rows` (B,)
    are below 0 for padding."""
    counts = torch.zeros_like(rows)
    for row, sequence in enumerate(rows.tolist()):
        if sequence >= 0 and int(tables.state[sequence, MOST]):
            draft = _propose_one(histories, tables, sequence)
            tables.drafts[sequence, : len(draft)] = rows.new_tensor(draft)
            tables.state[sequence, COUNT] = counts[row] = len(draft)
    return counts


def propose_drafts_fused(histories: TokenHistories, tables: DraftTables, rows: Tensor) -> Tensor:
    """`propose_drafts` in one kernel."""
    counts = torch.empty_like(rows)
    _propose[(len(rows),)](
        *(histories.tokens, histories.params, tables.references, tables.state, tables.drafts),
        *(tables.follows, tables.starts, tables.numbers, rows, counts),
        *(histories.tokens.shape[1], tables.references.shape[1]),
        *(_or_end(tables.grammar.box_start), _or_end(tables.grammar.box_end)),
        len(tables.numbers),
        FIELDS=histories.params.shape[1],
        NUM_FOLLOWS=len(tables.follows),
        FOLLOWS_WIDTH=tables.follows.shape[1],
        NUM_STARTS=len(tables.starts),
        SCAN=SCAN,
        num_warps=WARPS,
    )
    return counts


def _or_end(token: int | None) -> int:
    return END if token is None else token


def _propose_one(histories: TokenHistories, tables: DraftTables, sequence: int) -> list[int]:
    params, state = histories.params[sequence], tables.state[sequence]
    length, prompt = int(params[LENGTH]), int(params[PROMPT])
    written = histories.tokens[sequence, prompt:length].tolist()
    known = tables.references[sequence, : int(state[NUM_REFERENCE])].tolist()
    for token in written[int(state[PUSHED]) :]:
        place = int(state[NEXT])
        state[NEXT] += 0 <= place < len(known) and known[place] == token
        state[BOX] = tables.grammar.box_after(int(state[BOX]), token)
    state[PUSHED] = len(written)
    if int(state[WAIT]):
        state[WAIT] -= 1
        return []
    most = min(int(state[SIZE]), int(state[MOST]), int(params[LIMIT]) - length - 1)
    return _look_up(tables, state, known, written)[: max(0, most)]


def _look_up(tables: DraftTables, state: Tensor, known: list[int], written: list[int]) -> list[int]:
    grammar, newest = tables.grammar, written[-1]
    if newest in grammar.follows:
        return [*grammar.follows[newest]]
    if box := int(state[BOX]):
        return [*grammar.inside_box(box, newest)]
    expected = int(state[NEXT])
    place = _match(known, written, max(0, expected))
    if place is None and expected >= 0 and newest in grammar.starts:
        place = expected
    if place is not None:
        state[NEXT] = place
        if draft := _until_end(known[place : place + WIDTH]):
            return draft
    for size in (3, 2):
        places = [at for at in _places(written, written[-size:], size) if at < len(written)]
        if places:
            return written[places[-1] : places[-1] + WIDTH]
    return []


def _match(known: list[int], written: list[int], first: int) -> int | None:
    for size in (3, 2):
        places = _places(known, written[-size:], size)
        if places:
            return next((place for place in places if place >= first), places[0])
    return None


def _places(tokens: list[int], last: list[int], size: int) -> list[int]:
    if len(last) < size:
        return []
    return [at for at in range(size, len(tokens) + 1) if tokens[at - size : at] == last]


def _until_end(tokens: Sequence[int]) -> list[int]:
    tokens = [*tokens]
    return tokens[: tokens.index(END)] if END in tokens else tokens


@triton.jit(do_not_specialize=["box_start", "box_end", "num_numbers"])
def _propose(
    TOKENS, PARAMS, REFERENCES, STATE, DRAFTS, FOLLOWS, STARTS, NUMBERS, ROWS, COUNTS,
    max_tokens, max_reference, box_start, box_end, num_numbers,
    FIELDS: tl.constexpr, NUM_FOLLOWS: tl.constexpr, FOLLOWS_WIDTH: tl.constexpr,
    NUM_STARTS: tl.constexpr, SCAN: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    sequence = tl.load(ROWS + row)
    state = STATE + tl.maximum(sequence, 0) * _STATE
    count = 0
    most = 0
    if sequence >= 0:
        most = tl.load(state + _MOST)
    if most > 0:
        params = PARAMS + sequence * FIELDS
        prompt = tl.load(params + _PROMPT)
        length = tl.load(params + _LENGTH)
        written = length - prompt
        output = TOKENS + sequence.to(tl.int64) * max_tokens + prompt
        known = REFERENCES + sequence.to(tl.int64) * max_reference
        num_known = tl.load(state + _NUM_REFERENCE)
        expected, box, is_number = _push(
            output, known, num_known, tl.load(state + _PUSHED), written,
            tl.load(state + _NEXT), tl.load(state + _BOX), box_start, box_end,
            NUMBERS, num_numbers,
        )  # fmt: skip
        wait = tl.load(state + _WAIT)
        most = tl.minimum(tl.minimum(most, tl.load(state + _SIZE)), _WIDTH)
        most = tl.minimum(most, tl.load(params + _LIMIT) - length - 1)
        most = tl.where(wait > 0, 0, most)
        tl.debug_barrier()  # all threads have loaded the state that is overwritten below
        if most > 0:
            count, expected = _look_up_kernel(
                output, known, num_known, written, expected, box, is_number, most,
                DRAFTS + sequence * _WIDTH, FOLLOWS, STARTS,
                NUM_FOLLOWS, FOLLOWS_WIDTH, NUM_STARTS, SCAN,
            )  # fmt: skip
        tl.store(state + _WAIT, tl.maximum(wait - 1, 0))
        tl.store(state + _NEXT, expected)
        tl.store(state + _BOX, box)
        tl.store(state + _PUSHED, written)
        tl.store(state + _COUNT, count)
    tl.store(COUNTS + row, count)


@triton.jit
def _push(
    OUTPUT, KNOWN, num_known, pushed, written, expected, box, box_start, box_end,
    NUMBERS, num_numbers,
):  # fmt: skip
    """The expected place and the state of the box after the newest tokens, and whether the last of
    them is a number."""
    is_number = 0
    for at in range(pushed, written):
        token = tl.load(OUTPUT + at)
        is_known = (expected >= 0) & (expected < num_known)
        known = tl.load(KNOWN + tl.maximum(expected, 0), mask=is_known, other=-1)
        expected += (known == token).to(tl.int32)
        is_number = tl.load(NUMBERS + token, mask=token < num_numbers, other=0).to(tl.int32)
        box += tl.where(box > 0, is_number, 0)
        box = tl.where(token == box_start, 1, tl.where(token == box_end, 0, box))
    return expected, box, is_number


@triton.jit
def _look_up_kernel(
    OUTPUT, KNOWN, num_known, written, expected, box, is_number, most, DRAFT, FOLLOWS, STARTS,
    NUM_FOLLOWS: tl.constexpr, FOLLOWS_WIDTH: tl.constexpr, NUM_STARTS: tl.constexpr,
    SCAN: tl.constexpr,
):  # fmt: skip
    """Stores the draft; returns its length and the place that it was found at."""
    newest = tl.load(OUTPUT + written - 1)
    second = tl.load(OUTPUT + written - 2, mask=written >= 2, other=-2)
    third = tl.load(OUTPUT + written - 3, mask=written >= 3, other=-2)
    index = tl.arange(0, _WIDTH)
    fixed = tl.full((_WIDTH,), -1, tl.int32)
    is_fixed = 0
    for number in tl.static_range(NUM_FOLLOWS):
        follows = FOLLOWS + number * FOLLOWS_WIDTH
        matches = tl.load(follows) == newest
        if number == 0:
            matches = (is_number > 0) & (box > 1) & ((box - 1) % 4 > 0)
        elif number == 1:
            matches = (is_number > 0) & (box > 1) & ((box - 1) % 4 == 0)
        after = tl.load(follows + 1 + index, mask=index < FOLLOWS_WIDTH - 1, other=-1)
        fixed = tl.where(matches, after, fixed)
        is_fixed += matches.to(tl.int32)
    draft = fixed
    if (is_fixed == 0) & (box == 0):
        place = _find_known(KNOWN, num_known, newest, second, third, expected, SCAN)
        starts = 0
        for number in tl.static_range(NUM_STARTS):
            starts += (tl.load(STARTS + number) == newest).to(tl.int32)
        place = tl.where((place < 0) & (starts > 0), expected, place)
        expected = tl.where(place >= 0, place, expected)
        is_within = (place >= 0) & (place + index < num_known)
        draft = tl.load(KNOWN + tl.maximum(place, 0) + index, mask=is_within, other=-1)
        if tl.sum(tl.where(index == 0, draft, 0), 0) < 0:
            place = _find_written(OUTPUT, written, newest, second, third, SCAN)
            is_within = (place >= 0) & (place + index < written)
            draft = tl.load(OUTPUT + tl.maximum(place, 0) + index, mask=is_within, other=-1)
    count = tl.min(tl.where(draft < 0, index, _WIDTH), 0)
    count = tl.minimum(count, most)
    tl.store(DRAFT + index, draft, mask=index < count)
    return count, expected


@triton.jit
def _find_known(
    KNOWN, num_known, newest, second, third, expected, SCAN: tl.constexpr
):  # fmt: skip
    """The place after the longest match: the first from `expected` on, else the first of all; below
    0 without a match."""
    FAR: tl.constexpr = 1 << 30
    first = tl.maximum(expected, 0)
    next3 = FAR
    any3 = FAR
    next2 = FAR
    any2 = FAR
    for begin in range(0, num_known, SCAN):
        place = begin + tl.arange(0, SCAN)
        is_within = (place >= 2) & (place <= num_known)
        match = is_within & (tl.load(KNOWN + place - 1, mask=is_within, other=-1) == newest)
        if tl.max(match.to(tl.int32), 0) > 0:
            match = match & (tl.load(KNOWN + place - 2, mask=match, other=-1) == second)
            any2 = tl.minimum(any2, tl.min(tl.where(match, place, FAR), 0))
            next2 = tl.minimum(next2, tl.min(tl.where(match & (place >= first), place, FAR), 0))
            match = match & (place >= 3)
            match = match & (tl.load(KNOWN + place - 3, mask=match, other=-1) == third)
            any3 = tl.minimum(any3, tl.min(tl.where(match, place, FAR), 0))
            next3 = tl.minimum(next3, tl.min(tl.where(match & (place >= first), place, FAR), 0))
    place = tl.where(next3 < FAR, next3, any3)
    place = tl.where(place < FAR, place, tl.where(next2 < FAR, next2, any2))
    return tl.where(place < FAR, place, -1)


@triton.jit
def _find_written(OUTPUT, written, newest, second, third, SCAN: tl.constexpr):
    """The place after the last longest match before the newest token; below 0 without one."""
    last3 = -1
    last2 = -1
    for begin in range(0, written, SCAN):
        place = begin + tl.arange(0, SCAN)
        is_within = (place >= 2) & (place < written)
        match = is_within & (tl.load(OUTPUT + place - 1, mask=is_within, other=-1) == newest)
        if tl.max(match.to(tl.int32), 0) > 0:
            match = match & (tl.load(OUTPUT + place - 2, mask=match, other=-1) == second)
            last2 = tl.maximum(last2, tl.max(tl.where(match, place, -1), 0))
            match = match & (place >= 3)
            match = match & (tl.load(OUTPUT + place - 3, mask=match, other=-1) == third)
            last3 = tl.maximum(last3, tl.max(tl.where(match, place, -1), 0))
    return tl.where(last3 >= 0, last3, last2)
