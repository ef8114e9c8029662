"""A runner without a model, which minds what lies in which place of the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from dsocr.runtime.cache.block_allocator import BlockAllocator
from dsocr.runtime.execution.sampler import Choice, Sampled
from dsocr.runtime.scheduling.scheduler import ScheduledChunk, Step
from dsocr.runtime.scheduling.sequence import Ending, Sequence

EOS = 1


def token_of(request_id: int, place: int) -> int:
    """What the pretended model says of a page at each place of its answer."""
    return 1000 + (request_id * 31 + place * 7) % 97


@dataclass
class FakeRunner:
    """Computes when a step is launched, as a device seems to, or when it is collected, as the plain
    runner does. Page n ends by itself after `lengths[n]` tokens."""

    allocator: BlockAllocator
    lengths: dict[int, int]
    deferred: bool = False
    most: int | None = None
    """Tokens of a step that still fit into the pretended device's memory."""
    steps: list[Step] = field(default_factory=list)
    _cache: dict[int, tuple[int, int]] = field(default_factory=dict)

    def make_ready(self) -> bool:
        return False

    def launch(self, step: Step) -> FakeLaunched:
        if self.most is not None and sum(piece.length for piece in step.pieces) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        self.steps.append(step)
        slots = [piece.sequence.slot for piece in step.pieces]
        assert None not in slots and len(set(slots)) == len(slots)
        assert not any(piece.sequence.ended for piece in step.pieces)
        for piece in step.pieces[: step.num_decodes]:
            assert piece.length == 1
        for piece in step.pieces[step.num_decodes :]:
            known = len(piece.sequence.prompt_ids) + len(piece.sequence.output_ids)
            assert piece.start + piece.length <= known, "a token that is still being chosen"
        if self.deferred:
            return FakeLaunched(lambda: self._compute(step))
        choices = self._compute(step)
        return FakeLaunched(lambda: choices)

    def _compute(self, step: Step) -> list[Choice]:
        return [None if piece.sequence.ended else self._write(piece) for piece in step.pieces]

    def _write(self, piece: ScheduledChunk) -> Choice:
        sequence = piece.sequence
        for position in range(piece.start):
            held = self._cache.get(self._place(sequence, position))
            assert held == (sequence.request_id, position), "another page's tokens"
        for position in range(piece.start, piece.start + piece.length):
            self._cache[self._place(sequence, position)] = (sequence.request_id, position)
        if not piece.samples:
            return None
        place = piece.start + piece.length - len(sequence.prompt_ids)
        if place >= self.lengths[sequence.request_id]:
            return Sampled(EOS, -0.5, "stop")
        ending: Ending | None = "length" if place + 1 >= sequence.room else None
        return Sampled(token_of(sequence.request_id, place), -0.5, ending)

    def _place(self, sequence: Sequence, position: int) -> int:
        size = self.allocator.block_size
        return sequence.block_table[position // size] * size + position % size


@dataclass
class FakeLaunched:
    collect: Callable[[], list[Choice]]
