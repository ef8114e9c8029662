"""One page on its way through the decoder: its tokens, its place in the cache, its limits.

The host may plan ahead of the device. `num_cached` and `num_pending` count what was launched, the
tokens and `finish_reason` only what was collected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from dsocr.runtime.cache.batch import Chunk, PageViews
from dsocr.runtime.text.ngram import NgramGuard, NoRepeat
from dsocr.runtime.text.repetition import RepetitionWatch
from dsocr.runtime.text.tokenizer import SpecialTokens

Ending = Literal["stop", "length"]
"""What a token ends a page by: it is the end token, or the last there is room for."""
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


@dataclass(slots=True, eq=False)
class Sequence:
    """What is known of a page's tokens. Its blocks and its slot are the scheduler's to give.

    A sequence that lost its blocks starts again from 0 and comes to the same place.
    """

    prompt_ids: list[int]
    params: SamplingParams
    room: int
    """Most tokens that may be generated."""
    special: SpecialTokens
    request_id: int = 0
    views: PageViews | None = None
    """The page's picture, until it is encoded."""
    features: Tensor | None = None
    """Image features (F, hidden) for the placeholders in the prompt, which stand together."""
    output_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Of each output token before any ban, natural logarithm."""
    finish_reason: FinishReason | None = None
    watch: RepetitionWatch | None = None
    ended: bool = False
    """Nothing more is to be computed of it; what is still under way is dropped."""
    num_cached: int = 0
    """Tokens that are in the cache once all that was launched has run."""
    num_pending: int = 0
    """Tokens being chosen by steps that were launched and not yet collected."""
    num_in_flight: int = 0
    """Such steps that it takes part in."""
    block_table: list[int] = field(default_factory=list)
    slot: int | None = None
    """Its row in the device's tables of running sequences."""
    generator: torch.Generator | None = field(init=False, default=None)
    _guard: NgramGuard | None = field(init=False, default=None)
    _num_guarded: int = field(init=False, default=0)
    _num_watched: int = field(init=False, default=0)
    _placeholders: range = field(init=False)

    def __post_init__(self) -> None:
        if self.params.max_tokens is not None:
            self.room = min(self.room, self.params.max_tokens)
        count = self.prompt_ids.count(self.special.image)
        first = self.prompt_ids.index(self.special.image) if count else 0
        self._placeholders = range(first, first + count)

    @property
    def num_tokens(self) -> int:
        """Prompt and output, those being chosen included."""
        return len(self.prompt_ids) + len(self.output_ids) + self.num_pending

    @property
    def is_decoding(self) -> bool:
        """Only its newest token is not yet in the cache."""
        prompt = len(self.prompt_ids)
        if self.num_cached < prompt:
            return False
        return self.num_cached + 1 == prompt + len(self.output_ids) + self.num_pending

    @property
    def has_room(self) -> bool:
        """Whether another token may be chosen."""
        return len(self.output_ids) + self.num_pending < self.room

    @property
    def num_image_tokens(self) -> int:
        return len(self._placeholders)

    def chunk(self, start: int, length: int) -> Chunk:
        """`length` of its known tokens from `start` on, with the image features among them."""
        end, prompt = start + length, len(self.prompt_ids)
        tokens = self.prompt_ids[start:end]
        if end > prompt:
            tokens = tokens + self.output_ids[max(0, start - prompt) : end - prompt]
        seen = self._placeholders
        first, last = max(start, seen.start), min(end, seen.stop)
        if self.features is None or first >= last:
            return Chunk(tokens, start, self.block_table)
        return Chunk(
            tokens,
            start,
            self.block_table,
            features=self.features[first - seen.start : last - seen.start],
            feature_rows=range(first - start, last - start),
        )

    def banned(self) -> list[int]:
        """Tokens that must not come next. Asked by those alone who choose tokens on the host: what
        was written is only then gone through."""
        no_repeat = self.params.no_repeat
        if no_repeat is None:
            return []
        if self._guard is None:
            exempt = self.special.cells
            self._guard = NgramGuard(no_repeat, prompt=self.prompt_ids, exempt=exempt)
        for token in self.output_ids[self._num_guarded :]:
            self._guard.push(token)
        self._num_guarded = len(self.output_ids)
        return self._guard.banned()

    def ending_with(self, token: int) -> Ending | None:
        """How the page would end with this as its next token. Asked by those who choose tokens on
        the host; the device has its own count."""
        if token == self.special.eos:
            return "stop"
        return "length" if len(self.output_ids) + 1 >= self.room else None

    def append(
        self, token: int, logprob: float, *, ending: Ending | None, is_suspect: bool = True
    ) -> None:
        """The next token came. Sets `finish_reason` where the page ends; eos is no output. What is
        not suspect is not looked at by the watch."""
        self.finish_reason = ending
        if ending == "stop":
            return
        self.output_ids.append(token)
        self.logprobs.append(logprob)
        keep = self._check_repetition() if is_suspect or self._num_watched else None
        if keep is not None:
            del self.output_ids[keep:], self.logprobs[keep:]
            self.finish_reason = "repetition"

    def _check_repetition(self) -> int | None:
        """What the watch says. Once woken it looks at all that was written, and stays awake."""
        if self.watch is None:
            return None
        news = self.output_ids[self._num_watched :]
        self._num_watched = len(self.output_ids)
        alarms = (self.watch.push(token) for token in news)
        return next((keep for keep in alarms if keep is not None), None)
