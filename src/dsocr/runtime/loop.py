"""The loop: submit pages, step, and read what each step brought. Synchronous, one device.

With `lookahead` 1 the next step is planned and launched before the last one is collected, so that
the device never waits for the host; the tokens are the same. Knows nothing of processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from dsocr.process.machine import num_cores
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import make_current
from dsocr.runtime.execution.decode_step import can_decode
from dsocr.runtime.execution.graph_runner import GraphRunner
from dsocr.runtime.execution.memory_plan import MemoryPlan, plan_memory
from dsocr.runtime.execution.model_runner import Launched, ModelRunner, Runner
from dsocr.runtime.execution.oom_split import OomSplittingRunner
from dsocr.runtime.execution.sampler import Choice, NotANumber
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.inputs import InputProcessor, InputQueue, Request
from dsocr.runtime.scheduling.scheduler import Limits, Scheduler, Step
from dsocr.runtime.scheduling.sequence import FinishReason, Sequence
from dsocr.runtime.text.prompt import PromptError, PromptTooLong
from dsocr.runtime.text.repetition import TokenKinds, token_kinds
from dsocr.runtime.text.tokenizer import Detokenizer, Tokenizer

PAGES_AHEAD = 16
"""Pages prepared and not yet begun: a round of encoding. As many more are being prepared."""
PREPARING_THREADS = 8
"""At most. Resizing a picture leaves the interpreter to the others."""
WAIT_SECONDS = 0.05
"""A step with nothing to do but wait for a page's preparation returns after this."""


@dataclass(frozen=True, slots=True)
class Started:
    """A page left the queue; the device has not touched it yet."""

    request_id: int


class Text(NamedTuple):
    """New text of a page."""

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


@dataclass(frozen=True, slots=True)
class Load:
    """How full the runtime is, and what went wrong without harm since it was made."""

    running: int
    waiting: int
    cache_used: float
    """0 to 1."""
    preemptions: int
    out_of_memory: int


@dataclass(slots=True)
class _Page:
    sequence: Sequence
    detokenizer: Detokenizer
    num_characters: int = 0
    text_ends: list[int] = field(default_factory=list)


class Runtime:
    """Owns the queue and the runner. Not to be used from two threads."""

    def __init__(
        self,
        runner: Runner,
        preparation: InputProcessor,
        *,
        limits: Limits | None = None,
        lookahead: int = 0,
        pool: Executor | None = None,
    ) -> None:
        """The runner's cache must hold a whole context: the oldest page is never preempted. `pool`
        prepares pages ahead."""
        self.scheduler = Scheduler(runner.allocator, limits or Limits())
        self._runner, self._tokenizer = OomSplittingRunner(runner), preparation.tokenizer
        self._intake = InputQueue(preparation, ahead=PAGES_AHEAD, pool=pool)
        self._lookahead = lookahead
        self._pages: dict[int, _Page] = {}
        self._flights: deque[tuple[Step, Launched | None]] = deque()

    @property
    def has_work(self) -> bool:
        return bool(self._intake or self._pages or self._flights)

    @property
    def load(self) -> Load:
        allocator = self.scheduler.allocator
        return Load(
            running=self.scheduler.num_running,
            waiting=len(self._intake) + self.scheduler.num_waiting,
            cache_used=1 - allocator.num_free / allocator.num_blocks,
            preemptions=self.scheduler.num_preemptions,
            out_of_memory=self._runner.num_out_of_memory,
        )

    def submit(self, request: Request) -> None:
        """Puts a page at the end of the queue."""
        self._intake.add(request)

    def cancel(self, request_id: int) -> None:
        """Forgets a page and frees its blocks, at once or with the step in flight. One that is
        done or unknown is no mistake."""
        self._intake.cancel(request_id)
        self._drop(request_id)

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

    def run_idle_work(self) -> bool:
        """With nothing to read: makes ready what pages will want. False where all is."""
        return self._runner.make_ready()

    def step(self) -> list[Event]:
        """Goes on by at most one step of the device. Pages that start are told of before."""
        events = self._take_in()
        if starts := self.scheduler.start():
            return [*events, *(Started(one.request_id) for one in starts)]
        # not past a step that did not fit and waits to be computed in parts: the order matters
        fits = all(launched is not None for _, launched in self._flights)
        if fits and (planned := self.scheduler.plan()) is not None:
            self._flights.append((planned, self._runner.launch(planned)))
            if len(self._flights) <= self._lookahead:
                return events
        if self._flights:
            return events + self._collect(*self._flights.popleft())
        if not events:
            self._intake.wait(WAIT_SECONDS)
        return events

    def _take_in(self) -> list[Event]:
        """Moves pages that are prepared to the scheduler's queue."""
        events: list[Event] = []
        while self.scheduler.num_waiting < PAGES_AHEAD and (prepared := self._intake.take()):
            request, sequence = prepared
            if isinstance(sequence, Exception):
                events.append(Started(request.request_id))
                events.append(_unprepared(request.request_id, sequence))
            else:
                self._pages[request.request_id] = _Page(sequence, Detokenizer(self._tokenizer))
                self.scheduler.add(sequence)
        return events

    def _collect(self, step: Step, launched: Launched | None) -> list[Event]:
        choices, misfits = self._runner.collect(step, launched)
        events = [self._fail(one, _TOO_LARGE) for one in misfits if not one.ended]
        for piece, choice in zip(step.pieces, choices, strict=True):
            if piece.samples and not piece.sequence.ended:
                events += self._advance(piece.sequence, choice)
        self.scheduler.collected(step)
        return events

    def _advance(self, sequence: Sequence, choice: Choice) -> list[Event]:
        if isinstance(choice, NotANumber):
            return [self._fail(sequence, _NOT_A_NUMBER)]
        if choice is None:  # the guard banned every token: there is nothing left to say
            sequence.finish_reason = "stop"
        else:
            sequence.append(
                *(choice.token, choice.logprob),
                ending=choice.ending,
                is_suspect=choice.is_suspect,
            )
        page = self._pages[sequence.request_id]
        text = ""
        if len(sequence.output_ids) > len(page.text_ends):
            text = page.detokenizer.push(sequence.output_ids[-1])
            page.num_characters += len(text)
            page.text_ends.append(page.num_characters)
        if sequence.finish_reason is None:
            return [Text(sequence.request_id, text)] if text else []
        text += page.detokenizer.finish()
        self._drop(sequence.request_id)
        done = Done(
            request_id=sequence.request_id,
            finish_reason=sequence.finish_reason,
            num_prompt_tokens=len(sequence.prompt_ids),
            num_image_tokens=sequence.num_image_tokens,
            output_ids=sequence.output_ids,
            logprobs=sequence.logprobs,
            text_ends=page.text_ends[: len(sequence.output_ids)],
        )
        return [Text(sequence.request_id, text), done]

    def _fail(self, sequence: Sequence, message: str) -> Event:
        self._drop(sequence.request_id)
        return Failed(sequence.request_id, "engine_crash", message)

    def _drop(self, request_id: int) -> None:
        page = self._pages.pop(request_id, None)
        if page is not None:
            self.scheduler.drop(page.sequence)


def _unprepared(request_id: int, error: Exception) -> Failed:
    if not isinstance(error, PromptError):
        return Failed(request_id, "engine_crash", _NOT_PREPARED)
    code = "context_too_long" if isinstance(error, PromptTooLong) else "bad_request"
    return Failed(request_id, code, str(error))


def runtime_for(
    model: DeepseekOcr,
    tokenizer: Tokenizer,
    config: RuntimeConfig,
    *,
    mark: Callable[[str], None] = lambda stage: None,
) -> tuple[Runtime, MemoryPlan]:
    """A runtime that fills what the device has left, with threads that prepare pages for it.
    `mark` is told when the room is known. Raises `DeviceError` where there is too little."""
    room = plan_memory(model, config)
    mark("room")
    threads = max(1, min(PREPARING_THREADS, num_cores() - 1))
    kinds = token_kinds(tokenizer)
    runner, lookahead = _runner_for(model, tokenizer, config, room, kinds)
    runtime = Runtime(
        runner,
        InputProcessor(
            tokenizer,
            kinds,
            model.spec.decoder.max_positions,
            config.max_tiles,
            pin=model.device.type == "cuda",
        ),
        limits=Limits(
            max_num_seqs=room.max_num_seqs,
            max_prefill_tokens=room.max_prefill_tokens,
            prefill_share=config.prefill_share,
        ),
        lookahead=lookahead,
        pool=ThreadPoolExecutor(
            threads,
            thread_name_prefix="prepare",
            initializer=make_current,
            initargs=(model.device,),
        ),
    )
    return runtime, room


def _runner_for(
    model: DeepseekOcr,
    tokenizer: Tokenizer,
    config: RuntimeConfig,
    room: MemoryPlan,
    kinds: TokenKinds,
) -> tuple[Runner, int]:
    """The quickest that runs here, and how many steps it may be ahead."""
    if not (config.kernels and can_decode(model)):
        return ModelRunner(model, num_tokens=room.cache_tokens, cache_dtype=room.cache_dtype), 0
    runner = GraphRunner(
        model,
        num_tokens=room.cache_tokens,
        max_num_seqs=room.max_num_seqs,
        special=tokenizer.special,
        digits=kinds.digits,
        cache_dtype=room.cache_dtype,
    )
    return runner, 1


_NOT_PREPARED = "The page's picture could not be prepared for the model; the log has the details."
_TOO_LARGE = "The device has not enough memory for this page; a smaller mode needs less."
_NOT_A_NUMBER = f"{NotANumber.__doc__} Try DEEPSEEK_OCR_DTYPE=float32."
