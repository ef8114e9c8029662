"""What runs in a replica: one engine, whose pages come and go as messages of Ray.

Errors are sent as codes and texts. An exception that Ray passes on has addresses and paths in it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dsocr.engines.base import Engine, EngineInfo
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


Message = str | PageResult | Failure
"""New text of the page, or how it ended."""


class PageReplica:
    """A Serve deployment. Cancelling a request cancels its page."""

    def __init__(self, target: str, config: Any) -> None:
        """`target`: `module:function` that creates the engine."""
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

    async def recognize(self, page: SentPage, options: OcrOptions) -> PageResult | Failure:
        try:
            await self._start()
            return await self._engine.recognize(page.image(), options)
        except Exception as error:
            return _failure(error)

    async def stream(self, page: SentPage, options: OcrOptions) -> AsyncIterator[Message]:
        """Its text as it comes, and then the result or the failure."""
        messages: asyncio.Queue[Message] = asyncio.Queue()
        task = asyncio.create_task(self._recognize_into(messages, page, options))
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
        self, messages: asyncio.Queue[Message], page: SentPage, options: OcrOptions
    ) -> None:
        try:
            await self._start()
            put, image = messages.put_nowait, page.image()
            put(await self._engine.recognize(image, options, on_text=put))
        except Exception as error:
            messages.put_nowait(_failure(error))


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
