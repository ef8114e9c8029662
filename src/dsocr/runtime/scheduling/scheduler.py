"""Who runs in the next step: continuous batching over a cache of fixed size. Pure bookkeeping.

A page waits, is encoded, is prefilled in chunks and decodes; when the cache is full the youngest
loses its blocks and comes back later. Pages are served in the order they came. Everything that
decodes takes part in every step; what a step may do for pages that come in is bounded, so that the
text of the others keeps flowing. In a full house they come in a few together, not one by one.

Plans may be made before the last step was collected. What a step in flight writes into is never
taken away: a plan that would have to is put off until the step is collected.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from dsocr.runtime.cache.block_allocator import BlockAllocator
from dsocr.runtime.scheduling.sequence import Sequence

PIXELS_A_TOKEN = 800
"""Encoding so many pixels costs a device about as much as prefilling one token: 1.0 TFLOP a
megapixel against 0.8 GFLOP a token."""

GATHERED = 4
"""So many pages come in without waiting for more. One alone makes all that write wait for every
weight to be read; of four, each costs a quarter of that."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may run at once."""

    max_num_seqs: int = 1
    """Pages that hold a place in the cache."""
    max_prefill_tokens: int = 2048
    """Most prompt tokens of one step."""
    max_encode_pixels: int = 16 << 20
    """Pixels of the pages that are encoded together; one page may have more."""
    prefill_share: float = 1.0
    """While pages decode, a step does on average this share of `max_prefill_tokens` for others,
    pixels counted too."""
    gather_rows: int = 16
    """A page waits for others to come in with, at most a step for every so many that write: the
    more there are, the dearer is a stop. The fewer, the sooner its text begins."""


class ScheduledChunk(NamedTuple):
    """The next tokens of one sequence, by their places."""

    sequence: Sequence
    start: int
    length: int
    samples: bool
    """Whether its last token predicts a new one."""


@dataclass(frozen=True, slots=True)
class Step:
    """What the device does next."""

    pieces: list[ScheduledChunk] = field(default_factory=list)
    """At most one a sequence. The first `num_decodes` have one token each."""
    num_decodes: int = 0
    starts: list[Sequence] = field(default_factory=list)
    """Pages that begin; those that have views are to be encoded."""


class Scheduler:
    """Owns the queues, the blocks and the slots."""

    def __init__(self, allocator: BlockAllocator, limits: Limits) -> None:
        self.allocator, self.limits = allocator, limits
        self.num_preemptions = 0
        self._waiting: deque[Sequence] = deque()
        self._starting: list[Sequence] = []
        self._encoded: deque[Sequence] = deque()
        self._preempted: deque[Sequence] = deque()  # older than those encoded or waiting
        self._active: list[Sequence] = []  # oldest first
        self._slots = list(range(limits.max_num_seqs - 1, -1, -1))
        self._num_flights = 0
        self._credit = float(limits.max_prefill_tokens)
        self._num_held = 0  # steps that pages were held back to be gathered

    @property
    def num_waiting(self) -> int:
        """Pages that were not begun."""
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        """Pages that were begun and are not done."""
        return len(self._starting) + len(self._encoded) + len(self._preempted) + len(self._active)

    def add(self, sequence: Sequence) -> None:
        """Puts a page at the end of the queue."""
        self._waiting.append(sequence)

    def drop(self, sequence: Sequence) -> None:
        """Ends a page, done or not. Its blocks are free as soon as nothing writes into them."""
        sequence.ended = True
        if sequence.slot is not None:
            self._release_if_idle(sequence)
            return
        for queue in (self._waiting, self._starting, self._encoded, self._preempted):
            if sequence in queue:
                queue.remove(sequence)

    def start(self) -> list[Sequence]:
        """The pages that the next step encodes together, if it is time for some. None while others
        were encoded and lack a place: what is encoded ahead is bounded by one round."""
        if self._credit <= 0 or self._starting or self._encoded or self._preempted:
            return []
        if not self._waiting or not self._gathered(len(self._waiting)):
            return []
        pixels = 0
        while self._waiting and len(self._starting) < self.limits.max_num_seqs:
            more = _pixels(self._waiting[0])
            if self._starting and pixels + more > self.limits.max_encode_pixels:
                break
            pixels += more
            self._starting.append(self._waiting.popleft())
        self._credit -= pixels / PIXELS_A_TOKEN
        return list(self._starting)

    def plan(self) -> Step | None:
        """The next step, counted as launched. None: there is nothing to do, or nothing can be done
        before a step in flight is collected."""
        writing, others = self._split_active()
        if not self._make_room(writing):
            return None
        # before any comes in: one that lost its place may be given one at once, to begin again
        decodes = [
            ScheduledChunk(one, one.num_cached, 1, True) for one in writing if one.slot is not None
        ]
        others = [one for one in others if one.slot is not None]
        others += self._admit()
        full = self.limits.max_prefill_tokens
        self._credit = min(full, self._credit + full * self.limits.prefill_share)
        if not decodes:
            self._credit = full
        chunks = self._chunks(others)
        step = Step(decodes + chunks, len(decodes), self._starting)
        if not step.pieces and not step.starts:
            return None
        self._launch(step)
        return step

    def collected(self, step: Step) -> None:
        """The step's results were handed out; pages that ended meanwhile are put away."""
        self._num_flights -= 1
        for piece in step.pieces:
            piece.sequence.num_pending -= piece.samples
            piece.sequence.num_in_flight -= 1
            if piece.sequence.ended:
                self._release_if_idle(piece.sequence)

    def _gathered(self, num_pages: int) -> bool:
        """Whether these should come in now, rather than with others a little later."""
        writing = sum(one.is_decoding for one in self._active)
        if num_pages < GATHERED and self._num_held < writing // self.limits.gather_rows:
            self._num_held += 1
            return False
        self._num_held = 0
        return True

    def _split_active(self) -> tuple[list[Sequence], list[Sequence]]:
        """Pages that write their next token, and the others that hold a place, the oldest first.
        Asked once a step: of 256 pages every question counts."""
        writing: list[Sequence] = []
        others: list[Sequence] = []
        for one in self._active:
            (writing if one.is_decoding and _goes_on(one) else others).append(one)
        return writing, others

    def _make_room(self, writing: list[Sequence]) -> bool:
        """Blocks for the next token of all that write, the oldest first; the youngest pages lose
        theirs for it. False while a step in flight may still write into those."""
        size = self.allocator.block_size
        for sequence in writing:
            if sequence.num_cached < len(sequence.block_table) * size:
                continue
            while sequence.slot is not None and not self._extend(sequence, sequence.num_tokens):
                if self._num_flights:
                    return False
                self._preempt(self._active[-1])
        return True

    def _extend(self, sequence: Sequence, num_tokens: int, *, spare: int = 0) -> bool:
        blocks = self.allocator.blocks_for(num_tokens) - len(sequence.block_table)
        if blocks > 0:
            if blocks + spare > self.allocator.num_free:
                return False
            sequence.block_table += self.allocator.allocate(blocks)
        return True

    def _admit(self) -> list[Sequence]:
        """Gives places to those that lost theirs, then to those encoded, with all the blocks they
        need to come to their next token. New ones must leave the others a block each to grow."""
        admitted: list[Sequence] = []
        lacking = len(self._slots) < len(self._encoded) and not self._preempted
        if lacking and self._slots and not self._gathered(len(self._slots)):
            return admitted
        while self._slots:
            queue = self._preempted or self._encoded
            if not queue or not self._extend(
                queue[0], queue[0].num_tokens, spare=len(self._active)
            ):
                break
            sequence = queue.popleft()
            sequence.slot = self._slots.pop()
            admitted.append(sequence)
            self._active.append(sequence)
        return admitted

    def _chunks(self, sequences: list[Sequence]) -> list[ScheduledChunk]:
        """Pieces of prompts, the oldest page's first."""
        chunks: list[ScheduledChunk] = []
        left = self.limits.max_prefill_tokens
        for sequence in sequences:
            if self._credit <= 0 or left <= 0:
                break
            if sequence.is_decoding or sequence.ended:
                continue
            length = min(left, sequence.num_tokens - sequence.num_cached)
            if length > 0:
                chunks.append(self._piece(sequence, length))
                left -= length
                self._credit -= length
        return chunks

    def _piece(self, sequence: Sequence, length: int) -> ScheduledChunk:
        end = sequence.num_cached + length
        return ScheduledChunk(
            sequence, sequence.num_cached, length, samples=end == sequence.num_tokens
        )

    def _launch(self, step: Step) -> None:
        self._num_flights += 1
        self._encoded.extend(step.starts)
        self._starting = []
        for piece in step.pieces:
            piece.sequence.num_cached += piece.length
            piece.sequence.num_pending += piece.samples
            piece.sequence.num_in_flight += 1

    def _preempt(self, sequence: Sequence) -> None:
        self._put_away(sequence)
        self._preempted.appendleft(sequence)
        self.num_preemptions += 1

    def _release_if_idle(self, sequence: Sequence) -> None:
        if sequence.slot is not None and not sequence.num_in_flight:
            self._put_away(sequence)
            sequence.features = None

    def _put_away(self, sequence: Sequence) -> None:
        """Takes its place and its blocks. What it was encoded to stays, so that it can come back
        to the same tokens without being encoded again."""
        assert sequence.slot is not None
        self._active.remove(sequence)
        self._slots.append(sequence.slot)
        self.allocator.free(sequence.block_table)
        sequence.slot, sequence.block_table, sequence.num_cached = None, [], 0


def _goes_on(sequence: Sequence) -> bool:
    return not sequence.ended and sequence.has_room


def _pixels(sequence: Sequence) -> int:
    return 0 if sequence.views is None else sequence.views.num_pixels
