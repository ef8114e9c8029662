"""Keeps one reading process alive and many pages in flight to it. Knows nothing of what it reads.

A process that dies, or makes no progress while it owes an answer, is replaced; what it had is sent
again. A page that kills is given up (`flight.py`), and nothing is tried while processes only die
(`breaker.py`). It heals by itself: also when nobody asks.

The process speaks in frames. Out: `ready` or `unusable` (`code`, `message`), then of pages by `id`
`started`, `text`, `done`, `failed`, one by one or as a list of `events`, and `beat` while it gets
on. In: `read` with the pixels, and `cancel`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from dsocr.errors import DsocrError, EngineUnavailable, PageTimeout
from dsocr.process.breaker import Breaker
from dsocr.process.child import Buffer, Child, ChildDied, Header
from dsocr.process.inflight import InflightPages, Page, problem
from dsocr.process.limiter import InflightLimiter
from dsocr.process.machine import memory_bytes

logger = logging.getLogger(__name__)

PAGES_AHEAD = 2
"""Pages a process holds that does not say how many are worth it: one it reads and the next."""
MIN_INFLIGHT_BYTES = 1 << 30
INFLIGHT_SHARE = 8
"""What the payloads in flight may take: so many bytes, or one part in so many of the memory. They
wait in the process until it reads them. 300 pages, as many as a large GPU is worth, are 2 GB and
more."""
WRITERS = 2
"""Threads: one makes the next page's payload while the other sends."""
HEAL_SECONDS = 1.0
"""Between two tries to replace a process."""


def inflight_bytes() -> int:
    return max(MIN_INFLIGHT_BYTES, (memory_bytes() or 0) // INFLIGHT_SHARE)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long things may take, in seconds."""

    stall: float
    """Without any word from a process that owes an answer. Slow is not stalled."""
    start: float
    """Until a process is ready."""
    page: float | None = None
    """For one page, from when its reading began."""


@dataclass(slots=True, eq=False)
class _Process:
    child: Child
    ready: asyncio.Future[Header]
    heard_at: float
    """By the supervisor's clock."""
    verdict: str = ""
    """Why we ended it, if we did."""


class Supervisor:
    """Many `read` calls may be in flight; they are served in the order they came."""

    def __init__(
        self,
        target: str,
        arguments: Mapping[str, Any],
        *,
        timeouts: Timeouts,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._target, self._arguments = target, dict(arguments)
        self._patience = timeouts
        self._places = InflightLimiter(PAGES_AHEAD, max_bytes=inflight_bytes())
        self._clock = clock
        self._flight = InflightPages(clock)
        self._breaker = Breaker(clock)
        self._next_id = 0
        self._process: _Process | None = None
        self._starting: asyncio.Task[Header] | None = None
        self._healing: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._writers = ThreadPoolExecutor(WRITERS, thread_name_prefix="pixels")
        self._last_sent = threading.Event()
        self._last_sent.set()
        self._closed = False
        self.unhealthy_reason = ""
        """Why nothing can be read just now, for people; empty when it can."""
        self.load: Mapping[str, float] = {}
        """What the process's last heartbeat said of its load."""
        self.restarts: Counter[str] = Counter()
        """Processes that were lost since the start: of a `crash` or a `stall`."""

    @property
    def pid(self) -> int | None:
        """The process, or None between two."""
        return self._process.child.pid if self._process else None

    @property
    def num_retries(self) -> int:
        """Pages that were sent again because a process was lost."""
        return self._flight.num_retries

    @property
    def num_running(self) -> int:
        """Pages that the process has begun."""
        return sum(page.started_at is not None for page in self._flight.pages.values())

    @property
    def num_waiting(self) -> int:
        """Pages that the process has not begun, sent or not."""
        return len(self._flight.pages) - self.num_running

    async def start(self) -> Header:
        """The `ready` frame, once there is a process that can read. Raises what kept it from
        that."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_progress())
        return await self._running()

    async def read(
        self,
        question: Mapping[str, Any],
        payload: Callable[[], Buffer],
        *,
        num_bytes: int,
        on_text: Callable[[str], None] | None = None,
    ) -> Header:
        """The `done` frame, with all that was said of the page as `raw`.

        `payload` makes that many bytes, in another thread, when they are sent: once for every
        process that is given the page, so that nobody keeps them. What it raises is raised here.
        `on_text` heard other words when a second process did not repeat the first one's, as happens
        where sums are rounded differently. Cancelling takes the page from the process.
        """
        async with self._places.place(num_bytes):
            self._next_id += 1
            number = self._next_id
            answer: asyncio.Future[Header] = asyncio.get_running_loop().create_future()
            page = Page({**question, "kind": "read", "id": number}, payload, answer, on_text)
            await self.start()
            self._note_progress()
            self._flight.pages[number] = page
            try:
                self._send_waiting()
                return await answer
            except BaseException:
                if page.sent:
                    self._send({"kind": "cancel", "id": number})
                raise
            finally:
                del self._flight.pages[number]
                self._send_waiting()  # a suspect may have made room for the next

    async def close(self) -> None:
        """Ends the process; pages in flight are told that the engine is down."""
        self._closed = True
        self._flight.give_up(EngineUnavailable("The engine was shut down."))
        for task in (self._watch, self._healing, self._starting):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, DsocrError):
                    await task
        if self._process is not None:
            await asyncio.to_thread(self._process.child.kill)
            self._process = None
        self._writers.shutdown(wait=False)

    async def _running(self) -> Header:
        """Waits for a process that is ready, starting one if there is none."""
        if self._closed:
            raise EngineUnavailable("The engine was shut down.")
        if self._process is not None and self._process.ready.done():
            return self._process.ready.result()
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start_process())
        # shielded: who stops waiting must not stop the start for the others
        starting = self._starting
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            if starting.cancelled():  # by `close`: nobody cancelled who waits
                raise EngineUnavailable("The engine was shut down.") from None
            raise

    async def _start_process(self) -> Header:
        if self._breaker.wait_seconds > 0:
            raise EngineUnavailable("The engine keeps crashing; it is tried again in a moment.")
        loop = asyncio.get_running_loop()
        try:
            child = await asyncio.to_thread(Child, self._target, self._arguments)
        except ChildDied as error:
            raise EngineUnavailable("The engine's process cannot be started.") from error
        process = self._process = _Process(child, loop.create_future(), self._clock())
        threading.Thread(target=self._listen, args=(process, loop), daemon=True).start()
        try:
            ready = await asyncio.wait_for(asyncio.shield(process.ready), self._patience.start)
        except asyncio.TimeoutError as error:
            process.verdict = f"not ready within {self._patience.start:g} s"
            await self._drop(process)
            raise EngineUnavailable("The engine takes too long to start.") from error
        except asyncio.CancelledError:
            await self._drop(process)
            raise
        self.unhealthy_reason = ""
        self._send_waiting()
        return ready

    async def _drop(self, process: _Process) -> None:
        process.ready.cancel()
        self._process = None
        await asyncio.to_thread(process.child.kill)

    def _listen(self, process: _Process, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own: frames, and then the end, go to the loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            try:
                while True:
                    header, _ = process.child.channel.receive()
                    loop.call_soon_threadsafe(self._on_message, process, header)
            except (EOFError, OSError, ValueError):
                reason = process.verdict or _exit_reason(process.child)
                process.child.kill()
                loop.call_soon_threadsafe(self._on_exit, process, reason)

    def _on_message(self, process: _Process, header: Header) -> None:
        process.heard_at = self._clock()
        kind = header["kind"]
        if kind == "loading":
            logger.info("loading %s", header["message"])
        elif kind == "ready" and not process.ready.done():
            self._places.widen(header.get("max_pages", PAGES_AHEAD))
            process.ready.set_result(header)
        elif kind == "heartbeat":
            self.load = {name: value for name, value in header.items() if name != "kind"}
        elif kind == "unusable" and not process.ready.done():
            process.ready.set_exception(problem(header))
            process.ready.exception()  # looked at, even if nobody waits any more
        else:
            events = header["events"] if kind == "events" else [header]
            if any([self._flight.hear(event) for event in events]):
                self._breaker.worked()
            self._send_waiting()

    def _on_exit(self, process: _Process, reason: str) -> None:
        """A process is dead. Its pages go to the next one, or are given up."""
        if self._process is process:
            self._process = None
        if self._closed or process.ready.cancelled():
            return
        if not process.ready.done():
            self._breaker.died()
            process.ready.set_exception(
                EngineUnavailable(f"The engine died while it started ({reason}).")
            )
            process.ready.exception()
            return
        self._breaker.died()
        if process.ready.exception() is not None:
            return
        self.restarts["stall" if process.verdict else "crash"] += 1
        self.unhealthy_reason = "The engine's process ended; it is started again."
        logger.error(
            "the engine's process ended (%s); pages in flight: %d", reason, len(self._flight.pages)
        )
        self._flight.blame()
        if self._healing is None or self._healing.done():
            self._healing = asyncio.create_task(self._heal())

    async def _heal(self) -> None:
        """Tries until there is a process again. Whoever waits is told when a second try failed."""
        tries = 0
        while not self._closed:
            try:
                await self._running()
                return
            except DsocrError as error:
                tries += 1
                logger.error("the engine could not be restarted: %s", error)
                self.unhealthy_reason = error.message
                if tries > 1:
                    down = EngineUnavailable("The engine is down; it is tried again.")
                    self._flight.give_up(down)
                await asyncio.sleep(max(HEAL_SECONDS, self._breaker.wait_seconds))

    def _send_waiting(self) -> None:
        process = self._process
        if process is None or self._closed or not process.ready.done():
            return
        if process.ready.cancelled() or process.ready.exception() is not None:
            return
        loop = asyncio.get_running_loop()
        for page in self._flight.to_send():
            self._send(page.question, partial(_payload_of, page, loop))

    def _send(self, header: Header, payload: Callable[[], Buffer | None] = bytes) -> None:
        """Queued: a page's payload may wait for the process to take it. Frames leave in order. A
        dead process is noticed by its listener."""
        process = self._process
        if process is None or self._closed:
            return
        before, sent = self._last_sent, threading.Event()

        def send() -> None:
            try:
                # for a dead process nothing is made: its successor waits
                data = payload() if self._process is process else None
                before.wait()
                if data is not None:
                    process.child.channel.send(header, data)
            except OSError:
                pass
            finally:
                before.wait()
                sent.set()

        self._writers.submit(send)
        self._last_sent = sent  # only now: whoever waits for it must not wait for ever

    def _note_progress(self) -> None:
        """An idle process was silent by right: its silence counts from the next question."""
        if self._process is not None and not self._flight.pages:
            self._process.heard_at = self._clock()

    async def _watch_progress(self) -> None:
        """Ends a process that owes an answer and says nothing. A slow one says something."""
        while True:
            await asyncio.sleep(min(1.0, self._patience.stall / 4))
            if self._patience.page is not None:
                for page in self._flight.overdue(self._patience.page):
                    page.fail(PageTimeout())
            process = self._process
            if process is None or not self._flight.pages or not process.ready.done():
                continue
            if self._clock() - process.heard_at > self._patience.stall:
                process.verdict = f"no progress for {self._patience.stall:g} s"
                await asyncio.to_thread(process.child.kill)


def _payload_of(page: Page, loop: asyncio.AbstractEventLoop) -> Buffer | None:
    """None where there is nobody to read it for any more, or nothing."""
    if page.answer.done():
        return None
    try:
        return page.payload()
    except Exception as error:
        loop.call_soon_threadsafe(page.fail, error)
        return None


def _exit_reason(child: Child) -> str:
    """How it ended; its pipe closes a moment before it is gone."""
    for _ in range(50):
        if not child.alive:
            break
        time.sleep(0.02)
    return child.how_it_ended()
