"""What runs in a replica: one engine, whose pages come and go as messages of Ray.

Errors are sent as codes and texts. An exception that Ray passes on has addresses and paths in it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsocr import tracing
from dsocr.engines.base import Engine, EngineInfo, OnText
from dsocr.errors import DsocrError, EngineCrashed
from dsocr.types import OcrOptions, PageImage, PageResult, RawPixels

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a page failed, as a code and a message for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class SentPage:
    """A page image whose pixels are apart."""

    page: PageImage
    rgb: np.ndarray[Any, np.dtype[np.uint8]]

    def image(self) -> PageImage:
        pixels = RawPixels(self.page.width, self.page.height, self.rgb.data)
        return dataclasses.replace(self.page, pixels=pixels)


Trace = Mapping[str, str]
"""Headers that name the caller's span (`tracing.outgoing_headers`)."""
Message = str | PageResult | Failure
"""New text of the page, or how it ended."""


class PageReplica:
    """A Serve deployment. Cancelling a request cancels its page."""

    def __init__(self, target: str, config: Any, traces_url: str = "") -> None:
        """`target`: `module:function` that creates the engine. Spans go to `traces_url`."""
        if traces_url:
            _start_tracing(traces_url)
        module, _, name = target.partition(":")
        self._engine: Engine = getattr(importlib.import_module(module), name)(config)
        self._started = asyncio.Lock()
        self._is_started = False

    async def info(self) -> EngineInfo | Failure:
        """Starts the engine if it is not started."""
        try:
            await self._start()
        except DsocrError as error:
            return Failure(error.code, error.message)
        return self._engine.info

    async def recognize(
        self, page: SentPage, options: OcrOptions, trace: Trace
    ) -> PageResult | Failure:
        return await self._recognize(page, options, trace)

    async def stream(
        self, page: SentPage, options: OcrOptions, trace: Trace
    ) -> AsyncIterator[Message]:
        """Its text as it comes, and then the result or the failure."""
        messages: asyncio.Queue[Message] = asyncio.Queue()
        task = asyncio.create_task(self._recognize_into(messages, page, options, trace))
        try:
            while True:
                message = await messages.get()
                while isinstance(message, str) and not messages.empty():
                    following = messages.get_nowait()
                    if not isinstance(following, str):
                        yield message
                        message = following
                        break
                    message += following
                yield message
                if not isinstance(message, str):
                    return
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _start(self) -> None:
        async with self._started:
            if not self._is_started:
                await self._engine.start()
                self._is_started = True

    async def _recognize_into(
        self, messages: asyncio.Queue[Message], page: SentPage, options: OcrOptions, trace: Trace
    ) -> None:
        put = messages.put_nowait
        put(await self._recognize(page, options, trace, put))

    async def _recognize(
        self, page: SentPage, options: OcrOptions, trace: Trace, on_text: OnText | None = None
    ) -> PageResult | Failure:
        with tracing.span("ocr.replica", kind="server", parent=trace):
            try:
                await self._start()
                return await self._engine.recognize(page.image(), options, on_text=on_text)
            except Exception as error:
                return _failure(error)


def _start_tracing(url: str) -> None:
    try:
        tracing.start(url)
    except tracing.TracingOff as error:
        logger.warning("this replica sends no spans: %s", error.message)


def portable(page: PageImage) -> SentPage:
    """The page for another process. An array is sent without a copy, and read there in place."""
    data = page.rgb()
    if not isinstance(data, bytes | bytearray | memoryview):
        data = data.view()
    empty = RawPixels(page.width, page.height, bytearray())
    return SentPage(dataclasses.replace(page, pixels=empty), np.frombuffer(data, np.uint8))


def _failure(error: Exception) -> Failure:
    if isinstance(error, DsocrError):
        return Failure(error.code, error.message)
    logger.error("a page failed by a bug", exc_info=error)
    return Failure(EngineCrashed.code, EngineCrashed().message)
