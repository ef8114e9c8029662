"""A runner without a model that checks the contents of every cache slot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from dsocr.runtime.cache.block_allocator import BlockAllocator
from dsocr.runtime.execution.drafts import keep_right
from dsocr.runtime.execution.sampler import SampledToken, SampleResult
from dsocr.runtime.scheduling.scheduler import ScheduledChunk, ScheduledStep
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
    window: int | None = None
    """Tokens after the prompt that a token attends to."""
    most: int | None = None
    """Tokens of a step that still fit into the pretended device's memory."""
    steps: list[ScheduledStep] = field(default_factory=list)
    _cache: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    """The page, position and token of each slot."""

    def run_idle_work(self) -> bool:
        return False

    def launch(self, step: ScheduledStep) -> FakeLaunched:
        if self.most is not None and sum(chunk.length for chunk in step.chunks) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        self.steps.append(step)
        slots = [chunk.sequence.slot for chunk in step.chunks]
        assert None not in slots and len(set(slots)) == len(slots)
        assert not any(chunk.sequence.ended for chunk in step.chunks)
        for chunk in step.chunks[: step.num_decodes]:
            assert chunk.length == 1
        for chunk in step.chunks[step.num_decodes :]:
            known = len(chunk.sequence.prompt_ids) + len(chunk.sequence.output_ids)
            end = chunk.start + chunk.length - len(chunk.drafts)
            assert end <= known, "a token that is still being chosen"
        if self.deferred:
            return FakeLaunched(lambda: self._compute(step))
        results = self._compute(step)
        return FakeLaunched(lambda: results)

    def _compute(self, step: ScheduledStep) -> list[SampleResult]:
        return [None if chunk.sequence.ended else self._write(chunk) for chunk in step.chunks]

    def _write(self, chunk: ScheduledChunk) -> SampleResult:
        sequence = chunk.sequence
        first_query, prompt = chunk.start, len(sequence.prompt_ids)
        hidden = range(0)
        if self.window is not None:
            hidden = range(prompt, first_query - self.window + 1)
        for position in range(chunk.start):
            if position in hidden:
                continue
            held = self._cache.get(self._place(sequence, position))
            expected = (sequence.request_id, position, self._token(sequence, position))
            assert held == expected, "another page's tokens, or a draft that was wrong"
        end = chunk.start + chunk.length
        tokens = [self._token(sequence, at) for at in range(chunk.start, end - len(chunk.drafts))]
        for position, token in enumerate([*tokens, *chunk.drafts], chunk.start):
            self._cache[self._place(sequence, position)] = (sequence.request_id, position, token)
        places = range(end - len(chunk.drafts), end + 1)
        sampled = [self._sample(sequence, at - len(sequence.prompt_ids)) for at in places]
        return keep_right([chunk], sampled)[0]

    def _token(self, sequence: Sequence, position: int) -> int:
        """The token that the page has at this position, or will have."""
        place = position - len(sequence.prompt_ids)
        return token_of(sequence.request_id, place) if place >= 0 else sequence.prompt_ids[position]

    def _sample(self, sequence: Sequence, place: int) -> SampledToken:
        if place >= self.lengths[sequence.request_id]:
            return SampledToken(EOS, -0.5, "stop")
        ending: Ending | None = "length" if place + 1 >= sequence.max_new_tokens else None
        return SampledToken(token_of(sequence.request_id, place), -0.5, ending)

    def _place(self, sequence: Sequence, position: int) -> int:
        size = self.allocator.block_size
        return sequence.block_table[position // size] * size + position % size


@dataclass
class FakeLaunched:
    collect: Callable[[], list[SampleResult]]
