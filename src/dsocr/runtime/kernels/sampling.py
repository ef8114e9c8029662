"""Scores to tokens on the device: greedy, the no-repeat rule, what ends a page.

Two kernels: pieces of the vocabulary side by side, then one program a row that merges them, takes
the banned tokens out and writes the token down. The row is looked through again only if its best
token is banned.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.kernels.triton_language import constants, power_of_two, tl, triton

PIECE, PIECE_WARPS = 4096, 8
"""Scores a program looks through."""
SCANNED, SCANNED_WARPS = 2048, 8
"""Tokens of the history, or scores of a row, that the last program looks through at once."""

STUCK, NOT_A_NUMBER, END, FULL = 1, 2, 4, 8
"""Flags of a choice: everything was banned, the scores were no numbers, it is the end token, there
is no room for another."""

LENGTH, PROMPT, NGRAM, NGRAM_WINDOW, LIMIT, WATCH, WATCH_STATE, NUM_FIELDS = 0, 1, 2, 3, 4, 5, 8, 16
"""Columns of a sequence's parameters: tokens known, tokens of the prompt, the no-repeat rule (n, 0
for none; window, 0 for the whole sequence), most tokens there may be, whether loops are looked for,
and from `WATCH_STATE` on what is counted for that (see `kernels.watch`)."""

_LENGTH, _PROMPT, _NGRAM, _NGRAM_WINDOW, _LIMIT = constants(
    LENGTH, PROMPT, NGRAM, NGRAM_WINDOW, LIMIT
)
_STUCK, _NOT_A_NUMBER, _END, _FULL = constants(STUCK, NOT_A_NUMBER, END, FULL)


@dataclass(frozen=True, slots=True)
class Histories:
    """The device's tables of all sequences."""

    tokens: Tensor
    """(sequences, most tokens) int32: prompt and answer so far."""
    params: Tensor
    """(sequences, NUM_FIELDS) int32."""
    exempt: Tensor
    """(any,) int32 tokens that a window's rule never bans."""
    end: int
    """The end token's id."""


def choose(logits: Tensor, histories: Histories, rows: Tensor) -> Tensor:
    """Chooses, writes down and counts each row's next token: (3, B) int32 tokens, log-probabilities
    before any ban (float32's bits), flags. Banned tokens are taken out of `logits` (B, vocabulary)
    float32. Rows below 0 are nobody's.
    """
    total = logits.logsumexp(-1)
    chosen = []
    for row, sequence in enumerate(rows.tolist()):
        if sequence >= 0:
            logits[row, _banned(histories, sequence)] = float("-inf")
        best = int(logits[row].argmax())
        logprob = (logits[row, best] - total[row]).clamp_max(0)
        is_number = not bool(logits[row].isnan().any() | total[row].isnan())
        flags = 0 if is_number else NOT_A_NUMBER
        flags |= STUCK if is_number and bool(logits[row, best].isinf()) else 0
        flags |= END if best == histories.end else 0
        if sequence >= 0:
            flags |= _write_down(histories, sequence, best)
        bits = logprob.view(torch.int32).reshape(())
        chosen.append(torch.stack((bits.new_tensor(best), bits, bits.new_tensor(flags))))
    return torch.stack(chosen, dim=1)


def choose_fused(logits: Tensor, histories: Histories, rows: Tensor) -> Tensor:
    count, vocabulary = logits.shape
    pieces = -(-vocabulary // PIECE)
    sums = logits.new_empty(3, count, pieces)  # highest, sum of exponentials, best
    places = logits.new_empty(count, pieces, dtype=torch.int32)
    chosen = logits.new_empty(3, count, dtype=torch.int32)
    _look[(pieces, count)](
        logits, sums, places, vocabulary, count, PIECE=PIECE, num_warps=PIECE_WARPS
    )
    _choose[(count,)](
        *(logits, sums, places, histories.tokens, histories.params, histories.exempt, rows, chosen),
        *(vocabulary, count, pieces, histories.tokens.shape[1], histories.end),
        FIELDS=histories.params.shape[1],
        EXEMPT=len(histories.exempt),
        PIECES=power_of_two(pieces),
        SCANNED=SCANNED,
        num_warps=SCANNED_WARPS,
    )
    return chosen


def _banned(histories: Histories, sequence: int) -> list[int]:
    length, prompt, ngram, window, *_ = histories.params[sequence].tolist()
    if ngram == 0 or (window > 0 and ngram == 1):
        return []
    history = histories.tokens[sequence, :length].tolist()
    first = max(prompt, length - window) if window else 0
    last = history[length - ngram + 1 :]
    found = {
        history[start + ngram - 1]
        for start in range(first, length - ngram + 1)
        if history[start : start + ngram - 1] == last
    }
    return sorted(found - (set(histories.exempt.tolist()) if window else set()))


def _write_down(histories: Histories, sequence: int, token: int) -> int:
    params = histories.params[sequence]
    length = int(params[LENGTH])
    if length < histories.tokens.shape[1]:
        histories.tokens[sequence, length] = token
        params[LENGTH] += 1
    return FULL if length + 1 >= int(params[LIMIT]) else 0


@triton.jit(do_not_specialize=["count"])
def _look(LOGITS, SUMS, PLACES, vocabulary, count, PIECE: tl.constexpr):
    """A piece's highest score, its sum of exponentials and where the highest is."""
    piece, row = tl.program_id(0), tl.program_id(1)
    token = piece * PIECE + tl.arange(0, PIECE)
    logits = tl.load(
        LOGITS + row.to(tl.int64) * vocabulary + token,
        mask=token < vocabulary, other=float("-inf"),
    )  # fmt: skip
    highest = tl.max(logits, 0)
    base = tl.where(highest == float("-inf"), 0.0, highest)
    at = row * tl.num_programs(0) + piece
    size = count * tl.num_programs(0)
    tl.store(SUMS + at, base)
    tl.store(SUMS + size + at, tl.sum(tl.exp(logits - base), 0))
    tl.store(SUMS + 2 * size + at, highest)
    tl.store(PLACES + at, piece * PIECE + tl.argmax(logits, 0))


@triton.jit(do_not_specialize=["count"])
def _choose(
    LOGITS, SUMS, PLACES, TOKENS, PARAMS, EXEMPTED, ROWS, CHOSEN,
    vocabulary, count, pieces, most, end,
    FIELDS: tl.constexpr, EXEMPT: tl.constexpr, PIECES: tl.constexpr, SCANNED: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    piece = tl.arange(0, PIECES)
    known = piece < pieces
    size = count * pieces
    at = row * pieces + piece
    base = tl.load(SUMS + at, mask=known, other=float("-inf"))
    sums = tl.load(SUMS + size + at, mask=known, other=0.0)
    bests = tl.load(SUMS + 2 * size + at, mask=known, other=float("-inf"))
    highest = tl.max(base, 0)
    total = highest + tl.log(tl.sum(tl.where(known, sums * tl.exp(base - highest), 0.0), 0))
    score = tl.max(bests, 0)
    # of scores that are no numbers the best may lie behind the last
    best = tl.load(PLACES + row * pieces + tl.minimum(tl.argmax(bests, 0), pieces - 1))
    sequence = tl.load(ROWS + row)
    logits = LOGITS + row.to(tl.int64) * vocabulary
    flags = 0
    best = tl.minimum(best, vocabulary - 1)
    if sequence >= 0:
        params = PARAMS + sequence * FIELDS
        tokens = TOKENS + sequence.to(tl.int64) * most
        length = tl.load(params + _LENGTH)
        if _ban(
            logits, tokens, EXEMPTED, best, length, tl.load(params + _PROMPT),
            tl.load(params + _NGRAM), tl.load(params + _NGRAM_WINDOW), EXEMPT, SCANNED,
        ):  # fmt: skip
            tl.debug_barrier()  # bans that other threads wrote are read now
            score, best = _best(logits, vocabulary, SCANNED)
        tl.debug_barrier()  # all threads have read the length
        if length < most:
            tl.store(tokens + length, best)
            tl.store(params + _LENGTH, length + 1)
        flags += tl.where(length + 1 >= tl.load(params + _LIMIT), _FULL, 0)
    is_number = (total == total) & (score == score)
    flags += tl.where(is_number, tl.where(score == float("-inf"), _STUCK, 0), _NOT_A_NUMBER)
    flags += tl.where(best == end, _END, 0)
    logprob = tl.minimum(score - total, 0.0)
    tl.store(CHOSEN + row, best)
    tl.store(CHOSEN + count + row, logprob.to(tl.int32, bitcast=True))
    tl.store(CHOSEN + 2 * count + row, flags)


@triton.jit
def _ban(
    LOGITS, TOKENS, EXEMPTED, best, length, prompt, ngram, window,
    EXEMPT: tl.constexpr, SCANNED: tl.constexpr,
):  # fmt: skip
    """Takes out each token that would complete an n-gram already there; whether `best` was one.

    A window's rule knows the answer only, and with n = 1 upstream's bans nothing.
    """
    first = tl.where(window > 0, tl.maximum(prompt, length - window), 0)
    last = length - ngram + 1
    is_on = (ngram > 1) | ((ngram == 1) & (window == 0))
    last = tl.where(is_on, last, first)
    found = 0
    for begin in range(first, last, SCANNED):
        start = begin + tl.arange(0, SCANNED)
        matches = start < last
        # the token before the next one first: most histories end here
        nearest = tl.maximum(ngram - 2, 0)
        is_long = ngram > 1
        newest = tl.load(TOKENS + length - 1)
        there = tl.load(TOKENS + start + nearest, mask=matches & is_long, other=newest)
        matches = matches & (there == newest)
        if tl.sum(matches.to(tl.int32), 0) > 0:
            for back in range(0, ngram - 2):
                wanted = tl.load(TOKENS + length - ngram + 1 + back)
                matches = matches & (
                    tl.load(TOKENS + start + back, mask=matches, other=-1) == wanted
                )
            token = tl.load(TOKENS + start + ngram - 1, mask=matches, other=-1)
            for number in tl.static_range(EXEMPT):
                spared = tl.load(EXEMPTED + number)
                matches = matches & ((token != spared) | (window == 0))
            tl.store(LOGITS + token, float("-inf"), mask=matches)
            found += tl.sum((matches & (token == best)).to(tl.int32), 0)
    return found > 0


@triton.jit
def _best(LOGITS, vocabulary, SCANNED: tl.constexpr):
    """The highest score of a row and the first place it stands at."""
    highest = float("-inf")
    place = 0
    for begin in range(0, vocabulary, SCANNED):
        token = begin + tl.arange(0, SCANNED)
        logits = tl.load(
            LOGITS + token, mask=token < vocabulary, other=float("-inf"), cache_modifier=".cg"
        )  # fmt: skip
        here = tl.max(logits, 0)
        place = tl.where(here > highest, begin + tl.argmax(logits, 0), place)
        highest = tl.maximum(highest, here)
    return highest, place
