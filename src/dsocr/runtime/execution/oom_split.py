"""Splits steps that run out of memory, down to the single pages that do not fit alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch

from dsocr.runtime.devices import is_out_of_memory
from dsocr.runtime.execution.model_runner import Launched, Runner
from dsocr.runtime.execution.sampler import SampleResult
from dsocr.runtime.scheduling.scheduler import ScheduledChunk, ScheduledStep
from dsocr.runtime.scheduling.sequence import Sequence

T = TypeVar("T")

MIN_SPLIT_TOKENS = 64
"""Chunks up to this length are not split."""


class OomSplittingRunner:
    """A runner whose steps do not fail for lack of memory; single pages may."""

    def __init__(self, runner: Runner) -> None:
        self._runner, self._is_full = runner, False
        self.num_out_of_memory = 0
        """Steps and parts of steps that ran out of memory."""

    def run_idle_work(self) -> bool:
        if self._is_full:
            return False
        try:
            return self._runner.run_idle_work()
        except RuntimeError as error:
            self._check(error)
        self._is_full = True  # idle: there will never be more free memory than now
        _empty_cache()
        return False

    def launch(self, step: ScheduledStep) -> Launched | None:
        """None if it ran out of memory: collect the steps in flight, then this one, in parts."""
        try:
            return self._runner.launch(step)
        except RuntimeError as error:
            self._check(error)
        return None

    def collect(
        self, step: ScheduledStep, launched: Launched | None
    ) -> tuple[list[SampleResult], set[Sequence]]:
        """One result per chunk, and the sequences that did not fit even alone."""
        too_large: set[Sequence] = set()
        return self._collect(step, launched, too_large), too_large

    def _collect(
        self, step: ScheduledStep, launched: Launched | None, too_large: set[Sequence]
    ) -> list[SampleResult]:
        try:
            if launched is not None:
                return launched.collect()
        except RuntimeError as error:
            self._check(error)
        # outside of the handler: the error references frames, and these their tensors
        _empty_cache()
        parts = _parts(step)
        if not parts:
            too_large.update(step.to_encode, (chunk.sequence for chunk in step.chunks))
            return [None] * len(step.chunks)
        results = [
            result for part in parts for result in self._collect(part, self.launch(part), too_large)
        ]
        return results[len(results) - len(step.chunks) :]  # of a split chunk, the last part's

    def _check(self, error: RuntimeError) -> None:
        if not is_out_of_memory(error):
            raise error
        self.num_out_of_memory += 1


def _empty_cache() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _parts(step: ScheduledStep) -> list[ScheduledStep]:
    """Smaller steps that together equal this one; empty if it cannot be split."""
    if step.to_encode and step.chunks:
        return [replace(step, to_encode=[]), ScheduledStep(to_encode=step.to_encode)]
    if len(step.to_encode) > 1:
        return [ScheduledStep(to_encode=half) for half in _halves(step.to_encode)]
    if len(step.chunks) > 1:
        first, second = _halves(step.chunks)
        count = len(first)
        return [
            ScheduledStep(first, min(step.num_decodes, count)),
            ScheduledStep(second, max(0, step.num_decodes - count)),
        ]
    return [ScheduledStep([chunk]) for one in step.chunks for chunk in _split(one)]


def _halves(items: list[T]) -> tuple[list[T], list[T]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]


def _split(chunk: ScheduledChunk) -> list[ScheduledChunk]:
    if chunk.length <= MIN_SPLIT_TOKENS:
        return []
    middle = chunk.length // 2
    return [
        chunk._replace(length=middle, samples=False),
        chunk._replace(start=chunk.start + middle, length=chunk.length - middle),
    ]
