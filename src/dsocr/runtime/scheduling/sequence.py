"""The state of one page in the decoder: its tokens, its cache blocks, its limits.

The host may schedule ahead of the device: `num_cached` and `num_pending` count launched steps,
the tokens and `finish_reason` only collected ones.
"""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from dsocr.runtime.cache.batch import Chunk, PageViews
from dsocr.runtime.text.drafter import DraftCounts, Drafter, DraftReferences
from dsocr.runtime.text.ngram import NoRepeatIndex
from dsocr.runtime.text.repetition import BLOCK, RepetitionDetector
from dsocr.runtime.text.tokenizer import SpecialTokens
from dsocr.types import NoRepeat

FREED = -1
"""In a block table: a block that was freed while the sequence continues."""
Ending = Literal["stop", "length"]
"""Why a token is the last: it is the end token, or the limit is reached."""
FinishReason = Literal["stop", "length", "repetition"]


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are sampled and when generation stops."""

    max_tokens: int | None = None
    """Output tokens; None: as many as the context allows."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    seed: int = 0
    """The same seed, page and device sample the same tokens."""
    no_repeat: NoRepeat | None = None
    detect_repetition: bool = True
    """Whether repetition ends the page. Off for random weights, whose output always repeats."""


@dataclass(slots=True, eq=False)
class Sequence:
    """A page's tokens and their state. The scheduler assigns its blocks and slot.

    A preempted sequence is prefilled again from 0 with the tokens it has.
    """

    prompt_ids: list[int]
    params: SamplingParams
    max_new_tokens: int
    """Limit of generated tokens: what the context leaves, or less if the request says so."""
    special: SpecialTokens
    request_id: int = 0
    views: PageViews | None = None
    """The page's views, until they are encoded."""
    features: Tensor | None = None
    """Image features (F, hidden) of the placeholders in the prompt, which are contiguous."""
    output_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """Natural log-probability of each output token, before any ban."""
    finish_reason: FinishReason | None = None
    repetition: RepetitionDetector | None = None
    guards_prompt: bool = False
    """Whether the no-repeat rule with a window covers the prompt too, and exempts no token."""
    drafter: Drafter | None = None
    """Guesses its next tokens on the host; None: each step computes one."""
    references: DraftReferences | None = None
    """The texts that a runner with drafts on the device looks its next tokens up in."""
    prepared: tuple[float, float] = (0.0, 0.0)
    """When its preparation began and ended, seconds since 1970."""
    ended: bool = False
    """No more steps are scheduled for it; results still in flight are dropped."""
    num_cached: int = 0
    """Tokens in the cache once all launched steps have run."""
    num_prefilled: int = 0
    """Where its latest prefill chunk ends."""
    num_pending: int = 0
    """Tokens being sampled by steps launched and not yet collected."""
    num_in_flight: int = 0
    """Such steps that include this sequence."""
    block_table: list[int] = field(default_factory=list)
    """Its blocks in order; `FREED` in place of those behind the window of attention."""
    num_freed: int = 0
    """Blocks of the table that are freed: those that follow the prompt's."""
    slot: int | None = None
    """Its row in the device's tables of active sequences."""
    generator: torch.Generator | None = field(init=False, default=None)
    _no_repeat_index: NoRepeatIndex | None = field(init=False, default=None)
    _num_indexed: int = field(init=False, default=0)
    _num_checked: int = field(init=False, default=0)
    _may_repeat: bool = field(init=False, default=False)
    _placeholders: range = field(init=False)

    def __post_init__(self) -> None:
        if self.params.max_tokens is not None:
            self.max_new_tokens = min(self.max_new_tokens, self.params.max_tokens)
        count = self.prompt_ids.count(self.special.image)
        first = self.prompt_ids.index(self.special.image) if count else 0
        self._placeholders = range(first, first + count)

    @property
    def num_tokens(self) -> int:
        """Prompt and output tokens, including those being sampled."""
        return len(self.prompt_ids) + len(self.output_ids) + self.num_pending

    def num_tokens_after(self, more: int) -> int:
        """`num_tokens` if so many more are appended, as far as the limit allows."""
        return min(self.num_tokens + more, len(self.prompt_ids) + self.max_new_tokens)

    @property
    def is_decoding(self) -> bool:
        """Whether all tokens but the newest are in the cache."""
        prompt = len(self.prompt_ids)
        if self.num_cached < prompt:
            return False
        return self.num_cached + 1 == prompt + len(self.output_ids) + self.num_pending

    @property
    def decodes_next(self) -> bool:
        """Whether the next step computes nothing but the newest token and samples another: it
        `is_decoding`, `can_generate` and has not ended. Called for every page in every step."""
        generated = len(self.output_ids) + self.num_pending
        return (
            0 < generated < self.max_new_tokens
            and self.num_cached + 1 == len(self.prompt_ids) + generated
            and not self.ended
        )

    @property
    def can_generate(self) -> bool:
        """Whether another token may be sampled."""
        return len(self.output_ids) + self.num_pending < self.max_new_tokens

    @property
    def draft_counts(self) -> DraftCounts | None:
        """Counts of its drafts, if it has any."""
        return self.drafter or self.references

    @property
    def num_image_tokens(self) -> int:
        return len(self._placeholders)

    def draft(self, most: int) -> tuple[int, ...]:
        """At most `most` tokens that may follow the newest one; none while that is still being
        sampled. With the token sampled after them they do not exceed the limit."""
        if self.drafter is None or self.num_pending:
            return ()
        left = self.max_new_tokens - len(self.output_ids) - 1
        return self.drafter.propose(self.output_ids, min(most, left))

    def chunk(self, start: int, length: int, drafts: Many[int] = ()) -> Chunk:
        """`length` tokens from position `start`, with the image features among them: known ones,
        then the drafts."""
        end, prompt = start + length, len(self.prompt_ids)
        tokens = self.prompt_ids[start:end]
        if end > prompt:
            tokens = [*tokens, *self.output_ids[max(0, start - prompt) : end - prompt], *drafts]
        image = self._placeholders
        first, last = max(start, image.start), min(end, image.stop)
        if self.features is None or first >= last:
            return Chunk(tokens, start, self.block_table, num_prompt=prompt)
        return Chunk(
            tokens,
            start,
            self.block_table,
            num_prompt=prompt,
            features=self.features[first - image.start : last - image.start],
            feature_rows=range(first - start, last - start),
        )

    def banned(self, drafts: Many[int] = ()) -> list[int]:
        """Tokens that the no-repeat rule bans next, or after these drafts. Only for sampling on the
        host: the n-gram index is extended here, on demand."""
        no_repeat = self.params.no_repeat
        if no_repeat is None:
            return []
        if self._no_repeat_index is None:
            self._no_repeat_index = NoRepeatIndex(
                no_repeat,
                prompt=self.prompt_ids,
                exempt=self.special.cells,
                covers_prompt=self.guards_prompt,
            )
        for token in self.output_ids[self._num_indexed :]:
            self._no_repeat_index.push(token)
        self._num_indexed = len(self.output_ids)
        return self._no_repeat_index.banned_after(drafts)

    def ending_with(self, token: int, num_drafts: int = 0) -> Ending | None:
        """How the page ends if this is its next token, or the one after so many drafts, or None.
        For sampling on the host; the device keeps its own count."""
        if token == self.special.eos:
            return "stop"
        length = len(self.output_ids) + num_drafts + 1
        return "length" if length >= self.max_new_tokens else None

    def append(
        self, token: int, logprob: float, ending: Ending | None = None, may_repeat: bool = True
    ) -> None:
        """Appends an output token and sets `finish_reason` if the page ends; eos is not kept. The
        repetition detector checks nothing until `may_repeat` is true for the first time."""
        if ending is not None:
            self.finish_reason = ending
            if ending == "stop":
                return
        self.output_ids.append(token)
        self.logprobs.append(logprob)
        if may_repeat:
            self._may_repeat = True
        if self._may_repeat:
            self._end_repetition()

    def _end_repetition(self) -> None:
        keep = self._check_repetition()
        if keep is not None:
            del self.output_ids[keep:], self.logprobs[keep:]
            self.finish_reason = "repetition"

    def _check_repetition(self) -> int | None:
        """Output tokens to keep if the detector finds a repetition, else None. It is fed all output
        so far, in whole blocks: it checks nothing between two blocks."""
        num_new = len(self.output_ids) - self._num_checked
        if self.repetition is None or num_new < BLOCK:
            return None
        start = self._num_checked
        self._num_checked += num_new - num_new % BLOCK
        new_tokens = self.output_ids[start : self._num_checked]
        found = (self.repetition.push(token) for token in new_tokens)
        return next((keep for keep in found if keep is not None), None)
