"""Keeps one worker process alive and many pages in flight to it. Knows nothing of what it reads.

A worker that dies, or makes no progress while it owes an answer, is replaced; what was waiting is
sent again. A page on which two workers died is given up, and nothing is tried while workers keep
dying.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from dsocr.child import Buffer, Child, ChildDied, Header
from dsocr.errors import DsocrError, EngineCrashed, EngineUnavailable

logger = logging.getLogger(__name__)

PAGES_AHEAD = 2
"""Pages a worker holds that does not say how many are worth it: one it reads and the next."""
MAX_DEATHS = 2
"""A page that was being read when that many workers died is given up."""
CRASHES, CRASH_WINDOW, CRASH_PAUSE = 5, 60.0, 10.0
"""After so many deaths within the window (seconds) nobody is started for the pause (seconds)."""


@dataclass(slots=True, eq=False)
class _Page:
    """A question on its way. `answer` is resolved once, whatever happens to workers."""

    question: Header
    payload: Buffer
    answer: asyncio.Future[Header]
    on_text: Callable[[str], None] | None
    started: bool = False
    deaths: int = 0
    text: str = ""
    """What the present worker has said of it."""
    told: str = ""
    """What was handed on."""

    def hear(self, piece: str) -> None:
        """Hands on what is new. A second reading repeats the first one's words before it."""
        self.text += piece
        if self.on_text and len(self.text) > len(self.told) and self.text.startswith(self.told):
            new, self.told = self.text[len(self.told) :], self.text
            self.on_text(new)


@dataclass(slots=True, eq=False)
class _Worker:
    child: Child
    ready: asyncio.Future[Header]
    heard_at: float = field(default_factory=time.monotonic)
    verdict: str = ""
    """Why we ended it, if we did."""


class Supervisor:
    """Many `read` calls may be in flight; they are served in the order they came."""

    def __init__(
        self,
        target: str,
        arguments: Mapping[str, Any],
        *,
        stall_seconds: float,
        start_seconds: float,
    ) -> None:
        self._target, self._arguments = target, dict(arguments)
        self._stall_seconds, self._start_seconds = stall_seconds, start_seconds
        self._places = asyncio.Semaphore(PAGES_AHEAD)
        self._num_places = PAGES_AHEAD
        self._pages: dict[int, _Page] = {}
        self._next_id = 0
        self._worker: _Worker | None = None
        self._starting: asyncio.Task[Header] | None = None
        self._deaths: deque[float] = deque(maxlen=CRASHES)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="native-writer")
        self._watch: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The worker's process, or None between two."""
        return self._worker.child.pid if self._worker else None

    async def start(self) -> Header:
        """The worker's `ready` frame, once it can read. Raises what kept it from that."""
        if self._watch is None:
            self._watch = asyncio.create_task(self._watch_progress())
        return await self._running()

    async def read(
        self,
        question: Mapping[str, Any],
        payload: Buffer,
        *,
        on_text: Callable[[str], None] | None = None,
    ) -> Header:
        """The worker's `done` frame, with all it said of the page as `raw`.

        `on_text` heard other words when a second worker did not repeat the first one's, as happens
        where sums are rounded differently. Cancelling takes the page from the worker.
        """
        async with self._places:
            self._next_id += 1
            number = self._next_id
            answer: asyncio.Future[Header] = asyncio.get_running_loop().create_future()
            page = _Page({**question, "kind": "read", "id": number}, payload, answer, on_text)
            await self._running()
            self._note_progress()
            self._pages[number] = page
            self._send(page.question, page.payload)
            try:
                return await answer
            finally:
                del self._pages[number]
                if answer.cancelled():
                    self._send({"kind": "cancel", "id": number})

    async def close(self) -> None:
        """Ends the worker; pages in flight are told that the engine is down."""
        self._closed = True
        for task in (self._watch, self._starting):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, DsocrError):
                    await task
        self._give_up(EngineUnavailable("The engine was shut down."))
        if self._worker is not None:
            await asyncio.to_thread(self._worker.child.kill)
            self._worker = None
        self._writer.shutdown(wait=False)

    async def _running(self) -> Header:
        """Waits for a worker that is ready, starting one if there is none."""
        if self._closed:
            raise EngineUnavailable("The engine was shut down.")
        if self._worker is not None and self._worker.ready.done():
            return self._worker.ready.result()
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start_worker())
        # shielded: who stops waiting must not stop the start for the others
        return await asyncio.shield(self._starting)

    async def _start_worker(self) -> Header:
        if self._crash_loop():
            raise EngineUnavailable("The engine keeps crashing; it is tried again in a moment.")
        loop = asyncio.get_running_loop()
        try:
            child = await asyncio.to_thread(Child, self._target, self._arguments)
        except ChildDied as error:
            raise EngineUnavailable("The engine's process cannot be started.") from error
        worker = self._worker = _Worker(child, loop.create_future())
        threading.Thread(target=self._listen, args=(worker, loop), daemon=True).start()
        try:
            return await asyncio.wait_for(asyncio.shield(worker.ready), self._start_seconds)
        except asyncio.TimeoutError as error:
            worker.verdict = f"not ready within {self._start_seconds:g} s"
            await self._drop(worker)
            raise EngineUnavailable("The engine takes too long to start.") from error
        except asyncio.CancelledError:
            await self._drop(worker)
            raise

    async def _drop(self, worker: _Worker) -> None:
        worker.ready.cancel()
        self._worker = None
        await asyncio.to_thread(worker.child.kill)

    def _listen(self, worker: _Worker, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own: frames, and then the end, go to the loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to tell
            try:
                while True:
                    header, _ = worker.child.channel.receive()
                    loop.call_soon_threadsafe(self._hear, worker, header)
            except (EOFError, OSError, ValueError):
                reason = worker.verdict or _last_words(worker.child)
                worker.child.kill()
                loop.call_soon_threadsafe(self._bury, worker, reason)

    def _hear(self, worker: _Worker, header: Header) -> None:
        worker.heard_at = time.monotonic()
        kind = header["kind"]
        if kind == "events":
            for event in header["events"]:
                self._hear_of_page(event)
        elif kind == "loading":
            logger.info("loading %s", header["message"])
        elif kind == "ready" and not worker.ready.done():
            self._widen(header.get("max_pages", PAGES_AHEAD))
            worker.ready.set_result(header)
        elif kind == "unusable" and not worker.ready.done():
            worker.ready.set_exception(_problem(header))
            worker.ready.exception()  # looked at, even if nobody waits any more
        else:
            self._hear_of_page(header)

    def _widen(self, num_places: int) -> None:
        for _ in range(self._num_places, num_places):
            self._places.release()
        self._num_places = max(self._num_places, num_places)

    def _hear_of_page(self, header: Header) -> None:
        kind, page = header["kind"], self._pages.get(header.get("id", 0))
        if page is None or page.answer.done():
            return
        if kind == "started":
            page.started = True
        elif kind == "text":
            page.hear(header["text"])
        elif kind == "done":
            page.answer.set_result({**header, "raw": page.text})
        elif kind == "failed":
            page.answer.set_exception(_problem(header))

    def _bury(self, worker: _Worker, reason: str) -> None:
        """A worker is dead. Its pages go to the next one, or are given up."""
        if self._worker is worker:
            self._worker = None
        if self._closed:
            return
        if not worker.ready.done():
            self._deaths.append(time.monotonic())
            worker.ready.set_exception(
                EngineUnavailable(f"The engine died while it started ({reason}).")
            )
            worker.ready.exception()
            return
        if worker.ready.cancelled() or worker.ready.exception() is not None:
            return
        self._deaths.append(time.monotonic())
        logger.error(
            "the engine's process ended (%s); pages in flight: %d", reason, len(self._pages)
        )
        # the page being read is suspected; if it cannot be told which one was, all are
        suspects = [page for page in self._pages.values() if page.started]
        for page in suspects or self._pages.values():
            page.deaths += 1
            if page.deaths >= MAX_DEATHS and not page.answer.done():
                page.answer.set_exception(EngineCrashed())
        for page in self._pages.values():
            page.started, page.text = False, ""
        task = asyncio.ensure_future(self._replace())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _replace(self) -> None:
        """Starts the next worker and sends it what the last one still owed."""
        try:
            await self._running()
        except DsocrError as error:
            logger.error("the engine could not be restarted: %s", error)
            self._give_up(EngineUnavailable("The engine is down; it is tried again."))
            return
        self._note_progress()
        for page in list(self._pages.values()):
            if not page.answer.done():
                self._send(page.question, page.payload)

    def _give_up(self, error: DsocrError) -> None:
        for page in self._pages.values():
            if not page.answer.done():
                page.answer.set_exception(error)

    def _send(self, header: Header, payload: Buffer = b"") -> None:
        """Queued: a page's pixels may wait for the worker to take them. A dead worker is noticed
        by its listener."""
        worker = self._worker
        if worker is None or self._closed:
            return

        def send() -> None:
            with contextlib.suppress(OSError):
                worker.child.channel.send(header, payload)

        self._writer.submit(send)

    def _note_progress(self) -> None:
        """An idle worker was silent by right: its silence counts from the next question."""
        if self._worker is not None and not self._pages:
            self._worker.heard_at = time.monotonic()

    async def _watch_progress(self) -> None:
        """Ends a worker that owes an answer and says nothing. A slow one says something."""
        while True:
            await asyncio.sleep(min(1.0, self._stall_seconds / 4))
            worker = self._worker
            if worker is None or not self._pages or not worker.ready.done():
                continue
            if time.monotonic() - worker.heard_at > self._stall_seconds:
                worker.verdict = f"no progress for {self._stall_seconds:g} s"
                await asyncio.to_thread(worker.child.kill)

    def _crash_loop(self) -> bool:
        if len(self._deaths) < CRASHES:
            return False
        now = time.monotonic()
        return now - self._deaths[0] < CRASH_WINDOW and now - self._deaths[-1] < CRASH_PAUSE


def _last_words(child: Child) -> str:
    """How it ended; its pipe closes a moment before it is gone."""
    for _ in range(50):
        if not child.alive:
            break
        time.sleep(0.02)
    return child.how_it_ended()


def _problem(header: Header) -> DsocrError:
    """The worker's words as the error of that code."""
    for kind in DsocrError.__subclasses__():
        if kind.code == header["code"]:
            return kind(header["message"])
    return EngineCrashed(header["message"])
