"""What the runtime's loop says of pages, and its load."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from dsocr.runtime.scheduling.sequence import FinishReason


@dataclass(frozen=True, slots=True)
class Started:
    """A page left the queue. Emitted before the device works on it."""

    request_id: int


class Text(NamedTuple):
    """New text of a page."""

    request_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """A page is complete. All its text was emitted before.

    After a repetition more text was emitted than is kept: the kept text ends at the last of
    `text_ends`.
    """

    request_id: int
    finish_reason: FinishReason
    num_prompt_tokens: int
    num_image_tokens: int
    output_ids: list[int]
    logprobs: list[float]
    text_ends: list[int]
    """Length of the text, in characters, after each output token."""
    num_drafted: int = 0
    num_accepted: int = 0
    """Drafted tokens that became output."""
    times: tuple[float, ...] = field(default=(), compare=False)
    """When the preparation of the page began and ended, and when it left the queue, had text for
    the first time, and was complete; seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A page failed; others are not affected."""

    request_id: int
    code: str
    """bad_request, context_too_long or engine_crash."""
    message: str


Event = Started | Text | Done | Failed


@dataclass(frozen=True, slots=True)
class RuntimeLoad:
    """The current load, and counts since the start: preemptions, out-of-memory splits, tokens that
    were drafted, drafted tokens that became output, and steps of the device."""

    running: int
    waiting: int
    cache_used: float
    """0 to 1."""
    preemptions: int
    out_of_memory: int
    drafted: int = 0
    accepted: int = 0
    steps: int = 0
    step_tokens: int = 0
    """Tokens that the steps computed together, drafts included."""
