"""A runner without a model, which minds what lies in which place of the cache."""

from __future__ import annotations

from dataclasses import dataclass, field

from dsocr.runtime.blocks import BlockAllocator
from dsocr.runtime.sampler import Choice, Sampled
from dsocr.runtime.scheduler import Step
from dsocr.runtime.sequence import Sequence

EOS = 1


def token_of(request_id: int, place: int) -> int:
    """What the pretended model says of a page at each place of its answer."""
    return 1000 + (request_id * 31 + place * 7) % 97


@dataclass
class FakeRunner:
    """Computes at once, as a device does for which launching is enough: what a step may not touch
    is touched at launch. Page n ends by itself after `lengths[n]` tokens."""

    allocator: BlockAllocator
    lengths: dict[int, int]
    steps: list[Step] = field(default_factory=list)
    _cache: dict[int, tuple[int, int]] = field(default_factory=dict)

    def launch(self, step: Step) -> FakeLaunched:
        self.steps.append(step)
        places = [piece.sequence.slot for piece in step.pieces]
        assert None not in places and len(set(places)) == len(places)
        choices: list[Choice] = []
        for number, piece in enumerate(step.pieces):
            sequence = piece.sequence
            assert (number < step.num_decodes) <= (piece.length == 1)
            for position in range(piece.start):
                held = self._cache.get(self._slot(sequence, position))
                assert held == (sequence.request_id, position), "another page's tokens"
            for position in range(piece.start, piece.start + piece.length):
                place = self._slot(sequence, position)
                self._cache[place] = (sequence.request_id, position)
            place = piece.start + piece.length - len(sequence.prompt_ids)
            choices.append(self._say(sequence.request_id, place) if piece.samples else None)
        return FakeLaunched(choices)

    def _slot(self, sequence: Sequence, position: int) -> int:
        size = self.allocator.block_size
        return sequence.block_table[position // size] * size + position % size

    def _say(self, request_id: int, place: int) -> Sampled:
        ends = place >= self.lengths[request_id]
        return Sampled(EOS if ends else token_of(request_id, place), -0.5)


@dataclass
class FakeLaunched:
    choices: list[Choice]

    def collect(self) -> list[Choice]:
        return self.choices
