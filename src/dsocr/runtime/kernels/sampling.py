"""Next tokens from logits on the device: greedy, with the no-repeat rule and the end of a page.

Two kernels: one reduces chunks of the vocabulary in parallel, then one program per row merges them,
bans tokens and appends the chosen one. A row's logits are scanned again only if its best token is
banned.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.kernels.triton_compat import constexprs, next_power_of_2, tl, triton

CHUNK, CHUNK_WARPS = 4096, 8
"""Logits per program of the first kernel."""
SCAN, SCAN_WARPS = 2048, 8
"""Tokens of the history, or logits of a row, per iteration of the second."""

STUCK, NOT_A_NUMBER, END, FULL = 1, 2, 4, 8
"""Flags of a sampled token: all tokens were banned, the logits had NaN, it is the end token, the
sequence has reached its limit."""

LENGTH, PROMPT, NGRAM, NGRAM_WINDOW, LIMIT = 0, 1, 2, 3, 4
REPETITION_CHECK, GUARDS_PROMPT, REPETITION_STATE, NUM_FIELDS = 5, 6, 8, 16
"""Columns of a sequence's parameters: number of known tokens, of the prompt's tokens, the no-repeat
rule (n, 0 for none; window, 0 for the whole sequence), most tokens of the sequence, the repetition
check, whether a rule with a window covers the prompt too and exempts no token, and from
`REPETITION_STATE` on its counters (see `kernels.repetition_flags`)."""

_LENGTH, _PROMPT, _NGRAM, _NGRAM_WINDOW, _LIMIT, _GUARDS_PROMPT = constexprs(
    LENGTH, PROMPT, NGRAM, NGRAM_WINDOW, LIMIT, GUARDS_PROMPT
)
_STUCK, _NOT_A_NUMBER, _END, _FULL = constexprs(STUCK, NOT_A_NUMBER, END, FULL)


@dataclass(frozen=True, slots=True)
class TokenHistories:
    """The device's tables of all sequences."""

    tokens: Tensor
    """(sequences, max tokens) int32: prompt and output so far."""
    params: Tensor
    """(sequences, NUM_FIELDS) int32."""
    exempt: Tensor
    """(any,) int32 tokens that a rule with a window over the output never bans."""
    end: int
    """The end token's id."""


def sample_tokens(
    logits: Tensor, histories: TokenHistories, rows: Tensor, positions: Tensor | None = None
) -> Tensor:
    """The next token of each row's sequence, appended to its history; with `positions` (B,) the
    token after that position, which is not appended.

    Returns (3, B) int32: tokens, log-probabilities before any ban (float32's bits), flags. Logits
    (B, vocabulary) float32 of banned tokens are set to -inf. `rows` (B,) are the sequences, below 0
    for padding.
    """
    total = logits.logsumexp(-1)
    sampled = []
    for row, sequence in enumerate(rows.tolist()):
        if sequence >= 0:
            length = int(histories.params[sequence, LENGTH])
            length = length if positions is None else int(positions[row]) + 1
            logits[row, _banned(histories, sequence, length)] = float("-inf")
        best = int(logits[row].argmax())
        logprob = (logits[row, best] - total[row]).clamp_max(0)
        is_number = not bool(logits[row].isnan().any() | total[row].isnan())
        flags = 0 if is_number else NOT_A_NUMBER
        flags |= STUCK if is_number and bool(logits[row, best].isinf()) else 0
        flags |= END if best == histories.end else 0
        if sequence >= 0:
            flags |= FULL if length + 1 >= int(histories.params[sequence, LIMIT]) else 0
            if positions is None:
                _append(histories, sequence, best)
        bits = logprob.view(torch.int32).reshape(())
        sampled.append(torch.stack((bits.new_tensor(best), bits, bits.new_tensor(flags))))
    return torch.stack(sampled, dim=1)


def sample_tokens_fused(
    logits: Tensor, histories: TokenHistories, rows: Tensor, positions: Tensor | None = None
) -> Tensor:
    """`sample_tokens` in two kernels."""
    count, vocabulary = logits.shape
    num_chunks = -(-vocabulary // CHUNK)
    stats = logits.new_empty(3, count, num_chunks)  # maximum, sum of exponentials, best logit
    best_tokens = logits.new_empty(count, num_chunks, dtype=torch.int32)
    sampled = logits.new_empty(3, count, dtype=torch.int32)
    _reduce_chunks[(num_chunks, count)](
        logits, stats, best_tokens, vocabulary, count, CHUNK=CHUNK, num_warps=CHUNK_WARPS
    )
    _sample[(count,)](
        *(logits, stats, best_tokens, histories.tokens, histories.params, histories.exempt, rows),
        *(
            positions,
            sampled,
            vocabulary,
            count,
            num_chunks,
            histories.tokens.shape[1],
            histories.end,
        ),
        FIELDS=histories.params.shape[1],
        NUM_EXEMPT=len(histories.exempt),
        CHUNK_BLOCK=next_power_of_2(num_chunks),
        SCAN=SCAN,
        num_warps=SCAN_WARPS,
    )
    return sampled


def _banned(histories: TokenHistories, sequence: int, length: int) -> list[int]:
    _, prompt, ngram, window, *_ = histories.params[sequence].tolist()
    guards_prompt = bool(histories.params[sequence, GUARDS_PROMPT])
    of_output = window > 0 and not guards_prompt
    if ngram == 0 or (of_output and ngram == 1):
        return []
    history = histories.tokens[sequence, :length].tolist()
    first = max(prompt if of_output else 0, length - window) if window else 0
    last = history[length - ngram + 1 :]
    found = {
        history[start + ngram - 1]
        for start in range(first, length - ngram + 1)
        if history[start : start + ngram - 1] == last
    }
    return sorted(found - (set(histories.exempt.tolist()) if of_output else set()))


def _append(histories: TokenHistories, sequence: int, token: int) -> None:
    params = histories.params[sequence]
    length = int(params[LENGTH])
    if length < histories.tokens.shape[1]:
        histories.tokens[sequence, length] = token
        params[LENGTH] += 1


@triton.jit(do_not_specialize=["count"])
def _reduce_chunks(LOGITS, STATS, BEST_TOKENS, vocabulary, count, CHUNK: tl.constexpr):
    """Maximum, sum of exponentials and best token of one chunk of one row's logits."""
    chunk, row = tl.program_id(0), tl.program_id(1)
    token = chunk * CHUNK + tl.arange(0, CHUNK)
    logits = tl.load(
        LOGITS + row.to(tl.int64) * vocabulary + token,
        mask=token < vocabulary, other=float("-inf"),
    )  # fmt: skip
    best = tl.max(logits, 0)
    base = tl.where(best == float("-inf"), 0.0, best)
    index = row * tl.num_programs(0) + chunk
    size = count * tl.num_programs(0)
    tl.store(STATS + index, base)
    tl.store(STATS + size + index, tl.sum(tl.exp(logits - base), 0))
    tl.store(STATS + 2 * size + index, best)
    tl.store(BEST_TOKENS + index, chunk * CHUNK + tl.argmax(logits, 0))


@triton.jit(do_not_specialize=["count", "end"])
def _sample(
    LOGITS, STATS, BEST_TOKENS, TOKENS, PARAMS, EXEMPT, ROWS, POSITIONS, SAMPLED,
    vocabulary, count, num_chunks, max_tokens, end,
    FIELDS: tl.constexpr, NUM_EXEMPT: tl.constexpr, CHUNK_BLOCK: tl.constexpr, SCAN: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    chunk = tl.arange(0, CHUNK_BLOCK)
    mask = chunk < num_chunks
    size = count * num_chunks
    index = row * num_chunks + chunk
    base = tl.load(STATS + index, mask=mask, other=float("-inf"))
    sums = tl.load(STATS + size + index, mask=mask, other=0.0)
    bests = tl.load(STATS + 2 * size + index, mask=mask, other=float("-inf"))
    highest = tl.max(base, 0)
    total = highest + tl.log(tl.sum(tl.where(mask, sums * tl.exp(base - highest), 0.0), 0))
    score = tl.max(bests, 0)
    # with NaN argmax may return an index past the last chunk
    best_tokens = BEST_TOKENS + row * num_chunks
    best = tl.load(best_tokens + tl.minimum(tl.argmax(bests, 0), num_chunks - 1))
    sequence = tl.load(ROWS + row)
    logits = LOGITS + row.to(tl.int64) * vocabulary
    flags = 0
    best = tl.minimum(best, vocabulary - 1)
    if sequence >= 0:
        params = PARAMS + sequence * FIELDS
        tokens = TOKENS + sequence.to(tl.int64) * max_tokens
        if POSITIONS is None:
            length = tl.load(params + _LENGTH)
        else:
            length = tl.load(POSITIONS + row).to(tl.int32) + 1
        if _ban(
            logits, tokens, EXEMPT, best, length, tl.load(params + _PROMPT),
            tl.load(params + _NGRAM), tl.load(params + _NGRAM_WINDOW),
            tl.load(params + _GUARDS_PROMPT), NUM_EXEMPT, SCAN,
        ):  # fmt: skip
            tl.debug_barrier()  # bans stored by other threads are loaded next
            score, best = _argmax(logits, vocabulary, SCAN)
        if POSITIONS is None:
            tl.debug_barrier()  # all threads have loaded the length before it is stored
            if length < max_tokens:
                tl.store(tokens + length, best)
                tl.store(params + _LENGTH, length + 1)
        flags += tl.where(length + 1 >= tl.load(params + _LIMIT), _FULL, 0)
    is_number = (total == total) & (score == score)
    flags += tl.where(is_number, tl.where(score == float("-inf"), _STUCK, 0), _NOT_A_NUMBER)
    flags += tl.where(best == end, _END, 0)
    logprob = tl.minimum(score - total, 0.0)
    tl.store(SAMPLED + row, best)
    tl.store(SAMPLED + count + row, logprob.to(tl.int32, bitcast=True))
    tl.store(SAMPLED + 2 * count + row, flags)


@triton.jit
def _ban(
    LOGITS, TOKENS, EXEMPT, best, length, prompt, ngram, window, guards_prompt,
    NUM_EXEMPT: tl.constexpr, SCAN: tl.constexpr,
):  # fmt: skip
    """Sets the logit of each token that would complete an n-gram seen before to -inf; whether
    `best` was one of them.

    A rule with a window covers the output only and, as in the released code, bans nothing if n = 1,
    unless `guards_prompt`.
    """
    of_output = (window > 0) & (guards_prompt == 0)
    covered = tl.where(of_output, prompt, 0)
    first = tl.where(window > 0, tl.maximum(covered, length - window), 0)
    last = length - ngram + 1
    is_on = (ngram > 1) | ((ngram == 1) & (of_output == 0))
    last = tl.where(is_on, last, first)
    found = 0
    for begin in range(first, last, SCAN):
        start = begin + tl.arange(0, SCAN)
        matches = start < last
        # compare the n-gram's last known token first: it rules out most candidates
        nearest = tl.maximum(ngram - 2, 0)
        is_long = ngram > 1
        newest = tl.load(TOKENS + length - 1)
        candidate = tl.load(TOKENS + start + nearest, mask=matches & is_long, other=newest)
        matches = matches & (candidate == newest)
        if tl.sum(matches.to(tl.int32), 0) > 0:
            for index in range(0, ngram - 2):
                expected = tl.load(TOKENS + length - ngram + 1 + index)
                matches = matches & (
                    tl.load(TOKENS + start + index, mask=matches, other=-1) == expected
                )
            token = tl.load(TOKENS + start + ngram - 1, mask=matches, other=-1)
            for index in tl.static_range(NUM_EXEMPT):
                exempt = tl.load(EXEMPT + index)
                matches = matches & ((token != exempt) | (of_output == 0))
            tl.store(LOGITS + token, float("-inf"), mask=matches)
            found += tl.sum((matches & (token == best)).to(tl.int32), 0)
    return found > 0


@triton.jit
def _argmax(LOGITS, vocabulary, SCAN: tl.constexpr):
    """The highest logit of a row and its first token."""
    highest = float("-inf")
    best = 0
    for begin in range(0, vocabulary, SCAN):
        token = begin + tl.arange(0, SCAN)
        logits = tl.load(
            LOGITS + token, mask=token < vocabulary, other=float("-inf"), cache_modifier=".cg"
        )  # fmt: skip
        chunk_max = tl.max(logits, 0)
        best = tl.where(chunk_max > highest, begin + tl.argmax(logits, 0), best)
        highest = tl.maximum(highest, chunk_max)
    return highest, best
