"""The loop: submit pages, step, and read what each step brought. Synchronous, one device.

Pages are taken in the order they came, `max_num_seqs` at a time. When the cache is full, the
youngest waits and is computed again later. Knows nothing of processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from PIL.Image import Image

from dsocr.runtime.model_runner import ModelRunner
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.preprocess import Resolution, num_image_tokens, prepare
from dsocr.runtime.prompt import PromptError, PromptTooLong, has_image, prompt_ids, room_for_answer
from dsocr.runtime.repetition import RepetitionWatch, token_kinds
from dsocr.runtime.sampler import NotANumber, Sampled
from dsocr.runtime.sequence import FinishReason, SamplingParams, Sequence
from dsocr.runtime.tokenizer import Detokenizer, Tokenizer


@dataclass(frozen=True, slots=True)
class Request:
    """One page to read. `image` is upright and RGB; a prompt without `<image>` ignores it."""

    request_id: int
    image: Image
    prompt: str
    resolution: Resolution
    params: SamplingParams


@dataclass(frozen=True, slots=True)
class Started:
    """A page left the queue."""

    request_id: int


@dataclass(frozen=True, slots=True)
class Text:
    """New text of a page; empty where a token completed no character."""

    request_id: int
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """A page was read. All its text has been handed out before.

    Where it was cut because it repeated itself, more than its text was: what counts ends with the
    last of `text_ends`.
    """

    request_id: int
    finish_reason: FinishReason
    num_prompt_tokens: int
    num_image_tokens: int
    output_ids: list[int]
    logprobs: list[float]
    text_ends: list[int]
    """Characters of text there were after each output token."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A page could not be read; others can."""

    request_id: int
    code: str
    """bad_request, context_too_long or engine_crash."""
    message: str


Event = Started | Text | Done | Failed


@dataclass(slots=True)
class _Running:
    request_id: int
    sequence: Sequence
    num_image_tokens: int
    detokenizer: Detokenizer
    num_characters: int = 0
    text_ends: list[int] = field(default_factory=list)


class Runtime:
    """Owns the model. Not to be used from two threads."""

    def __init__(
        self,
        model: DeepseekOcr,
        tokenizer: Tokenizer,
        *,
        max_tiles: int = 9,
        max_num_seqs: int = 1,
        cache_tokens: int | None = None,
    ) -> None:
        """`cache_tokens` bounds what all pages together hold; None: each may fill the context."""
        self.tokenizer = tokenizer
        self._max_tiles, self._max_num_seqs = max_tiles, max_num_seqs
        self._max_positions = model.spec.decoder.max_positions
        self._kinds = token_kinds(tokenizer)
        whole = self._max_positions + 16
        if cache_tokens is None:
            cache_tokens = max_num_seqs * whole
        # the oldest page is never preempted and must be able to fill the context
        self.runner = ModelRunner(model, num_tokens=max(whole, cache_tokens))
        self._waiting: deque[Request] = deque()
        self._running: list[_Running] = []  # oldest first
        self._preempted: deque[_Running] = deque()  # oldest first, all younger than those running

    @property
    def has_work(self) -> bool:
        return bool(self._waiting or self._preempted or self._running)

    def submit(self, request: Request) -> None:
        """Puts a page at the end of the queue."""
        self._waiting.append(request)

    def cancel(self, request_id: int) -> None:
        """Forgets a page and frees its blocks. One that is done or unknown is no mistake."""
        self._waiting = deque(one for one in self._waiting if one.request_id != request_id)
        for preempted in [one for one in self._preempted if one.request_id == request_id]:
            self._preempted.remove(preempted)
            self.runner.release(preempted.sequence)
        for running in [one for one in self._running if one.request_id == request_id]:
            self._remove(running)

    def read(self, request: Request) -> Iterator[Event]:
        """Submits one page and steps until it is done. Closing the iterator cancels it."""
        self.submit(request)
        try:
            while True:
                for event in self.step():
                    if event.request_id == request.request_id:
                        yield event
                        if isinstance(event, Done | Failed):
                            return
        finally:
            self.cancel(request.request_id)

    def step(self) -> list[Event]:
        """Takes in what may run, then one token for every page that runs."""
        events: list[Event] = []
        self._resume()
        while self._waiting and not self._preempted and len(self._running) < self._max_num_seqs:
            events += self._admit(self._waiting.popleft())
            self._preempt()
        if not self._running:
            return events
        self._preempt()
        # those that decode come first: they run together
        running = sorted(self._running, key=lambda one: not one.sequence.is_decoding)
        try:
            sampled = self.runner.step([one.sequence for one in running])
        except (RuntimeError, NotANumber) as error:
            message = _what_failed(error)
            for one in running:
                self._remove(one)
            return [*events, *(Failed(one.request_id, "engine_crash", message) for one in running)]
        for one, choice in zip(running, sampled, strict=True):
            events += self._advance(one, choice)
        return events

    def _admit(self, request: Request) -> list[Event]:
        started = Started(request.request_id)
        try:
            sequence, num_placeholders = self._sequence(request)
        except PromptTooLong as error:
            return [started, Failed(request.request_id, "context_too_long", str(error))]
        except PromptError as error:
            return [started, Failed(request.request_id, "bad_request", str(error))]
        except RuntimeError as error:
            return [started, Failed(request.request_id, "engine_crash", _what_failed(error))]
        self._running.append(
            _Running(request.request_id, sequence, num_placeholders, Detokenizer(self.tokenizer))
        )
        return [started]

    def _resume(self) -> None:
        """Takes preempted pages back, oldest first, as far as the cache has room for them."""
        while self._preempted and len(self._running) < self._max_num_seqs:
            together = [one.sequence for one in (*self._running, self._preempted[0])]
            if self.runner.lacks_room(together):
                return
            self._running.append(self._preempted.popleft())

    def _preempt(self) -> None:
        """Takes the youngest pages' blocks until the next step has room."""
        while self.runner.lacks_room([one.sequence for one in self._running]):
            youngest = self._running.pop()
            self.runner.preempt(youngest.sequence)
            self._preempted.appendleft(youngest)

    def _sequence(self, request: Request) -> tuple[Sequence, int]:
        views = None
        if has_image(request.prompt):
            views = prepare(request.image, request.resolution, max_tiles=self._max_tiles)
        count = 0 if views is None else num_image_tokens(views)
        ids = prompt_ids(self.tokenizer, request.prompt, num_image_tokens=count)
        room = room_for_answer(len(ids), max_positions=self._max_positions)
        watch = RepetitionWatch(self._kinds) if request.params.watch else None
        sequence = Sequence(ids, request.params, room, self.tokenizer.special, watch=watch)
        if views is not None:
            self.runner.encode([sequence], [views])
        return sequence, count

    def _advance(self, running: _Running, sampled: Sampled | None) -> list[Event]:
        sequence = running.sequence
        if sampled is None:  # the guard banned every token: there is nothing left to say
            sequence.finish_reason = "stop"
        else:
            sequence.append(sampled.token, sampled.logprob)
        text = ""
        if len(sequence.output_ids) > len(running.text_ends):
            text = running.detokenizer.push(sequence.output_ids[-1])
            running.num_characters += len(text)
            running.text_ends.append(running.num_characters)
        if sequence.finish_reason is None:
            return [Text(running.request_id, text)]
        text += running.detokenizer.finish()
        done = Done(
            request_id=running.request_id,
            finish_reason=sequence.finish_reason,
            num_prompt_tokens=len(sequence.prompt_ids),
            num_image_tokens=running.num_image_tokens,
            output_ids=sequence.output_ids,
            logprobs=sequence.logprobs,
            text_ends=running.text_ends[: len(sequence.output_ids)],
        )
        self._remove(running)
        return [Text(running.request_id, text), done]

    def _remove(self, running: _Running) -> None:
        self._running.remove(running)
        self.runner.release(running.sequence)


def _what_failed(error: Exception) -> str:
    """A sentence for what only this page suffers from; anything else is raised again.

    An error of the device itself leaves it unusable: then the process has to end.
    """
    words = str(error)
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in words:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return "The device has not enough memory for this page; a smaller mode needs less."
    if isinstance(error, NotANumber):
        return f"{NotANumber.__doc__} Try DEEPSEEK_OCR_DTYPE=float32."
    raise error
