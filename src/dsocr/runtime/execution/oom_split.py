"""Steps that run out of memory, once more in smaller parts. What fails alone fails alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch

from dsocr.runtime.devices import is_out_of_memory
from dsocr.runtime.execution.model_runner import Launched, Runner
from dsocr.runtime.execution.sampler import Choice
from dsocr.runtime.scheduling.scheduler import ScheduledChunk, Step
from dsocr.runtime.scheduling.sequence import Sequence

T = TypeVar("T")

SHORTEST_PIECE = 64
"""Tokens. A piece of no more than this is not cut again."""


class OomSplittingRunner:
    """A runner whose steps do not fail for want of memory; their pages may."""

    def __init__(self, runner: Runner) -> None:
        self._runner, self._is_full = runner, False
        self.num_out_of_memory = 0
        """Steps and parts of steps that did not fit."""

    def make_ready(self) -> bool:
        if self._is_full:
            return False
        try:
            return self._runner.make_ready()
        except RuntimeError as error:
            self._check(error)
        self._is_full = True  # with no page running there is as much room as there will be
        _give_back_memory()
        return False

    def launch(self, step: Step) -> Launched | None:
        """None: it did not fit. What is under way has to be collected, then this in parts."""
        try:
            return self._runner.launch(step)
        except RuntimeError as error:
            self._check(error)
        return None

    def collect(self, step: Step, launched: Launched | None) -> tuple[list[Choice], set[Sequence]]:
        """One choice a piece, and the pages that did not fit even alone."""
        misfits: set[Sequence] = set()
        return self._collect(step, launched, misfits), misfits

    def _collect(
        self, step: Step, launched: Launched | None, misfits: set[Sequence]
    ) -> list[Choice]:
        try:
            if launched is not None:
                return launched.collect()
        except RuntimeError as error:
            self._check(error)
        # outside of the handler: the error holds on to the frames, and these to their tensors
        _give_back_memory()
        parts = _parts(step)
        if not parts:
            misfits.update(step.starts, (piece.sequence for piece in step.pieces))
            return [None] * len(step.pieces)
        choices = [
            choice for part in parts for choice in self._collect(part, self.launch(part), misfits)
        ]
        return choices[len(choices) - len(step.pieces) :]  # of a piece cut in two, the last

    def _check(self, error: RuntimeError) -> None:
        if not is_out_of_memory(error):
            raise error
        self.num_out_of_memory += 1


def _give_back_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _parts(step: Step) -> list[Step]:
    """Smaller steps that come to the same, or nothing where there are none."""
    if step.starts and step.pieces:
        return [replace(step, starts=[]), Step(starts=step.starts)]
    if len(step.starts) > 1:
        return [Step(starts=half) for half in _halves(step.starts)]
    if len(step.pieces) > 1:
        first, second = _halves(step.pieces)
        count = len(first)
        return [
            Step(first, min(step.num_decodes, count)),
            Step(second, max(0, step.num_decodes - count)),
        ]
    return [Step([piece]) for one in step.pieces for piece in _cut(one)]


def _halves(items: list[T]) -> tuple[list[T], list[T]]:
    middle = len(items) // 2
    return items[:middle], items[middle:]


def _cut(piece: ScheduledChunk) -> list[ScheduledChunk]:
    if piece.length <= SHORTEST_PIECE:
        return []
    middle = piece.length // 2
    return [
        piece._replace(length=middle, samples=False),
        piece._replace(start=piece.start + middle, length=piece.length - middle),
    ]
