"""One page on its way through the decoder: its tokens, its place in the cache, its limits."""

from __future__ import annotations

from collections.abc import Sequence as Ids
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from dsocr.runtime.batch import Chunk
from dsocr.runtime.ngram import NgramGuard, NoRepeat
from dsocr.runtime.repetition import RepetitionWatch
from dsocr.runtime.tokenizer import SpecialTokens

FinishReason = Literal["stop", "length", "repetition"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to choose tokens and when to stop."""

    max_tokens: int | None = None
    """None: all that the context leaves."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    seed: int = 0
    """The same seed, page and device give the same tokens."""
    no_repeat: NoRepeat | None = None
    watch: bool = True
    """Whether a page that repeats itself is ended; random weights do nothing else."""


@dataclass(slots=True)
class Sequence:
    """What is known of a page's tokens. Whoever drops it gives its blocks back first.

    `num_cached` tokens of prompt and output are in the cache; a sequence that lost its blocks
    starts again from 0 and comes to the same place.
    """

    prompt_ids: list[int]
    params: SamplingParams
    room: int
    """Most tokens that may be generated."""
    special: SpecialTokens
    features: Tensor | None = None
    """Image features (F, hidden) for the placeholders in the prompt."""
    output_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Of each output token before any ban, natural logarithm."""
    num_cached: int = 0
    block_table: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None
    watch: RepetitionWatch | None = None
    guard: NgramGuard | None = field(init=False)
    generator: torch.Generator | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        no_repeat = self.params.no_repeat
        self.guard = None
        if no_repeat is not None:
            exempt = self.special.cells
            self.guard = NgramGuard(no_repeat, prompt=self.prompt_ids, exempt=exempt)
        if self.params.max_tokens is not None:
            self.room = min(self.room, self.params.max_tokens)

    @property
    def num_tokens(self) -> int:
        return len(self.prompt_ids) + len(self.output_ids)

    @property
    def is_decoding(self) -> bool:
        """Only its newest token is not yet in the cache."""
        return self.num_cached == self.num_tokens - 1 and bool(self.output_ids)

    def next_chunk(self) -> Chunk:
        """All tokens that are not yet in the cache."""
        start = self.num_cached
        tokens: Ids[int] = [*self.prompt_ids[start:], *self.output_ids[self._output_start(start) :]]
        if self.features is None or start >= len(self.prompt_ids):
            return Chunk(tokens, start, self.block_table)
        image = self.special.image
        rows = [row for row, token in enumerate(self.prompt_ids[start:]) if token == image]
        return Chunk(
            tokens,
            start,
            self.block_table,
            features=self.features[len(self.features) - len(rows) :],
            feature_rows=rows,
        )

    def append(self, token: int, logprob: float) -> None:
        """The next token came. Sets `finish_reason` where the page ends; eos is no output."""
        if token == self.special.eos:
            self.finish_reason = "stop"
            return
        self.output_ids.append(token)
        self.logprobs.append(logprob)
        if self.guard is not None:
            self.guard.push(token)
        if len(self.output_ids) >= self.room:
            self.finish_reason = "length"
        keep = self.watch.push(token) if self.watch is not None else None
        if keep is not None:
            del self.output_ids[keep:], self.logprobs[keep:]
            self.finish_reason = "repetition"

    def _output_start(self, start: int) -> int:
        return max(0, start - len(self.prompt_ids))
