"""Keeps one worker process running, with many pages in flight to it.

A process that dies, or makes no progress while pages are in flight, is replaced, and its pages are
sent again, or handed over to other processes. A page that crashes processes is given up
(`inflight.py`); restarts pause while processes only crash (`breaker.py`). Restarts also happen
without a request. Knows nothing of what the process computes.

Frames from the process: `progress` of its start (`progress.py`), `ready` or `unusable` (`code`,
`message`); then, each with the `id` of its page, `started`, `text`, `done` and `failed`, one by one
or as a list of `events`, followed by `texts`, pairs of `id` and text; and `heartbeat` with its load
while it makes progress. Frames to the process: `read` with the pixels, and `cancel`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from dsocr.errors import DsocrError, EngineUnavailable, PageTimeout
from dsocr.process.breaker import CircuitBreaker
from dsocr.process.child import Header, Payload
from dsocr.process.inflight import InflightPages, Page, Suspicion, WorkerLost, error_from_frame
from dsocr.process.limiter import InflightLimiter
from dsocr.process.machine import memory_bytes
from dsocr.process.progress import StartProgress, progress_of
from dsocr.process.sender import FrameSender
from dsocr.process.text_stream import TextStream
from dsocr.process.worker_process import WorkerProcess, start_worker

logger = logging.getLogger(__name__)

MIN_INFLIGHT_BYTES = 1 << 30
INFLIGHT_SHARE = 8
"""Payloads in flight may take `MIN_INFLIGHT_BYTES` or 1/`INFLIGHT_SHARE` of the memory, whichever
is more: they wait in the process until it prepares them. 300 pages, as many as a large GPU uses,
are 2 GB and more."""
LOG_SECONDS = 2.0
"""Between two lines in the log about one stage of a start."""
RESTART_SECONDS = 1.0
"""Between two attempts to replace a process."""


def max_inflight_bytes() -> int:
    return max(MIN_INFLIGHT_BYTES, (memory_bytes() or 0) // INFLIGHT_SHARE)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds."""

    stall: float
    """Without a frame from a process that has pages in flight."""
    start: float
    """Until a process is ready."""
    page: float | None = None
    """For one page, from its `started` frame."""


class Supervisor:
    """Many `request` calls may be in flight; they are sent in the order they came.

    The process queues what it is sent. Only payload bytes are limited here; how many pages are in
    flight is the caller's decision.
    """

    def __init__(
        self,
        target: str,
        arguments: Mapping[str, Any],
        *,
        timeouts: Timeouts,
        clock: Callable[[], float] = time.monotonic,
        on_ready: Callable[[Header], None] | None = None,
        num_peers: int = 0,
    ) -> None:
        """`on_ready` takes the `ready` frame of each process, also of one that replaces another.

        With `num_peers` other processes that take its pages, those of a lost process fail with
        `WorkerLost` and are not sent again; the memory for payloads is divided among them all.
        """
        self._target, self._arguments = target, dict(arguments)
        self._on_ready = on_ready
        self._timeouts = timeouts
        self._has_peers = num_peers > 0
        self._limiter = InflightLimiter(max_inflight_bytes() // (1 + num_peers))
        self._clock = clock
        self._inflight = InflightPages(clock)
        self._breaker = CircuitBreaker(clock)
        self._next_id = self._num_requests = 0
        self._process: WorkerProcess | None = None
        self._start_task: asyncio.Task[Header] | None = None
        self._restart_task: asyncio.Task[None] | None = None
        self._watch_task: asyncio.Task[None] | None = None
        self._sender = FrameSender()
        self._closed = False
        self.unhealthy_reason = ""
        """Why no page can be processed now, for people; empty when pages can be."""
        self.restarts: Counter[str] = Counter()
        """Processes lost since the start, by cause: `crash` or `stall`."""
        self.start_progress: StartProgress | None = None
        """How far the start of a process is; None when none is starting."""
        self._progress_logged_at = 0.0
        self.load: Header = {}
        """Fields of the present process's last `heartbeat`; empty before the first. A process sends
        none while it is idle."""

    @property
    def pid(self) -> int | None:
        """Of the present process; None while there is none."""
        return self._process.child.pid if self._process else None

    @property
    def num_retries(self) -> int:
        """Pages that were sent again because a process was lost."""
        return self._inflight.num_retries

    @property
    def num_running(self) -> int:
        """Pages that the present process has started."""
        return self._inflight.num_started

    @property
    def breaker_open(self) -> bool:
        """Whether the next restart has to wait because processes only crash."""
        return self._breaker.wait_seconds > 0

    @property
    def num_waiting(self) -> int:
        """Pages that wait for their bytes to fit, for a process, or in its queue."""
        return self._num_requests - self.num_running

    async def start(self) -> Header:
        """The `ready` frame of a running process, which is started if there is none. Raises the
        error that kept it from starting."""
        if self._watch_task is None:
            self._watch_task = asyncio.create_task(self._watch_progress())
        return await self._ready_frame()

    async def request(
        self,
        header: Mapping[str, Any],
        payload: Callable[[], Payload],
        *,
        num_bytes: int,
        on_text: Callable[[str], None] | None = None,
        suspicion: Suspicion | None = None,
    ) -> Header:
        """Has one page processed. Returns its `done` frame, with the page's whole text as `raw`.

        `payload` makes `num_bytes` bytes, in another thread, when they are sent: once for every
        process that gets the page, so that they are not kept. What it raises is raised here.
        `on_text` may differ from `raw` when a second process did not repeat the first one's text,
        as happens where sums are rounded differently. Cancelling cancels the page in the process.
        `suspicion` is that of the `WorkerLost` that another supervisor raised for the page.
        """
        self._num_requests += 1
        suspicion, num_lost = suspicion or Suspicion(), self.restarts.total()
        try:
            async with self._limiter.admit(num_bytes):
                if self._has_peers and self.restarts.total() > num_lost:
                    raise WorkerLost(suspicion)
                self._next_id += 1
                page = Page(
                    {**header, "kind": "read", "id": self._next_id},
                    payload,
                    asyncio.get_running_loop().create_future(),
                    TextStream(on_text),
                    suspicion=suspicion,
                )
                await self.start()
                return await self._response(page)
        finally:
            self._num_requests -= 1

    async def _response(self, page: Page) -> Header:
        number = page.request["id"]
        self._reset_stall_clock()
        self._inflight.pages[number] = page
        try:
            self._send_pages()
            return await page.response
        except BaseException:
            if page.sent:
                self._send({"kind": "cancel", "id": number})
            raise
        finally:
            del self._inflight.pages[number]
            self._send_pages()  # pages may have waited for this suspect

    async def close(self) -> None:
        """Ends the process; pages in flight fail with `EngineUnavailable`."""
        self._closed = True
        self._inflight.fail_all(EngineUnavailable("The engine was shut down."))
        for task in (self._watch_task, self._restart_task, self._start_task):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, DsocrError):
                    await task
        if self._process is not None:
            await self._process.kill()
            self._process = None
        self._sender.close()

    async def _ready_frame(self) -> Header:
        """Waits for a process that is ready; starts one if there is none."""
        if self._closed:
            raise EngineUnavailable("The engine was shut down.")
        if self._process is not None and self._process.ready.done():
            return self._process.ready.result()
        if self._start_task is None or self._start_task.done():
            self._start_task = asyncio.create_task(self._start_process())
        # shielded: cancelling one waiter must not cancel the start for the others
        start_task = self._start_task
        try:
            return await asyncio.shield(start_task)
        except asyncio.CancelledError:
            if start_task.cancelled():  # by `close`, not by this coroutine's caller
                raise EngineUnavailable("The engine was shut down.") from None
            raise

    async def _start_process(self) -> Header:
        if self._breaker.wait_seconds > 0:
            raise EngineUnavailable("The engine keeps crashing; it is tried again in a moment.")
        process = self._process = await start_worker(self._target, self._arguments, self._clock)
        process.listen(self._on_message, self._on_exit)
        ready = await self._wait_until_ready(process)
        if self._on_ready is not None:
            self._on_ready(ready)
        self.unhealthy_reason = ""
        self._send_pages()
        return ready

    async def _wait_until_ready(self, process: WorkerProcess) -> Header:
        seconds = self._timeouts.start
        try:
            return await process.wait_until_ready(seconds)
        except asyncio.TimeoutError as error:
            process.kill_reason = f"not ready within {seconds:g} s"
            await self._abandon(process)
            raise EngineUnavailable("The engine takes too long to start.") from error
        except asyncio.CancelledError:
            await self._abandon(process)
            raise

    async def _abandon(self, process: WorkerProcess) -> None:
        process.ready.cancel()
        self._process = self.start_progress = None
        await process.kill()

    def _on_message(self, process: WorkerProcess, header: Header) -> None:
        process.last_frame_at = self._clock()
        kind = header["kind"]
        if kind == "loading":
            logger.info("loading %s", header["message"])
        elif kind == "progress":
            if process is self._process:
                self._note_progress(progress_of(header))
        elif kind == "ready" and not process.ready.done():
            self.start_progress = None
            process.ready.set_result(header)
        elif kind == "unusable" and not process.ready.done():
            process.fail_start(error_from_frame(header))
        elif kind == "heartbeat":
            if process is self._process:
                self.load = {name: value for name, value in header.items() if name != "kind"}
        else:
            if self._inflight.handle_events(header):
                self._breaker.record_success()
            self._send_pages()

    def _note_progress(self, progress: StartProgress) -> None:
        last, self.start_progress = self.start_progress, progress
        is_new = last is None or last.stage != progress.stage
        if is_new or self._clock() - self._progress_logged_at >= LOG_SECONDS:
            self._progress_logged_at = self._clock()
            logger.info("starting: %s", progress.text)

    def _on_exit(self, process: WorkerProcess, reason: str) -> None:
        """A process has ended: its pages go to the next one, or are given up."""
        if self._process is process:
            self._process = self.start_progress = None
            self.load = {}
        if self._closed or process.ready.cancelled():
            return
        self._breaker.record_crash()
        if not process.ready.done():
            message = f"The engine's process ended while it started ({reason})."
            process.fail_start(EngineUnavailable(message))
        elif process.is_ready:
            self._replace(process, reason)

    def _replace(self, process: WorkerProcess, reason: str) -> None:
        self.restarts["stall" if process.kill_reason else "crash"] += 1
        self.unhealthy_reason = "The engine's process ended; it is started again."
        num_pages = len(self._inflight.pages)
        logger.error("the engine's process ended (%s); pages in flight: %d", reason, num_pages)
        self._inflight.mark_suspects()
        if self._has_peers:
            self._inflight.hand_over()
        if self._restart_task is None or self._restart_task.done():
            self._restart_task = asyncio.create_task(self._restart())

    async def _restart(self) -> None:
        """Tries until a process is ready. Pages in flight fail after the second failed attempt."""
        num_failures = 0
        while not self._closed:
            try:
                await self._ready_frame()
                if self._process is not None:  # it may have exited before this task resumed
                    return
            except DsocrError as error:
                num_failures += 1
                logger.error("the engine could not be restarted: %s", error)
                self.unhealthy_reason = error.message
                if num_failures > 1:
                    down = EngineUnavailable(
                        "The engine is down; it is restarted in the background."
                    )
                    self._inflight.fail_all(down)
                await asyncio.sleep(max(RESTART_SECONDS, self._breaker.wait_seconds))

    def _send_pages(self) -> None:
        if self._process is None or self._closed or not self._process.is_ready:
            return
        loop = asyncio.get_running_loop()
        for page in self._inflight.to_send():
            self._send(page.request, partial(_payload_of, page, loop))

    def _send(self, header: Header, payload: Callable[[], Payload | None] = bytes) -> None:
        process = self._process
        if process is not None and not self._closed:
            is_current = partial(self._is_current, process)
            self._sender.submit(process.child.channel, header, payload, is_current)

    def _is_current(self, process: WorkerProcess) -> bool:
        return self._process is process

    def _reset_stall_clock(self) -> None:
        """An idle process sends no frames: its stall is measured from the next request."""
        if self._process is not None and not self._inflight.pages:
            self._process.last_frame_at = self._clock()

    async def _watch_progress(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._timeouts.stall / 4))
            if self._timeouts.page is not None:
                for page in self._inflight.overdue(self._timeouts.page):
                    page.fail(PageTimeout())
            await self._kill_stalled()

    async def _kill_stalled(self) -> None:
        """A slow process sends heartbeats; one without frames for too long is stuck."""
        process = self._process
        if process is None or not self._inflight.pages or not process.ready.done():
            return
        if self._clock() - process.last_frame_at > self._timeouts.stall:
            process.kill_reason = f"no progress for {self._timeouts.stall:g} s"
            await process.kill()


def _payload_of(page: Page, loop: asyncio.AbstractEventLoop) -> Payload | None:
    """None for a page that has its response already, or whose payload cannot be made."""
    if page.response.done():
        return None
    try:
        return page.payload()
    except Exception as error:
        loop.call_soon_threadsafe(page.fail, error)
        return None
