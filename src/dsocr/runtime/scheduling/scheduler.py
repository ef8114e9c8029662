"""Continuous batching over a KV cache of fixed size: which sequences run in the next step.

A sequence waits, is encoded, is prefilled in chunks and decodes. When the cache is full the
youngest running sequence is preempted: it loses its blocks and is prefilled again later. Sequences
start in the order of their arrival. Every decoding sequence takes part in every step; prefill and
encoding are limited per step, so that decoding goes on. While many sequences decode, new ones are
admitted a few together, because each prefill reads all weights once. A decoding sequence whose next
tokens can be guessed has these drafts in its chunk; the cache keeps those that prove right.

A step may be scheduled before the previous one is collected. Blocks that a step in flight writes
to are never freed: scheduling returns None until that step is collected.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from dsocr.runtime.cache.block_allocator import BlockAllocator
from dsocr.runtime.scheduling.sequence import FREED, Sequence

MIN_GATHERED = 4
"""This many sequences are admitted without delay. A prefill of one sequence delays all decoding
sequences by one read of the weights; in a group of four that cost is shared."""
MAX_DRAFT_TOKENS = 512
"""Drafts of all sequences in one step, by default."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what runs at once."""

    max_num_seqs: int = 1
    """Sequences with a slot, that is with blocks in the cache."""
    max_prefill_tokens: int = 2048
    """Prompt tokens of one step."""
    max_encode_pixels: int = 16 << 20
    """Pixels of the pages encoded together; a single page may have more."""
    prefill_share: float = 1.0
    """While sequences decode, a step prefills on average this share of `max_prefill_tokens`; pixels
    to encode count as tokens."""
    pixels_per_token: int = 800
    """Pixels whose encoding costs about as much as prefilling one token."""
    window: int | None = None
    """Output tokens that the next one attends to besides the prompt; None: all of them. Blocks that
    lie behind the window are freed."""
    max_draft_tokens: int = MAX_DRAFT_TOKENS
    """Drafts of all sequences in one step: each needs a row of logits. 0: none is looked up."""
    max_ahead: int = 0
    """Tokens, at most, that a step may add to a sequence besides the one that is counted: drafts
    that the device looks up. They are known when the step is collected."""
    gather_rows: int = 16
    """New sequences wait to be admitted together for at most one step per this many decoding
    sequences: with more of them an interruption costs more, with fewer the first text comes
    sooner."""


class ScheduledChunk(NamedTuple):
    """Consecutive tokens of one sequence to compute: `length` of them from position `start`."""

    sequence: Sequence
    start: int
    length: int
    samples: bool
    """Whether a new token is sampled after the last one, and with drafts after each."""
    drafts: tuple[int, ...] = ()
    """Guesses of the tokens after the newest one, which are the last ones of the chunk."""


@dataclass(frozen=True, slots=True)
class ScheduledStep:
    """One step of the device, as scheduled."""

    chunks: list[ScheduledChunk] = field(default_factory=list)
    """At most one per sequence. The first `num_decodes` have one token each."""
    num_decodes: int = 0
    to_encode: list[Sequence] = field(default_factory=list)
    """Sequences that start with this step; those with views are to be encoded."""


class Scheduler:
    """Owns the queues, the slots and, through the allocator, the blocks."""

    def __init__(self, allocator: BlockAllocator, limits: Limits) -> None:
        self.allocator, self.limits = allocator, limits
        self.num_preemptions = 0
        self._waiting: deque[Sequence] = deque()
        self._starting: list[Sequence] = []
        self._encoded: deque[Sequence] = deque()
        self._preempted: deque[Sequence] = deque()  # older than those encoded or waiting
        self._active: list[Sequence] = []  # oldest first
        self._slots = list(range(limits.max_num_seqs - 1, -1, -1))
        self._num_in_flight = 0
        self._credit = float(limits.max_prefill_tokens)
        self._num_delayed = 0  # steps that admission was delayed to gather more

    @property
    def num_waiting(self) -> int:
        """Sequences that have not started."""
        return len(self._waiting)

    @property
    def num_running(self) -> int:
        """Sequences that have started and not ended."""
        return len(self._starting) + len(self._encoded) + len(self._preempted) + len(self._active)

    def add(self, sequence: Sequence) -> None:
        """Appends a sequence to the queue."""
        self._waiting.append(sequence)

    def drop(self, sequence: Sequence) -> None:
        """Ends a sequence, finished or not. Its blocks are freed once no step in flight writes to
        them."""
        sequence.ended = True
        if sequence.slot is not None:
            self._release_if_idle(sequence)
            return
        for queue in (self._waiting, self._starting, self._encoded, self._preempted):
            if sequence in queue:
                queue.remove(sequence)

    def start_encoding(self) -> list[Sequence]:
        """Takes sequences from the queue for the next step to encode together; returns them, or
        nothing if none should start now. None start while encoded ones wait for a slot, so at most
        one group is encoded ahead."""
        if self._credit <= 0 or self._starting or self._encoded or self._preempted:
            return []
        if not self._waiting or not self._should_admit(len(self._waiting)):
            return []
        pixels = 0
        while self._waiting and len(self._starting) < self.limits.max_num_seqs:
            more = _pixels(self._waiting[0])
            if self._starting and pixels + more > self.limits.max_encode_pixels:
                break
            pixels += more
            self._starting.append(self._waiting.popleft())
        self._credit -= pixels / self.limits.pixels_per_token
        return list(self._starting)

    def schedule(self) -> ScheduledStep | None:
        """The next step, counted as launched. None if there is nothing to do, or nothing until a
        step in flight is collected."""
        decoding, others = self._split_active()
        if not self._reserve_blocks(decoding):
            return None
        # built before admission: a sequence preempted above may get a slot again in this step
        decoding = [one for one in decoding if one.slot is not None]
        drafted = self._draft(decoding)
        decodes = [
            ScheduledChunk(one, one.num_cached, 1, True) for one in decoding if one not in drafted
        ]
        others = [one for one in others if one.slot is not None]
        others += self._admit()
        full = self.limits.max_prefill_tokens
        self._credit = min(full, self._credit + full * self.limits.prefill_share)
        if not decoding:
            self._credit = full
        chunks = [*decodes, *drafted.values(), *self._chunks(others)]
        step = ScheduledStep(chunks, len(decodes), self._starting)
        if not (step.chunks or step.to_encode):
            return None
        self._launch(step)
        return step

    def finish_step(self, step: ScheduledStep) -> None:
        """Call after the step's results are handed out. Releases sequences that have ended."""
        self._num_in_flight -= 1
        for chunk in step.chunks:
            chunk.sequence.num_pending -= chunk.samples
            chunk.sequence.num_in_flight -= 1
            if chunk.sequence.ended:
                self._release_if_idle(chunk.sequence)
            elif chunk.drafts:
                self._roll_back(chunk.sequence)

    def add_drafted(self, sequence: Sequence, count: int) -> None:
        """Counts tokens of a collected step that the device drafted: they are in the cache."""
        sequence.num_cached += count

    def _roll_back(self, sequence: Sequence) -> None:
        """Drops the drafts that were not kept from the cache, and the blocks that they needed."""
        sequence.num_cached = sequence.num_tokens - 1
        num_blocks = self.allocator.blocks_for(sequence.num_tokens)
        self.allocator.free(sequence.block_table[num_blocks:])
        del sequence.block_table[num_blocks:]

    def _should_admit(self, num_sequences: int) -> bool:
        """Whether to admit this many now instead of waiting for more."""
        decoding = sum(one.is_decoding for one in self._active)
        if num_sequences < MIN_GATHERED and self._num_delayed < decoding // self.limits.gather_rows:
            self._num_delayed += 1
            return False
        self._num_delayed = 0
        return True

    def _split_active(self) -> tuple[list[Sequence], list[Sequence]]:
        """Active sequences that decode in this step, and the other active ones, each oldest first.
        Runs once a step: with 256 sequences its cost shows."""
        decoding = [one for one in self._active if one.decodes_next]
        if len(decoding) == len(self._active):
            return decoding, []
        return decoding, [one for one in self._active if not one.decodes_next]

    def _reserve_blocks(self, decoding: list[Sequence]) -> bool:
        """Allocates blocks for the next token of every decoding sequence, oldest first; preempts
        the youngest where none are free. False while a step in flight may write to their blocks."""
        size, ahead = self.allocator.block_size, self.limits.max_ahead
        lacking = [
            one
            for one in decoding
            if one.num_cached + ahead * (one.num_in_flight + 1) >= len(one.block_table) * size
        ]
        for sequence in lacking:
            self._free_behind_window(sequence)
            needed = sequence.num_tokens_after(ahead * sequence.num_in_flight)
            if ahead and self._extend(
                sequence,
                sequence.num_tokens_after(ahead * (sequence.num_in_flight + 1)),
                spare=len(self._active),
            ):
                continue
            while sequence.slot is not None and not self._extend(sequence, needed):
                if self._num_in_flight:
                    return False
                self._preempt(self._active[-1])
        return True

    def _draft(self, decoding: list[Sequence]) -> dict[Sequence, ScheduledChunk]:
        """The chunks of the sequences that have drafts, oldest first. They get blocks for them as
        far as one block per active sequence is left free for growth."""
        drafted: dict[Sequence, ScheduledChunk] = {}
        left = self.limits.max_draft_tokens
        if not left:
            return drafted
        for one in decoding:
            if one.drafter is None or not (drafts := one.draft(left)):
                continue
            if self._extend(one, one.num_tokens + len(drafts), spare=len(self._active)):
                drafted[one] = ScheduledChunk(one, one.num_cached, 1 + len(drafts), True, drafts)
                left -= len(drafts)
        return drafted

    def _free_behind_window(self, sequence: Sequence) -> None:
        """Frees the blocks wholly between the prompt and what this step, or one in flight, attends
        to."""
        if self.limits.window is None:
            return
        oldest_query = sequence.num_cached - sequence.num_in_flight
        if oldest_query < sequence.num_prefilled:
            return  # a prefill chunk in flight has older queries
        first = self.allocator.blocks_for(len(sequence.prompt_ids)) + sequence.num_freed
        end = (oldest_query - self.limits.window + 1) // self.allocator.block_size
        for index in range(first, end):
            self.allocator.free([sequence.block_table[index]])
            sequence.block_table[index] = FREED
            sequence.num_freed += 1

    def _extend(self, sequence: Sequence, num_tokens: int, *, spare: int = 0) -> bool:
        blocks = self.allocator.blocks_for(num_tokens) - len(sequence.block_table)
        if blocks > 0:
            if blocks + spare > self.allocator.num_free:
                return False
            sequence.block_table += self.allocator.allocate(blocks)
        return True

    def _admit(self) -> list[Sequence]:
        """Gives slots to preempted sequences, then to encoded ones, with all blocks up to their
        next token. One block per active sequence is left free for growth."""
        admitted: list[Sequence] = []
        lacking = len(self._slots) < len(self._encoded) and not self._preempted
        if lacking and self._slots and not self._should_admit(len(self._slots)):
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
        """Chunks to prefill, oldest sequence first."""
        chunks: list[ScheduledChunk] = []
        left = self.limits.max_prefill_tokens
        for sequence in sequences:
            if self._credit <= 0 or left <= 0:
                break
            if sequence.is_decoding or sequence.ended:
                continue
            length = min(left, sequence.num_tokens - sequence.num_cached)
            if length > 0:
                chunks.append(self._chunk(sequence, length))
                left -= length
                self._credit -= length
        return chunks

    def _chunk(self, sequence: Sequence, length: int) -> ScheduledChunk:
        end = sequence.num_prefilled = sequence.num_cached + length
        return ScheduledChunk(
            sequence, sequence.num_cached, length, samples=end == sequence.num_tokens
        )

    def _launch(self, step: ScheduledStep) -> None:
        self._num_in_flight += 1
        self._encoded.extend(step.to_encode)
        self._starting = []
        for chunk in step.chunks:
            chunk.sequence.num_cached += chunk.length
            chunk.sequence.num_pending += chunk.samples
            chunk.sequence.num_in_flight += 1

    def _preempt(self, sequence: Sequence) -> None:
        self._release(sequence)
        self._preempted.appendleft(sequence)
        self.num_preemptions += 1

    def _release_if_idle(self, sequence: Sequence) -> None:
        if sequence.slot is not None and not sequence.num_in_flight:
            self._release(sequence)
            sequence.features = None

    def _release(self, sequence: Sequence) -> None:
        """Frees its slot and blocks. Its image features are kept: after a preemption it is
        prefilled again without encoding."""
        assert sequence.slot is not None
        self._active.remove(sequence)
        self._slots.append(sequence.slot)
        self.allocator.free(block for block in sequence.block_table if block != FREED)
        sequence.slot, sequence.block_table, sequence.num_cached = None, [], 0
        sequence.num_freed = 0


def _pixels(sequence: Sequence) -> int:
    return 0 if sequence.views is None else sequence.views.num_pixels
