"""One step of the model: sequences to tensors, scores to tokens. Owns the device and the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch

from dsocr.runtime.cache.batch import make_batch
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE, BlockAllocator
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.sampler import Choice, sample
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.scheduler import ScheduledChunk, Step
from dsocr.runtime.scheduling.sequence import Sequence


class Launched(Protocol):
    """A step under way."""

    def collect(self) -> list[Choice]:
        """Waits for it; one choice a piece, None where none was asked. Called once, in order."""


class Runner(Protocol):
    """What the loop asks of whoever computes. Either verb may raise out-of-memory errors; the step
    can then be launched again, whole or in parts."""

    @property
    def allocator(self) -> BlockAllocator: ...

    def launch(self, step: Step) -> Launched:
        """Begins a step; does not wait for the device."""

    def make_ready(self) -> bool:
        """Does a little of what would take time later. False where nothing is left of it."""


class ModelRunner:
    """Runs the model on what it is given; who runs when is not its affair."""

    def __init__(
        self, model: DeepseekOcr, *, num_tokens: int, cache_dtype: torch.dtype | None = None
    ) -> None:
        self.model = model
        self.allocator = BlockAllocator(-(-num_tokens // BLOCK_SIZE), block_size=BLOCK_SIZE)
        self.cache = KVCache(
            model.spec.decoder,
            num_blocks=self.allocator.num_free,
            block_size=BLOCK_SIZE,
            device=model.device,
            dtype=cache_dtype or model.dtype,
        )

    def make_ready(self) -> bool:
        return self.model.make_ready()

    def launch(self, step: Step) -> Launched:
        """The plain form needs the last step's tokens on the host, so it runs when collected."""
        return _Deferred(lambda: self._run(step))

    def _run(self, step: Step) -> list[Choice]:
        self._encode([one for one in step.starts if not one.ended])
        # one that ended in the step before has no token to go on from
        live = [piece for piece in step.pieces if not piece.sequence.ended]
        choices = dict(zip(map(id, live), self._forward(live), strict=True))
        return [choices.get(id(piece)) for piece in step.pieces]

    def _encode(self, sequences: list[Sequence]) -> None:
        """Turns the views of all these pages into features."""
        views = {one: one.views for one in sequences if one.views is not None}
        if not views:
            return
        for sequence, features in zip(views, self.model.encode([*views.values()]), strict=True):
            sequence.features, sequence.views = features, None

    def _forward(self, pieces: list[ScheduledChunk]) -> list[Choice]:
        """Writes the pieces to the cache and chooses the tokens that follow them."""
        if not pieces:
            return []
        chunks = [piece.sequence.chunk(piece.start, piece.length) for piece in pieces]
        batch = make_batch(chunks, block_size=BLOCK_SIZE, device=self.model.device)
        hidden = self.model.forward(batch, self.cache)
        asked = [index for index, piece in enumerate(pieces) if piece.samples]
        choices: list[Choice] = [None] * len(pieces)
        if asked:
            last = batch.last_rows
            logits = self.model.logits(hidden[[last[index] for index in asked]])
            chosen = sample(logits, [pieces[index].sequence for index in asked])
            for index, choice in zip(asked, chosen, strict=True):
                choices[index] = choice
        return choices


class _Deferred:
    def __init__(self, work: Callable[[], list[Choice]]) -> None:
        self._work = work

    def collect(self) -> list[Choice]:
        return self._work()
