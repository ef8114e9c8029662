"""Reads a streamed chat completion: its text as it arrives, how it ended, log-probabilities."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dsocr.engines.deepseek.remote.failures import ServerFailed
from dsocr.types import FinishReason

MAX_LINE_BYTES = 1 << 20
MAX_TEXT_CHARACTERS = 1 << 20
MAX_ANSWER_BYTES = 32 << 20
"""A page of 32,768 tokens with log-probabilities has about 16 MB."""
_FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "repetition": "repetition",
}


@dataclass(slots=True)
class Answer:
    """What a server answered for one page."""

    raw: str = ""
    finish_reason: FinishReason | None = None
    """None until it has ended."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    logprobs: list[float] = field(default_factory=list)
    """One a token; empty where the server gives none."""
    text_ends: list[int] = field(default_factory=list)
    """Length of the text after each of these tokens, in characters."""


class AnswerReader:
    """Takes the bytes of a response as they come. Every method may raise `ServerFailed`."""

    def __init__(self, on_text: Callable[[str], None] | None) -> None:
        self._on_text = on_text
        self.is_complete = False
        """Whether `[DONE]` has come, after which nothing follows but the end of the response."""
        self._answer = Answer()
        self._line = b""
        self._num_bytes = 0
        self._parts: list[str] = []
        self._num_characters = 0

    def feed(self, data: bytes) -> None:
        """Memory is bounded: by the longest line and text, whatever a server sends."""
        self._num_bytes += len(data)
        if self._num_bytes > MAX_ANSWER_BYTES:
            raise ServerFailed("its answer is too long", by_page=True)
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            self._take_line(line.strip())
        if len(self._line) > MAX_LINE_BYTES:
            raise ServerFailed("it sent a line that is too long", by_page=True)

    def finish(self) -> Answer:
        """The answer, once the response has ended."""
        self._take_line(self._line.strip())
        if self._answer.finish_reason is None:
            raise ServerFailed("its answer ended early", by_page=True)
        self._answer.raw = "".join(self._parts)
        return self._answer

    def _take_line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            if line.startswith(b"{"):  # an error in place of a stream
                self._take_chunk(line)
            return
        data = line.removeprefix(b"data:").strip()
        if data == b"[DONE]":
            self.is_complete = True
        elif data:
            self._take_chunk(data)

    def _take_chunk(self, data: bytes) -> None:
        try:
            chunk = json.loads(data)
            if chunk.get("error"):
                raise ServerFailed(f"it failed: {_message_of(chunk)}", by_page=True)
            if chunk.get("usage"):
                self._take_usage(chunk["usage"])
            for choice in (chunk.get("choices") or [])[:1]:
                self._take_choice(choice)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ServerFailed("its answer is no chat completion", by_page=True) from error

    def _take_usage(self, usage: dict[str, Any]) -> None:
        self._answer.prompt_tokens = int(usage.get("prompt_tokens") or 0)
        self._answer.completion_tokens = int(usage.get("completion_tokens") or 0)

    def _take_choice(self, choice: dict[str, Any]) -> None:
        text = (choice.get("delta") or {}).get("content") or ""
        begin = self._num_characters
        self._num_characters += len(text)
        if self._num_characters > MAX_TEXT_CHARACTERS:
            raise ServerFailed("its answer is too long", by_page=True)
        for logprob, end in _token_ends(choice.get("logprobs"), begin, self._num_characters):
            self._answer.logprobs.append(logprob)
            self._answer.text_ends.append(end)
        reason = choice.get("finish_reason")
        if reason is not None:
            self._answer.finish_reason = _finish_reason(reason)
        if text:
            self._parts.append(text)
            if self._on_text is not None:
                self._on_text(text)


def _finish_reason(reason: str) -> FinishReason:
    if reason not in _FINISH_REASONS:
        raise ServerFailed(f"it ended the page with {str(reason)[:20]!r}", by_page=True)
    return _FINISH_REASONS[reason]


def _token_ends(logprobs: Any, begin: int, end: int) -> Iterator[tuple[float, int]]:
    """Log-probability and end of each token of a chunk, whose text has the places `begin` to `end`.
    A token that ends within a character ends with the chunk."""
    tokens = (logprobs or {}).get("content") or []
    place = begin
    for number, token in enumerate(tokens, 1):
        place = end if number == len(tokens) else min(end, place + len(token["token"]))
        yield min(0.0, float(token["logprob"])), place


def _message_of(chunk: dict[str, Any]) -> str:
    error = chunk["error"]
    return str(error.get("message", "") if isinstance(error, dict) else error)[:200]
