"""An engine that is closed after a time without pages, and started again by the next page."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from dsocr.engines.base import Engine, EngineInfo, OnText
from dsocr.engines.stats import EngineStats
from dsocr.errors import EngineUnavailable
from dsocr.process.progress import StartProgress
from dsocr.types import OcrOptions, PageImage, PageResult

logger = logging.getLogger(__name__)


class OnDemandEngine:
    """Frees what the engine holds, such as the memory of a GPU, while it has no pages.

    A page that comes meanwhile waits for the start; if that fails, the page gets its error, and the
    next page tries again.
    """

    def __init__(self, create: Callable[[], Engine], idle_seconds: float) -> None:
        """`create` makes the engine, once for each start."""
        self._create, self._idle_seconds = create, idle_seconds
        self._engine = create()
        self._info = self._engine.info
        self._is_running = False
        self._num_pages = 0
        self._lock = asyncio.Lock()
        """Held while the engine is started or closed."""
        self._timer: asyncio.TimerHandle | None = None
        """Runs while there are no pages."""
        self._closing: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def info(self) -> EngineInfo:
        """While the engine is closed: what it was when it ran."""
        return self._engine.info if self._is_running else self._info

    @property
    def is_running(self) -> bool:
        """False while it is closed until the next page."""
        return self._is_running

    @property
    def unhealthy_reason(self) -> str:
        return self._engine.unhealthy_reason if self._is_running else ""

    @property
    def start_progress(self) -> StartProgress | None:
        return self._engine.start_progress

    def stats(self) -> EngineStats:
        return self._engine.stats()

    async def start(self) -> None:
        await self._ensure_running()
        self._start_timer()

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        """Starts the engine if it is closed. Raises what its `start` and `recognize` raise."""
        self._num_pages += 1
        self._stop_timer()
        try:
            await self._ensure_running()
            return await self._engine.recognize(page, options, on_text=on_text)
        finally:
            self._num_pages -= 1
            self._start_timer()

    async def close(self) -> None:
        self._closed = True
        self._stop_timer()
        async with self._lock:
            await self._engine.close()

    async def _ensure_running(self) -> None:
        async with self._lock:
            if self._closed:
                raise EngineUnavailable("The engine was shut down.")
            if not self._is_running:
                await self._engine.start()
                self._is_running = True

    def _start_timer(self) -> None:
        self._stop_timer()
        if self._is_running and not self._num_pages and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._idle_seconds, self._on_timer)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._closing = asyncio.create_task(self._unload())

    async def _unload(self) -> None:
        async with self._lock:
            if self._num_pages or self._closed or not self._is_running:
                return
            self._info, self._is_running = self._engine.info, False
            await self._engine.close()
            self._engine = await asyncio.to_thread(self._create)
        logger.info("%s is unloaded until its next page", self._info.model)
