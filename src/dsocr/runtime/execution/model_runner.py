"""Runs scheduled steps on the model and owns the KV cache; also what the loop needs of a runner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from dsocr.runtime.cache.batch import Batch, make_batch
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE, BlockAllocator
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.drafts import keep_right, rows_to_sample
from dsocr.runtime.execution.sampler import SampleResult, sample_rows
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.models.family import OcrModel
from dsocr.runtime.scheduling.scheduler import ScheduledChunk, ScheduledStep
from dsocr.runtime.scheduling.sequence import Sequence


class Launched(Protocol):
    """A step in flight."""

    def collect(self) -> list[SampleResult]:
        """Waits for the step; one result per chunk. Called once per step, in order."""


class Runner(Protocol):
    """What the loop calls. `launch` and `collect` may raise out-of-memory errors; the step can then
    be launched again, whole or in parts."""

    @property
    def allocator(self) -> BlockAllocator: ...

    def launch(self, step: ScheduledStep) -> Launched:
        """Starts a step; does not wait for the device."""

    def run_idle_work(self) -> bool:
        """Does one unit of work that would delay later steps. False if none is left."""


class ModelRunner:
    """Runs steps in plain PyTorch and samples on the host. Knows nothing of scheduling."""

    def __init__(
        self,
        model: OcrModel,
        *,
        num_tokens: int,
        cache_dtype: torch.dtype | None = None,
        vision: VisionRunner | None = None,
    ) -> None:
        """`cache_dtype` None: the model's. `vision` None: a new one for the model."""
        self.model = model
        self.vision = VisionRunner(model) if vision is None else vision
        self.allocator = BlockAllocator(-(-num_tokens // BLOCK_SIZE), block_size=BLOCK_SIZE)
        self.cache = KVCache(
            model.spec.decoder,
            num_blocks=self.allocator.num_free,
            block_size=BLOCK_SIZE,
            device=model.device,
            dtype=cache_dtype or model.dtype,
        )

    def run_idle_work(self) -> bool:
        return self.vision.run_idle_work()

    def launch(self, step: ScheduledStep) -> Launched:
        """Deferred until it is collected: it needs the previous step's tokens on the host."""
        return _Deferred(lambda: self._run(step))

    def _run(self, step: ScheduledStep) -> list[SampleResult]:
        self._encode([one for one in step.to_encode if not one.ended])
        # a sequence that ended in the previous step has no newest token
        live = [chunk for chunk in step.chunks if not chunk.sequence.ended]
        results = dict(zip(map(id, live), self._forward(live), strict=True))
        return [results.get(id(chunk)) for chunk in step.chunks]

    def _encode(self, sequences: list[Sequence]) -> None:
        """Replaces the views of these sequences by their features."""
        views = {one: one.views for one in sequences if one.views is not None}
        if not views:
            return
        for sequence, features in zip(views, self.vision.encode([*views.values()]), strict=True):
            sequence.features, sequence.views = features, None

    def _forward(self, chunks: list[ScheduledChunk]) -> list[SampleResult]:
        """Writes the chunks to the cache and samples the tokens after them. The drafts of a chunk
        are computed in the same pass; the sampled tokens decide which of them are kept."""
        if not chunks:
            return []
        inputs = [one.sequence.chunk(one.start, one.length, one.drafts) for one in chunks]
        batch = make_batch(inputs, block_size=BLOCK_SIZE, device=self.model.device)
        hidden = self._hidden(batch)
        numbers, rows = rows_to_sample(chunks, batch.last_rows)
        if not rows:
            return [None] * len(chunks)
        return keep_right(chunks, sample_rows(self.model.logits(hidden[numbers]), rows))

    def _hidden(self, batch: Batch) -> Tensor:
        """Hidden states (T, hidden) of a batch; fills the cache."""
        return self.model.forward(batch, self.cache)


class _Deferred:
    def __init__(self, work: Callable[[], list[SampleResult]]) -> None:
        self._work = work

    def collect(self) -> list[SampleResult]:
        return self._work()
