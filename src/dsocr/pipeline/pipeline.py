"""A source in, a document out: pages in flight, order kept, failures kept in their places.

Knows nothing of file formats, HTTP or jobs; what an engine does with a page is the engine's affair.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol

from dsocr.engines.base import Engine, EngineInfo
from dsocr.engines.deepseek.grounding import BlockStream
from dsocr.errors import BadRequest, DsocrError, UnsupportedMode, UnsupportedTask
from dsocr.pipeline.events import (
    BlockClosed,
    OnEvent,
    PageDone,
    PageEvent,
    PageReset,
    PageStarted,
    TextDelta,
)
from dsocr.pipeline.fair_queue import FairQueue
from dsocr.pipeline.retry import is_cut, retry_page
from dsocr.types import (
    Block,
    Document,
    OcrOptions,
    PageFailure,
    PageImage,
    PageResult,
    Usage,
)

log = logging.getLogger(__name__)


class Source(Protocol):
    """What the user gave: something with pages that can be had one at a time, in any order."""

    @property
    def name(self) -> str: ...

    @property
    def num_pages(self) -> int: ...

    async def page(self, index: int, *, dpi: float) -> PageImage:
        """Page `index` from 0. Raises `DsocrError` when it cannot be had."""


OnPage = Callable[[PageResult], Awaitable[None]]
_Keep = Callable[[int, PageResult], Awaitable[None]]


class Pipeline:
    """Reads documents with one engine; as many `read` calls at once as you like.

    Each document renders one page ahead of the engine. Page images are few however long or many the
    documents are: those being read and three more.
    """

    def __init__(self, engine: Engine, *, retry: bool = True) -> None:
        """Without `retry` every page is read once, whatever comes of it."""
        self._engine, self._retry = engine, retry
        self._images = FairQueue(lambda: engine.info.max_concurrency + 3, kept_free=1)
        self._desk = FairQueue(lambda: engine.info.max_concurrency)

    async def read(
        self,
        source: Source,
        options: OcrOptions,
        *,
        pages: Sequence[int] | None = None,
        dpi: float | None = None,
        on_event: OnEvent | None = None,
    ) -> Document:
        """Reads `pages` (indices from 0, default all) in that order. Cancelling stops it at once.

        A page that fails is a `PageResult` with `error` set. Raises `BadRequest`, `UnsupportedTask`
        or `UnsupportedMode` when no page could be read that way. What `on_event` raises at
        `PageDone` ends the whole reading and comes out here.
        """
        results: dict[int, PageResult] = {}

        async def keep(place: int, page: PageResult) -> None:
            results[place] = page

        wanted = range(source.num_pages) if pages is None else pages
        await self._read(source, options, wanted, keep, dpi=dpi, on_event=on_event)
        info = self._engine.info
        ordered = tuple(results[place] for place in range(len(wanted)))
        return Document(source.name, info.name, info.model, options, ordered)

    async def read_behind(
        self,
        source: Source,
        options: OcrOptions,
        on_page: OnPage,
        *,
        pages: Sequence[int],
        owner: str,
        dpi: float | None = None,
    ) -> None:
        """Reads `pages` behind all `read` calls, in turns with other owners; keeps none of them.

        Each page's place is taken until `on_page` has returned, so that whoever stores slowly is
        read slowly. Ends and raises as `read` does.
        """

        async def hand_on(place: int, page: PageResult) -> None:
            await on_page(page)

        await self._read(source, options, pages, hand_on, dpi=dpi, owner=owner)

    async def _read(
        self,
        source: Source,
        options: OcrOptions,
        wanted: Sequence[int],
        keep: _Keep,
        *,
        dpi: float | None,
        on_event: OnEvent | None = None,
        owner: str | None = None,
    ) -> None:
        info = self._engine.info
        check_options(options, info)
        _check_pages(wanted, source.num_pages)
        workers = min(len(wanted), info.max_concurrency + 1)
        reading = _Reading(
            source=source,
            options=options,
            dpi=info.dpi if dpi is None else dpi,
            on_event=on_event,
            owner=owner,
            places=iter(enumerate(wanted)),
            asking=asyncio.Semaphore(1 if owner is None else workers),
            ahead=asyncio.Lock(),
            keep=keep,
        )
        await all_or_none([self._work(reading) for _ in range(workers)])

    async def _work(self, reading: _Reading) -> None:
        while await self._read_next(reading):
            pass

    async def _read_next(self, reading: _Reading) -> bool:
        """Takes one page all the way; False when none is left. The image dies with this call."""
        async with AsyncExitStack() as held:
            async with reading.asking:
                upcoming = next(reading.places, None)
                if upcoming is None:
                    return False
                place, index = upcoming
                newcomer = place == 0
                await held.enter_async_context(
                    self._images.turn(newcomer=newcomer, background=reading.owner)
                )
            async with reading.ahead:
                rendered = await _render(reading, index)
                if isinstance(rendered, PageImage):
                    await held.enter_async_context(
                        self._desk.turn(newcomer=newcomer, background=reading.owner)
                    )
            if isinstance(rendered, PageImage):
                result = await self._read_page(rendered, reading)
            else:
                reading.tell(PageStarted(index))
                result = rendered
        await reading.keep(place, result)
        reading.tell(PageDone(result))
        return True

    async def _read_page(self, page: PageImage, reading: _Reading) -> PageResult:
        """One page at the engine: the only place that decides how often and how it is asked."""
        reading.tell(PageStarted(page.index, page.width, page.height))
        began = time.monotonic()
        try:
            return await self._ask(page, reading)
        except Exception as error:
            usage = Usage(seconds=time.monotonic() - began)
            return PageResult(
                page.index,
                page.width,
                page.height,
                finish_reason="error",
                usage=usage,
                error=_failure(error, page.index),
            )

    async def _ask(self, page: PageImage, reading: _Reading) -> PageResult:
        engine, options = self._engine, reading.options
        telling = _Telling(page.index, reading.tell)
        hear = None if reading.on_event is None else telling.text

        async def ask_again(
            page: PageImage, options: OcrOptions, *, step: str, aloud: bool
        ) -> PageResult:
            telling.start_over(f"the page is read again: {step}")
            return await engine.recognize(page, options, on_text=hear if aloud else None)

        result = _flagged(await engine.recognize(page, options, on_text=hear))
        if self._retry and is_cut(result, options):
            result = _flagged(await retry_page(result, page, options, engine.info, ask_again))
        telling.finish(result)
        return result


@dataclass(frozen=True, slots=True)
class _Reading:
    """One document on its way through."""

    source: Source
    options: OcrOptions
    dpi: float
    on_event: OnEvent | None
    places: Iterator[tuple[int, int]]
    """Place in the result and page index, of the pages nobody has begun."""
    asking: asyncio.Semaphore
    """One page of a document waits for its turn among others. In the background, where owners take
    turns, all do: an owner of one document would else miss most of the turns that come at once."""
    ahead: asyncio.Lock
    """Whoever holds it has the one page of this document that waits for the engine."""
    keep: _Keep
    """Takes each page by its place as soon as it is done."""
    owner: str | None
    """For whom it is read in the background; None: somebody waits for it."""

    def tell(self, event: PageEvent) -> None:
        if self.on_event is not None:
            self.on_event(event)


class _Telling:
    """Turns an engine's raw text into events, block by block."""

    def __init__(self, index: int, on_event: OnEvent) -> None:
        self._index = index
        self._on_event = on_event
        self._blocks = BlockStream()
        self._told = ""

    def text(self, piece: str) -> None:
        self._told += piece
        self._on_event(TextDelta(self._index, piece))
        self._close(self._blocks.feed(piece))

    def start_over(self, reason: str) -> None:
        """What was told is void; nothing told, nothing void."""
        if self._told:
            self._on_event(PageReset(self._index, reason))
        self._blocks, self._told = BlockStream(), ""

    def finish(self, result: PageResult) -> None:
        if self._told and self._told == result.raw:
            self._close(self._blocks.finish())
            return
        # it was cut, another reading was kept, or a second one after a crash said something else
        self.start_over("what was said of the page is replaced")
        if result.raw:
            self._on_event(TextDelta(self._index, result.raw))
        self._close(result.blocks)

    def _close(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            self._on_event(BlockClosed(self._index, block))


def check_options(options: OcrOptions, info: EngineInfo) -> None:
    """Raises `UnsupportedTask` or `UnsupportedMode` for what that engine can do with no page."""
    if options.task not in info.tasks:
        asked = "free prompts" if options.task == "custom" else f"the task {options.task}"
        can = ", ".join(info.tasks)
        raise UnsupportedTask(f"The {info.name} engine cannot do {asked}. It can do: {can}.")
    if options.mode not in info.modes:
        can = ", ".join(info.modes)
        raise UnsupportedMode(f"There is no mode {options.mode!r} here; there is: {can}.")


def _check_pages(pages: Sequence[int] | None, num_pages: int) -> None:
    for index in pages or ():
        if not 0 <= index < num_pages:
            raise BadRequest(f"There is no page {index + 1}; there are {num_pages}.")


async def _render(reading: _Reading, index: int) -> PageImage | PageResult:
    began = time.monotonic()
    try:
        return await reading.source.page(index, dpi=reading.dpi)
    except Exception as error:
        usage = Usage(seconds=time.monotonic() - began)
        failure = _failure(error, index)
        return PageResult(index, 0, 0, finish_reason="error", usage=usage, error=failure)


def _flagged(result: PageResult) -> PageResult:
    """A page that was cut says so among its flags too, whatever the engine."""
    reason = result.finish_reason
    if reason == "stop" or reason in result.flags:
        return result
    return dataclasses.replace(result, flags=(reason, *result.flags))


def _failure(error: Exception, index: int) -> PageFailure:
    """What a person is told of it. A bug is told as such, and its traceback goes to the log."""
    if isinstance(error, DsocrError):
        return PageFailure(error.code, error.message, error.retryable)
    log.error("page %d failed by a bug", index, exc_info=error)
    return PageFailure(DsocrError.code, "Something went wrong inside; the log has the details.")


async def all_or_none(coroutines: Sequence[Coroutine[object, object, None]]) -> None:
    """Runs them side by side. The first exception, or our own end, ends all and is waited for."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for unfinished in tasks:
            unfinished.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
