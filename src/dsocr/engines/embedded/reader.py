"""The one process that reads, kept alive: pages go in one by one, a dead process is replaced.

Knows nothing of what a page or its answer means; `worker.py` is the other side.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from dsocr.child import Buffer, Child, ChildDied, ChildTimeout, Header
from dsocr.errors import EngineCrashed, EngineUnavailable, PageTimeout

log = logging.getLogger(__name__)

_START_SECONDS = 60.0
_CANCEL_SECONDS = 5.0
_MANY_DEATHS = 5
_DEATHS_WITHIN_SECONDS = 60.0
_PROBE_SECONDS = 10.0


@dataclass(slots=True)
class _Page:
    number: int
    question: Mapping[str, Any]
    pixels: Buffer
    child: Child | None = None
    """The process that reads it now."""
    abandoned: threading.Event = field(default_factory=threading.Event)


class Reader:
    """First come, first read. A page whose process dies is tried once more, then given up."""

    def __init__(
        self,
        target: str,
        arguments: Mapping[str, Any],
        *,
        page_timeout_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target = target
        self._arguments = arguments
        self._page_timeout = page_timeout_seconds
        self._clock = clock
        self._child: Child | None = None
        self._deaths: deque[float] = deque(maxlen=_MANY_DEATHS)
        self._probed = float("-inf")
        self._numbers = itertools.count(1)
        self._turn = asyncio.Lock()
        self._writing = threading.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reader")
        self._closed = False

    @property
    def alive(self) -> bool:
        """Whether a process stands ready or reads."""
        return self._child is not None and self._child.alive

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None else None

    async def start(self) -> None:
        """Returns when a page can be read. Raises `EngineUnavailable`."""
        async with self._turn:
            await self._living_child()

    async def read(self, question: Mapping[str, Any], pixels: Buffer) -> Header:
        """The process's answer. A cancelled call returns at once; its page is dropped.

        Raises `EngineUnavailable`, `EngineCrashed`, `PageTimeout`.
        """
        page = _Page(next(self._numbers), question, pixels)
        reading = asyncio.ensure_future(self._in_turn(page))
        try:
            return await asyncio.shield(reading)
        except asyncio.CancelledError:
            page.abandoned.set()
            reading.add_done_callback(lambda done: done.cancelled() or done.exception())
            if page.child is None:
                reading.cancel()
            else:
                threading.Thread(target=self._abandon, args=(page,), daemon=True).start()
            raise

    async def close(self) -> None:
        self._closed = True
        if self._child is not None:
            self._child.kill()
        self._thread.shutdown(wait=False)

    async def _in_turn(self, page: _Page) -> Header:
        async with self._turn:
            deaths = 0
            while True:
                page.child = child = await self._living_child()
                work = asyncio.get_running_loop().run_in_executor(
                    self._thread, self._ask, child, page
                )
                try:
                    return await work
                except ChildTimeout as error:
                    self._mourn(f"no answer within {self._page_timeout:g} s")
                    raise PageTimeout from error
                except ChildDied as error:
                    self._mourn(error.reason)
                    deaths += 1
                    if page.abandoned.is_set() or deaths > 1:
                        raise EngineCrashed from error

    def _ask(self, child: Child, page: _Page) -> Header:
        deadline = time.monotonic() + self._page_timeout
        question = {**page.question, "page": page.number}
        try:
            with self._writing:
                child.channel.send(question, page.pixels, deadline)
            return child.channel.receive(deadline)[0]
        except TimeoutError as error:
            child.kill()
            raise ChildTimeout from error
        except (EOFError, OSError, ValueError) as error:
            child.kill()
            raise ChildDied(child.how_it_ended()) from error

    def _abandon(self, page: _Page) -> None:
        """Asks the process to drop the page at its next step, which keeps its models loaded."""
        if page.child is None:
            return
        with self._writing, contextlib.suppress(OSError):
            deadline = time.monotonic() + _CANCEL_SECONDS
            page.child.channel.send({"cancel": page.number}, b"", deadline)

    async def _living_child(self) -> Child:
        if self._closed:
            raise EngineUnavailable("The engine is closed.")
        if self._child is not None and self._child.alive:
            return self._child
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._refuse_while_it_keeps_dying()
        try:
            self._child = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._spawn
            )
        except ChildDied as error:
            self._mourn(error.reason)
            raise EngineUnavailable(f"The embedded engine did not start: {error.reason}") from error
        return self._child

    def _spawn(self) -> Child:
        child = Child(self._target, self._arguments)
        try:
            hello, _ = child.channel.receive(time.monotonic() + _START_SECONDS)
        except (EOFError, OSError, ValueError) as error:
            child.kill()
            raise ChildDied(child.how_it_ended()) from error
        if problem := hello.get("problem"):
            child.kill()
            raise ChildDied(problem)
        return child

    def _refuse_while_it_keeps_dying(self) -> None:
        """The breaker: after many deaths in a minute, one try every few seconds."""
        now = self._clock()
        recent = [death for death in self._deaths if now - death < _DEATHS_WITHIN_SECONDS]
        if len(recent) < _MANY_DEATHS:
            return
        if now - self._probed < _PROBE_SECONDS:
            raise EngineUnavailable("The embedded engine keeps dying; it is tried again shortly.")
        self._probed = now

    def _mourn(self, reason: str) -> None:
        self._deaths.append(self._clock())
        log.warning("the reading process ended: %s", reason)
