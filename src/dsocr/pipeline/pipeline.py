"""Runs documents through an engine: bounded pages in flight, order kept, failed pages kept.

Knows nothing of file formats, HTTP or jobs, nor of how an engine processes a page.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from dsocr import tracing
from dsocr.engines.base import Engine, EngineInfo
from dsocr.errors import BadRequest, DsocrError, UnsupportedMode, UnsupportedTask
from dsocr.metrics import Metrics, NoMetrics
from dsocr.pages.turn import turned
from dsocr.pipeline.auto_mode import choose_mode
from dsocr.pipeline.event_emitter import PageEventEmitter
from dsocr.pipeline.events import OnEvent, PageDone, PageEvent, PageStarted
from dsocr.pipeline.fair_queue import FairQueue
from dsocr.pipeline.image_memory import ImageMemory
from dsocr.pipeline.page_order import PageOrder
from dsocr.pipeline.page_timer import PageTimer
from dsocr.pipeline.retry import is_incomplete, retry_page
from dsocr.pipeline.workers import run_workers
from dsocr.process.supervisor import max_inflight_bytes
from dsocr.types import Document, Mode, OcrOptions, PageFailure, PageImage, PageResult, Usage

log = logging.getLogger(__name__)

MIN_PAGES_AHEAD = 3
"""Page images in memory beside those that the engine works on, or as many as it works on, whichever
is more: an engine that batches pages may finish all of them at once."""

MAX_NESTED_PAGES = 50
"""With more pages of a job in progress, the span of each page is linked to the job's: one trace
would be too large to look at."""


class PageSource(Protocol):
    """A document whose pages can be rendered in any order, and several at the same time."""

    @property
    def name(self) -> str: ...

    @property
    def num_pages(self) -> int: ...

    async def render_page(self, index: int, *, dpi: float | None) -> PageImage:
        """Page `index` from 0. Raises `DsocrError` when it cannot be rendered."""


OnPage = Callable[[PageResult], Awaitable[None]]
_OnResult = Callable[[int, PageResult], Awaitable[None]]


class Pipeline:
    """Runs documents through one engine; any number of `run` calls may be in progress.

    It alone counts the pages in flight: at most `engine.info.max_concurrency`. Pages are rendered
    ahead of the engine, several of a document at the same time, and recognized in their order.
    However many or long the documents are, the page images in memory are at most twice as many as
    those in flight (see `MIN_PAGES_AHEAD`) and have at most `max_image_bytes`.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        retry: bool = True,
        metrics: Metrics | None = None,
        max_image_bytes: int | None = None,
    ) -> None:
        """Without `retry` every page is recognized once, whatever the result. Images may take the
        bytes that a process gets at a time, unless `max_image_bytes` says otherwise."""
        self._engine, self._retry = engine, retry
        self._metrics = metrics or NoMetrics()
        self._images = ImageMemory(self._max_images, max_image_bytes or max_inflight_bytes())
        self._engine_slots = FairQueue(lambda: engine.info.max_concurrency)

    async def run(
        self,
        source: PageSource,
        options: OcrOptions,
        *,
        pages: Sequence[int] | None = None,
        dpi: float | None = None,
        on_event: OnEvent | None = None,
    ) -> Document:
        """Recognizes `pages` (indices from 0, default all), in that order in the document.
        Cancelling stops it at once.

        A page that fails is a `PageResult` with `error` set. Raises `BadRequest`, `UnsupportedTask`
        or `UnsupportedMode` when the options or pages fit no page at all. What `on_event` raises at
        `PageDone` ends the run and is raised here.
        """
        results: dict[int, PageResult] = {}

        async def keep(position: int, page: PageResult) -> None:
            results[position] = page

        wanted = range(source.num_pages) if pages is None else pages
        await self._run(source, options, wanted, keep, dpi=dpi, on_event=on_event)
        info = self._engine.info
        ordered = tuple(results[position] for position in range(len(wanted)))
        return Document(source.name, info.name, info.model, options, ordered)

    async def run_in_background(
        self,
        source: PageSource,
        options: OcrOptions,
        on_page: OnPage,
        *,
        pages: Sequence[int],
        owner: str,
        dpi: float | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        """Recognizes `pages` after all `run` calls, in turns with other owners; keeps no result.

        At most as many pages as may be in memory are rendered before `on_page` has returned, so
        that slow storage slows down rendering. Ends and raises as `run` does.
        """

        async def pass_on(position: int, page: PageResult) -> None:
            await on_page(page)

        await self._run(source, options, pages, pass_on, dpi=dpi, on_event=on_event, owner=owner)

    async def _run(
        self,
        source: PageSource,
        options: OcrOptions,
        wanted: Sequence[int],
        on_result: _OnResult,
        *,
        dpi: float | None,
        on_event: OnEvent | None = None,
        owner: str | None = None,
    ) -> None:
        info = self._engine.info
        check_options(options, info)
        _check_pages(wanted, source.num_pages)
        run = _Run(
            source=source,
            options=options,
            dpi=dpi,
            on_event=on_event,
            owner=owner,
            pages=iter(enumerate(wanted)),
            waiting=asyncio.Semaphore(1 if owner is None else max(1, len(wanted))),
            order=PageOrder(),
            on_result=on_result,
            num_pages=len(wanted),
        )
        await run_workers(
            lambda: self._process_next(run),
            # one slot is left for the first page of the next document
            lambda: min(len(wanted), self._max_images() - 1),
        )

    async def _process_next(self, run: _Run) -> bool:
        """Takes one page from rendering to its result; False when none is left. The image is freed
        on return."""
        async with AsyncExitStack() as slots:
            upcoming = await self._next_page(run, slots)
            if upcoming is None:
                return False
            position, index = upcoming
            with _page_span(run, index):
                timer = PageTimer(self._metrics, self._engine.info, run.options)
                async with slots.pop_all() as held:  # until the page is stored
                    result = await self._page_result(run, position, index, timer, held)
                with timer.stage("store"):
                    await run.on_result(position, result)
                timer.finish(result)
                run.emit(PageDone(result))
        return True

    async def _next_page(self, run: _Run, slots: AsyncExitStack) -> tuple[int, int] | None:
        """The position and index of the next page, as soon as its image may be held."""
        async with run.waiting:
            upcoming = next(run.pages, None)
            if upcoming is not None:
                first = upcoming[0] == 0
                await slots.enter_async_context(
                    self._images.slot(is_first=first, background=run.owner)
                )
            return upcoming

    async def _page_result(
        self, run: _Run, position: int, index: int, timer: PageTimer, slots: AsyncExitStack
    ) -> PageResult:
        """The page's result, or the failure in its place. What the page occupies meanwhile is added
        to `slots`."""
        slots.enter_context(_counted_if_cancelled(timer))
        with timer.stage("render"):
            rendered = await _render(run, index)
        num_bytes = rendered.num_bytes if isinstance(rendered, PageImage) else 0
        slots.enter_context(self._images.hold(num_bytes))
        with timer.queue():
            async with run.order.turn(position):
                if isinstance(rendered, PageImage):
                    await slots.enter_async_context(
                        self._engine_slots.slot(is_first=position == 0, background=run.owner)
                    )
        if isinstance(rendered, PageImage):
            return await self._recognize_page(rendered, run, timer)
        run.emit(PageStarted(index))
        return rendered

    async def _recognize_page(self, page: PageImage, run: _Run, timer: PageTimer) -> PageResult:
        """The page's result, or the failure in its place."""
        rotation = run.options.rotation
        run.emit(PageStarted(page.index, page.width, page.height, page.dpi, rotation))
        started = time.monotonic()
        try:
            mode = await self._mode_of(page, run.options)
            options = dataclasses.replace(run.options, mode=mode)
            with timer.engine() as span:
                result = await self._recognize_with_retries(page, options, run, timer)
                span.set(
                    gen_ai__response__finish_reasons=result.finish_reason,
                    gen_ai__usage__input_tokens=result.usage.prompt_tokens,
                    gen_ai__usage__output_tokens=result.usage.completion_tokens,
                )
        except Exception as error:
            return _failed(error, page.index, started, size=(page.width, page.height))
        return dataclasses.replace(result, mode=mode)

    async def _mode_of(self, page: PageImage, options: OcrOptions) -> Mode:
        if options.mode != "auto":
            return options.mode
        return await asyncio.to_thread(choose_mode, page, self._engine.info.modes)

    async def _recognize_with_retries(
        self, page: PageImage, options: OcrOptions, run: _Run, timer: PageTimer
    ) -> PageResult:
        engine = self._engine
        emitter = PageEventEmitter(page.index, run.emit)
        on_text = None if run.on_event is None else emitter.add_text

        async def recognize_again(
            page: PageImage, options: OcrOptions, *, step: str, stream: bool
        ) -> PageResult:
            emitter.reset(f"the page is recognized again: {step}")
            return await engine.recognize(page, options, on_text=on_text if stream else None)

        timed = timer.on_text(on_text)
        result = _flagged(await engine.recognize(page, options, on_text=timed))
        if self._retry and is_incomplete(result, options):
            again = await retry_page(result, page, options, engine.info, recognize_again)
            result = _flagged(again)
        result = _with_flags(result, page.flags)
        emitter.finish(result)
        return result

    def _max_images(self) -> int:
        in_flight = self._engine.info.max_concurrency
        return in_flight + max(MIN_PAGES_AHEAD, in_flight)


@dataclass(frozen=True, slots=True)
class _Run:
    """One document in progress."""

    source: PageSource
    options: OcrOptions
    dpi: float | None
    """Of PDF pages; None: as the source chooses."""
    on_event: OnEvent | None
    pages: Iterator[tuple[int, int]]
    """Position in the result and page index of the pages that are not started."""
    waiting: asyncio.Semaphore
    """Held while a page waits for an image slot: one page a document. In the background, where
    owners are served in turns, all workers may: an owner of a single document would otherwise miss
    most slots that become free at once."""
    order: PageOrder
    """In which rendered pages take their engine slots: one page a document waits for one."""
    on_result: _OnResult
    """Takes each result, by its position, as soon as it is done."""
    owner: str | None
    """Of a background run; None in the foreground."""
    num_pages: int

    def emit(self, event: PageEvent) -> None:
        if self.on_event is not None:
            self.on_event(event)


@contextmanager
def _counted_if_cancelled(timer: PageTimer) -> Iterator[None]:
    try:
        yield
    except asyncio.CancelledError:
        timer.cancel()
        raise


def check_options(options: OcrOptions, info: EngineInfo) -> None:
    """Raises `UnsupportedTask` or `UnsupportedMode` for what the engine supports on no page."""
    if options.task not in info.tasks:
        requested = "free prompts" if options.task == "custom" else f"the task {options.task}"
        can = ", ".join(info.tasks)
        raise UnsupportedTask(f"The {info.name} engine cannot do {requested}. It can do: {can}.")
    if options.mode != "auto" and options.mode not in info.modes:
        can = ", ".join(info.modes)
        raise UnsupportedMode(f"There is no mode {options.mode!r} here; there is: {can}.")


def _check_pages(pages: Sequence[int] | None, num_pages: int) -> None:
    for index in pages or ():
        if not 0 <= index < num_pages:
            raise BadRequest(f"There is no page {index + 1}; there are {num_pages}.")


def _page_span(run: _Run, index: int) -> AbstractContextManager[object]:
    """Of a page of a job; the pages of a request are in the span of the request."""
    if run.owner is None:
        return nullcontext()
    linked = run.num_pages > MAX_NESTED_PAGES
    return tracing.span("ocr.page", linked=linked, dsocr__page=index)


async def _render(run: _Run, index: int) -> PageImage | PageResult:
    started = time.monotonic()
    try:
        page = await run.source.render_page(index, dpi=run.dpi)
        if run.options.rotation:
            page = await asyncio.to_thread(turned, page, run.options.rotation)
        return page
    except Exception as error:
        return _failed(error, index, started, size=(0, 0))


def _flagged(result: PageResult) -> PageResult:
    """With its finish reason among its flags, unless that is `stop`."""
    reason = result.finish_reason
    return result if reason == "stop" else _with_flags(result, (reason,))


def _with_flags(result: PageResult, flags: Sequence[str]) -> PageResult:
    """With these flags before its own."""
    both = tuple(dict.fromkeys((*flags, *result.flags)))
    return result if both == result.flags else dataclasses.replace(result, flags=both)


def _failed(error: Exception, index: int, started: float, *, size: tuple[int, int]) -> PageResult:
    usage = Usage(seconds=time.monotonic() - started)
    failure = _failure(error, index)
    return PageResult(index, *size, finish_reason="error", usage=usage, error=failure)


def _failure(error: Exception, index: int) -> PageFailure:
    """The error for people. A bug's details go to the log only."""
    if isinstance(error, DsocrError):
        return PageFailure(error.code, error.message, error.retryable)
    log.error("page %d failed by a bug", index, exc_info=error)
    return PageFailure(DsocrError.code, "Something went wrong inside; the log has the details.")
