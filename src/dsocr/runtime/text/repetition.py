"""Repetition detection: whether the output of a page has begun to loop, and where.

Three criteria, each on n-grams of the recent output:

- **nothing new**: every n-gram of 24 tokens has occurred before, for longer than a table of empty
  cells, a dotted leader or a passage printed twice lasts;
- **little new**: most n-grams of 8 tokens have occurred recently. This finds a loop that the
  no-repeat rule keeps breaking, or one that cycles through a few variants;
- **counting**: with numbers left out nothing is new, and the numbers grow by a constant step.

Not reported: two copies of a passage; a table whose rows begin with something new; rows that differ
in their numbers, unless the numbers count; month sheets, which count to 31. The limits were chosen
on the corpus of `bench.texts.repetition`, which counts false alarms. Works on token ids alone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import sub

from dsocr.runtime.text.tokenizer import Tokenizer

BLOCK = 16
"""Tokens checked together: slicing a string of them is cheap, a call per token is not."""
_MEMORY = 512
"""An n-gram is remembered for at least this many tokens, so shorter periods are found."""
REACH = 2 * (_MEMORY + BLOCK)
"""No n-gram is remembered for longer."""

EXACT = 24
"""Length of the n-grams of "nothing new": eight table cells, so a grid of two values still has new
ones."""
NEAR = 8
"""Length of the n-grams of "little new": short, because the no-repeat rule breaks a loop every 30
tokens."""
TEMPLATE = 12

MAX_UNCHANGED = 344
"""Tokens without a new n-gram until a loop is reported; with the first n-gram and a block fewer
than 400."""
_BLOCKS = 23
WINDOW = _BLOCKS * BLOCK
"""Tokens over which "little new" is measured."""
MOST_NEW = int(0.28 * WINDOW)
"""Most tokens of the window that may end new n-grams; breaks by the no-repeat rule are 8 of 31."""
RECENT = 192
"""For "little new" an n-gram is old only if it occurred within this many tokens."""

_MIN_WORDS, _MIN_ROW_WORDS = 3, 4
"""Distinct words that "little new" must repeat, in text and in tables: grids of a few values have
fewer."""
_WORDY = 0.12
"""Share of the window that repeated words must have; the weekdays of a calendar have less."""
_BREAKS = 6
"""This many tokens never seen before in a window come from the no-repeat rule; two distinct
repeated words are then enough."""
_ALL_WORDS = 0.5
"""With this share of repeated words there are no table cells; one distinct word is enough."""

_MIN_COUNTS = 20
"""Least number of steps of a counting run."""
_MIN_ROW_COUNTS = 40
"""The same in a table: a month has 31 rows."""
_MAX_STRIDE = 16
"""Most numbers in one item of a counting run: the box of a reference has four."""
_RECHECK = 32
"""Tokens between two checks of the numbers, in a long numeric table."""


@dataclass(frozen=True, slots=True)
class TokenKinds:
    """What the detector needs to know of a vocabulary."""

    digits: dict[int, str]
    """Tokens that consist of digits, and their text."""
    is_word: Callable[[int], bool]
    """Whether a token has a letter in it."""
    row: int
    """`<tr>`, or -1."""
    cell_end: int
    """`</td>`, or -1."""


def token_kinds(tokenizer: Tokenizer) -> TokenKinds:
    """Digit tokens are looked up by their text: iterating over the vocabulary would take a third of
    a second at every start."""
    return TokenKinds(
        digits=_digits(tokenizer),
        is_word=cache(lambda token: _has_letter(tokenizer.token_bytes(token))),
        row=_single(tokenizer, "<tr>"),
        cell_end=_single(tokenizer, "</td>"),
    )


def _digits(tokenizer: Tokenizer) -> dict[int, str]:
    """Tokens of one digit, of two, ... up to the first length that no token has, six at most."""
    found: dict[int, str] = {}
    for length in range(1, 7):
        words = (f"{number:0{length}d}" for number in range(10**length))
        tokens = {token: word for word in words if (token := tokenizer.token_of(word)) is not None}
        if not tokens:
            break
        found |= tokens
    return found


class RepetitionDetector:
    """Detects repetition in one sequence. Not to be used after the first report."""

    def __init__(self, kinds: TokenKinds) -> None:
        self._kinds = kinds
        self._block: list[int] = []
        self._num_tokens = 0
        self._tail = "\0" * (EXACT - 1)
        self._exact, self._near = _Grams(), _Grams()
        self._new_exact_at = 0
        self._blocks: deque[_BlockStats] = deque(maxlen=_BLOCKS + 1)
        self._was_new = True
        self._seen: set[int] = set()
        self._row_opens = False
        self._numbers = _Counting(kinds)

    def push(self, token: int) -> int | None:
        """The number of output tokens to keep if a repetition is found, else None."""
        self._block.append(token)
        if len(self._block) < BLOCK:
            return None
        return self._check()

    def _check(self) -> int | None:
        tokens, self._block = self._block, []
        period = self._index(tokens)
        self._numbers.add(tokens, self._num_tokens)
        self._num_tokens += BLOCK
        unchanged_for = self._num_tokens - self._new_exact_at
        if unchanged_for >= MAX_UNCHANGED and unchanged_for >= period * 1.05:
            return max(1, self._new_exact_at - EXACT + 1)
        if self._has_little_new():
            return self._start_of_repetition()
        return self._numbers.start_of_counting(self._num_tokens)

    def _index(self, tokens: list[int]) -> int:
        """Adds a block's n-grams to the index; returns the distance to the last one's previous
        occurrence, 0 if it is new."""
        positions = range(self._num_tokens, self._num_tokens + BLOCK)
        text = self._tail + "".join(map(chr, tokens))  # ids as characters: slices are n-grams
        self._tail = text[BLOCK:]
        exact = self._exact.distances(text, EXACT, positions)
        near = self._near.distances(text[EXACT - NEAR :], NEAR, positions)
        if 0 in exact:
            self._new_exact_at = positions.stop - exact[::-1].index(0)
        self._blocks.append(self._block_of(tokens, [not 0 < far <= RECENT for far in near]))
        return exact[-1]

    def _block_of(self, tokens: list[int], is_new: list[bool]) -> _BlockStats:
        block = _BlockStats(num_new=sum(is_new))
        if block.num_new < BLOCK:
            is_word = self._kinds.is_word
            block.new_at_start = is_new.index(False)
            block.old_at_end = [*reversed(is_new), True].index(True)
            block.old_words = [
                token
                for token, new in zip(tokens, is_new, strict=True)
                if not new and is_word(token)
            ]
        if block.num_new:
            befores = (self._was_new, *is_new)
            for token, new, before in zip(tokens, is_new, befores, strict=False):
                if new and not before:
                    block.num_onsets += 1
                    block.num_number_onsets += token in self._kinds.digits
                    block.num_breaks += token not in self._seen
        if self._row_opens or self._kinds.row in tokens:
            self._count_rows(block, tokens, is_new)
        self._seen.update(tokens)
        self._was_new = is_new[-1]
        return block

    def _count_rows(self, block: _BlockStats, tokens: list[int], is_new: list[bool]) -> None:
        for token, new in zip(tokens, is_new, strict=True):
            if token == self._kinds.row:
                block.num_rows += 1
                self._row_opens = True
            elif self._row_opens:
                block.num_new_rows += new
                self._row_opens = not new and token != self._kinds.cell_end

    def _has_little_new(self) -> bool:
        window = list(self._blocks)[-_BLOCKS:]
        if self._num_tokens < WINDOW:
            return False
        if sum(block.num_new for block in window) > MOST_NEW:
            return False
        rows = sum(block.num_rows for block in window)
        if rows >= 3 and sum(block.num_new_rows for block in window) >= 0.6 * rows:
            return False
        onsets = sum(block.num_onsets for block in window)
        if onsets and 2 * sum(block.num_number_onsets for block in window) >= onsets:
            return False
        words = [word for block in window for word in block.old_words]
        share = len(words) / WINDOW
        breaks = sum(block.num_breaks for block in window)
        needed = 2 if breaks >= _BREAKS else _MIN_ROW_WORDS if rows else _MIN_WORDS
        return share >= _ALL_WORDS or (share >= _WORDY and len(set(words)) >= needed)

    def _start_of_repetition(self) -> int:
        """The first repeated token in the window. Before the window a grid may be legitimate."""
        blocks = list(self._blocks)
        first = len(blocks) - 1
        while first > 1 and blocks[first - 1].num_new <= 0.6 * BLOCK:
            first -= 1
        start = self._num_tokens - (len(blocks) - first) * BLOCK - (NEAR - 1)
        before = blocks[first - 1].old_at_end
        return max(1, start - before if before else start + blocks[first].new_at_start)


@dataclass(slots=True)
class _BlockStats:
    """What is new in one block of tokens."""

    num_new: int = 0
    new_at_start: int = 0
    old_at_end: int = 0
    num_onsets: int = 0
    """Positions where a run of new n-grams begins."""
    num_number_onsets: int = 0
    num_breaks: int = 0
    """Positions with a token that never occurred before."""
    num_rows: int = 0
    num_new_rows: int = 0
    """Rows that begin with something new."""
    old_words: list[int] = field(default_factory=list)


class _Grams:
    """Last positions of n-grams, in two generations: the older one is dropped as a whole."""

    def __init__(self) -> None:
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._since = 0

    def distances(self, text: str, size: int, positions: Sequence[int]) -> list[int]:
        """Distance of each n-gram of the text to its previous occurrence, 0 if it is new; their
        positions are updated."""
        young, old = self._young, self._old
        found = []
        for at, now in enumerate(positions):
            gram = hash(text[at : at + size])  # a number takes a fifth of the memory
            before = young.get(gram)
            if before is None:
                before = old.get(gram, now)
            young[gram] = now
            found.append(now - before)
        if positions and positions[-1] - self._since >= _MEMORY:
            self._old, self._young, self._since = young, {}, positions[-1]
        return found


class _Counting:
    """Tracks the text with its numbers left out, and the numbers."""

    def __init__(self, kinds: TokenKinds) -> None:
        self._digits, self._row = kinds.digits, kinds.row
        self._row_at = -MAX_UNCHANGED
        self._template = "\0" * (TEMPLATE - 1)
        self._grams = _Grams()
        self._new_at = 0
        self._number = ""
        self._values: list[int] = []
        self._positions: list[int] = []
        self._next_check = 0

    def add(self, tokens: list[int], start: int) -> None:
        digits = self._digits
        symbols, positions = [], []
        for now, token in enumerate(tokens, start):
            digit = digits.get(token)
            if digit is None:
                if self._number:
                    self._values.append(int(self._number[:18]))
                    self._number = ""
                symbols.append(token)
                positions.append(now)
            elif self._number:  # one number is one symbol, whatever the number of its tokens
                self._number += digit
            else:
                self._number = digit
                self._positions.append(now)
                symbols.append(0)
                positions.append(now)
        if self._row in tokens:
            self._row_at = start
        text = self._template + "".join(map(chr, symbols))
        self._template = text[len(symbols) :]
        distances = self._grams.distances(text, TEMPLATE, positions)
        if 0 in distances:
            self._new_at = positions[-1 - distances[::-1].index(0)] + 1

    def start_of_counting(self, now: int) -> int | None:
        """The position of the second item of a counting run, if there is one."""
        if now - self._new_at < MAX_UNCHANGED or now < self._next_check:
            return None
        self._next_check = now + _RECHECK
        needed = _MIN_COUNTS if now - self._row_at > MAX_UNCHANGED else _MIN_ROW_COUNTS
        values = self._values
        recent = bisect_left(self._positions, now - MAX_UNCHANGED, hi=len(values))
        for stride in range(1, min(_MAX_STRIDE, (len(values) - recent) // 3) + 1):
            step = _step(values[recent:], stride)
            if step:
                first = recent
                while first > 0 and values[first - 1 + stride] - values[first - 1] in (0, step):
                    first -= 1
                steps = _steps(values[first:], stride)
                if steps.count(step) >= needed:
                    constant = next(index for index, one in enumerate(steps) if one)
                    first += max(0, constant - stride + 1)  # numbers before the counting begins
                    return max(1, self._positions[first + stride])
        return None


def _step(values: list[int], stride: int) -> int:
    """The constant difference of every `stride`-th number, 0 if there is none."""
    steps = _steps(values, stride)
    step = next((one for one in reversed(steps) if one), 0)
    counts = steps.count(step) if step else 0
    counting = counts >= 0.8 * len(steps) / stride and counts + steps.count(0) >= 0.9 * len(steps)
    return step if counting else 0


def _steps(values: list[int], stride: int) -> list[int]:
    return list(map(sub, values[stride:], values))


def _has_letter(text: bytes) -> bool:
    return not text.startswith(b"<") and any(map(str.isalpha, text.decode(errors="ignore")))


def _single(tokenizer: Tokenizer, tag: str) -> int:
    ids = tokenizer.encode(tag)
    return ids[0] if len(ids) == 1 else -1
