"""The runtime's loop: submit requests, step, get events. Synchronous, for one device.

With `lookahead` 1 the next step is scheduled and launched before the previous one is collected, so
that the device does not wait for the host; the tokens are the same. Knows nothing of processes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field

from dsocr.runtime.events import Done, Event, Failed, RuntimeLoad, Started, Text
from dsocr.runtime.execution.model_runner import Launched, Runner
from dsocr.runtime.execution.oom_split import OomSplittingRunner
from dsocr.runtime.execution.sampler import NotANumber, RowResult, SampledRun, SampledToken
from dsocr.runtime.scheduling.inputs import InputProcessor, InputQueue, Request
from dsocr.runtime.scheduling.scheduler import Limits, ScheduledStep, Scheduler
from dsocr.runtime.scheduling.sequence import FinishReason, Sequence
from dsocr.runtime.text.prompt import PromptError, PromptTooLong
from dsocr.runtime.text.tokenizer import Detokenizer

MAX_PREPARED = 16
"""Requests that are prepared and waiting: one group to encode. As many more are being prepared."""
WAIT_SECONDS = 0.05
"""A step that has nothing to do until a request is prepared returns after this."""

_NOT_PREPARED = "The page image could not be prepared for the model; the log has the details."
_TOO_LARGE = "The device has too little memory for this page; try a smaller mode."
_NOT_A_NUMBER = f"{NotANumber.__doc__} Try DEEPSEEK_OCR_DTYPE=float32."


@dataclass(slots=True)
class _ActivePage:
    sequence: Sequence
    detokenizer: Detokenizer
    num_emitted: int = 0
    """Output tokens whose text was emitted."""
    times: list[float] = field(init=False)
    """The first of `Done.times`."""

    def __post_init__(self) -> None:
        self.times = [*self.sequence.prepared]

    def note_start(self) -> None:
        """Also called for a page that starts once more after it was preempted."""
        if len(self.times) == len(self.sequence.prepared):
            self.times.append(time.time())

    def new_text(self) -> str:
        """The text of the output tokens since the last call."""
        output_ids = self.sequence.output_ids
        if len(output_ids) <= self.num_emitted:
            return ""
        if not self.num_emitted:
            self.times.append(time.time())
        text = self.detokenizer.push(output_ids[self.num_emitted :])
        self.num_emitted = len(output_ids)
        return text


class Runtime:
    """Owns the input queue, the scheduler and the runner. For one thread."""

    def __init__(
        self,
        runner: Runner,
        processor: InputProcessor,
        *,
        limits: Limits | None = None,
        lookahead: int = 0,
        waits: Callable[[], bool] = lambda: False,
        executor: Executor | None = None,
    ) -> None:
        """The runner's cache must hold one full context: the oldest sequence is never preempted.
        `waits`: whether the step in flight is to be collected before the next one is launched.
        `executor` prepares requests ahead."""
        self.scheduler = Scheduler(runner.allocator, limits or Limits())
        self._runner, self._tokenizer = OomSplittingRunner(runner), processor.tokenizer
        self._inputs = InputQueue(processor, max_prepared=MAX_PREPARED, executor=executor)
        self._lookahead, self._waits = lookahead, waits
        self._num_drafted = self._num_accepted = 0
        self._num_steps = self._num_step_tokens = 0
        self._pages: dict[int, _ActivePage] = {}
        self._in_flight: deque[tuple[ScheduledStep, Launched | None]] = deque()

    @property
    def has_work(self) -> bool:
        return bool(self._inputs or self._pages or self._in_flight)

    @property
    def load(self) -> RuntimeLoad:
        allocator = self.scheduler.allocator
        return RuntimeLoad(
            running=self.scheduler.num_running,
            waiting=len(self._inputs) + self.scheduler.num_waiting,
            cache_used=1 - allocator.num_free / allocator.num_blocks,
            preemptions=self.scheduler.num_preemptions,
            out_of_memory=self._runner.num_out_of_memory,
            drafted=self._num_drafted,
            accepted=self._num_accepted,
            steps=self._num_steps,
            step_tokens=self._num_step_tokens,
        )

    def submit(self, request: Request) -> None:
        """Appends a request to the queue."""
        self._inputs.add(request)

    def cancel(self, request_id: int) -> None:
        """Drops a page and frees its blocks, at once or after the steps in flight. Ids that are
        done or unknown are ignored."""
        self._inputs.cancel(request_id)
        self._drop(request_id)

    def generate(self, request: Request) -> Iterator[Event]:
        """Submits one request, steps until it is done and yields its events. Closing the iterator
        cancels it."""
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
        """Does one unit of work that would delay later pages. False if none is left. Call only
        while there are no requests."""
        return self._runner.run_idle_work()

    def step(self) -> list[Event]:
        """`advance`, then `take_text`: the text of every step at once."""
        return [*self.advance(), *self.take_text()]

    def take_text(self) -> list[Text]:
        """New text of the pages that are not done. Detokenizing the tokens of several steps
        together takes much less time than one by one."""
        return [
            Text(number, text)
            for number, page in self._pages.items()
            if len(page.sequence.output_ids) > page.num_emitted and (text := page.new_text())
        ]

    def advance(self) -> list[Event]:
        """Schedules, launches and collects at most one step each. Returns `Started` events without
        launching, so that they are sent before the device works on these pages. Of texts only
        those that complete a page are among the events."""
        events = self._accept_prepared()
        if started := self.scheduler.start_encoding():
            for one in started:
                self._pages[one.request_id].note_start()
            return [*events, *(Started(one.request_id) for one in started)]
        if self._in_flight and self._waits():
            events += self._collect(*self._in_flight.popleft())
        # nothing is launched after a step that is to be split: steps must run in order
        fits = all(launched is not None for _, launched in self._in_flight)
        if fits and (scheduled := self.scheduler.schedule()) is not None:
            self._in_flight.append((scheduled, self._runner.launch(scheduled)))
            if len(self._in_flight) <= self._lookahead:
                return events
        if self._in_flight:
            return events + self._collect(*self._in_flight.popleft())
        if not events:
            self._inputs.wait(WAIT_SECONDS)
        return events

    def _accept_prepared(self) -> list[Event]:
        """Moves prepared requests to the scheduler's queue."""
        events: list[Event] = []
        while self.scheduler.num_waiting < MAX_PREPARED and (prepared := self._inputs.take()):
            request, sequence = prepared
            if isinstance(sequence, Exception):
                events.append(Started(request.request_id))
                events.append(_preparation_failed(request.request_id, sequence))
            else:
                self._pages[request.request_id] = _ActivePage(
                    sequence, Detokenizer(self._tokenizer)
                )
                self.scheduler.add(sequence)
        return events

    def _collect(self, step: ScheduledStep, launched: Launched | None) -> list[Event]:
        results, too_large = self._runner.collect(step, launched)
        self._num_steps += 1
        self._num_step_tokens += sum(chunk.length for chunk in step.chunks)
        events = [self._fail(one, _TOO_LARGE) for one in too_large if not one.ended]
        for (sequence, _, _, samples, drafts), result in zip(step.chunks, results, strict=True):
            if not samples or sequence.ended:
                continue
            if isinstance(result, SampledToken):  # of most chunks: handled without another call
                sequence.append(*result)
                if sequence.finish_reason is not None:
                    events += self._finish(sequence, sequence.finish_reason)
            elif isinstance(result, SampledRun):
                num_accepted = len(result.results) - 1
                self._count_drafts(sequence, result.num_drafted, num_accepted)
                if not drafts:
                    self.scheduler.add_drafted(sequence, num_accepted)
                events += self._receive(sequence, result.results)
            else:
                events += self._receive(sequence, (result,))
        self.scheduler.finish_step(step)
        return events

    def _receive(self, sequence: Sequence, results: Iterable[RowResult]) -> list[Event]:
        """Adds sampled tokens to a page, up to its end."""
        for result in results:
            if isinstance(result, SampledToken):
                sequence.append(*result)
                if sequence.finish_reason is not None:
                    return self._finish(sequence, sequence.finish_reason)
            elif isinstance(result, NotANumber):
                return [self._fail(sequence, _NOT_A_NUMBER)]
            else:  # the no-repeat rule bans every token
                return self._finish(sequence, "stop")
        return []

    def _count_drafts(self, sequence: Sequence, drafted: int, accepted: int) -> None:
        if sequence.draft_counts is not None:
            sequence.draft_counts.record(drafted, accepted)
        self._num_drafted += drafted
        self._num_accepted += accepted

    def _finish(self, sequence: Sequence, finish_reason: FinishReason) -> list[Event]:
        page, counts = self._pages[sequence.request_id], sequence.draft_counts
        text = page.new_text() + page.detokenizer.finish()
        self._drop(sequence.request_id)
        done = Done(
            request_id=sequence.request_id,
            finish_reason=finish_reason,
            num_prompt_tokens=len(sequence.prompt_ids),
            num_image_tokens=sequence.num_image_tokens,
            output_ids=sequence.output_ids,
            logprobs=sequence.logprobs,
            text_ends=self._tokenizer.text_ends(sequence.output_ids),
            num_drafted=counts.num_drafted if counts is not None else 0,
            num_accepted=counts.num_accepted if counts is not None else 0,
            times=(*page.times, time.time()),
        )
        return [Text(sequence.request_id, text), done]

    def _fail(self, sequence: Sequence, message: str) -> Event:
        self._drop(sequence.request_id)
        return Failed(sequence.request_id, "engine_crash", message)

    def _drop(self, request_id: int) -> None:
        page = self._pages.pop(request_id, None)
        if page is not None:
            self.scheduler.drop(page.sequence)


def _preparation_failed(request_id: int, error: Exception) -> Failed:
    if not isinstance(error, PromptError):
        return Failed(request_id, "engine_crash", _NOT_PREPARED)
    code = "context_too_long" if isinstance(error, PromptTooLong) else "bad_request"
    return Failed(request_id, code, str(error))
