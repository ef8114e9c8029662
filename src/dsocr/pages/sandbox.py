"""The pool of decoding processes. A file that crashes, hangs or exhausts one costs only that one.

Knows processes and limits; what runs in them is `decoder.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

from dsocr.errors import (
    BadImage,
    BadPdf,
    DsocrError,
    EngineUnavailable,
    PageTimeout,
    PasswordRequired,
    TooManyPages,
    TooManyPixels,
)
from dsocr.pages.child_queue import ChildQueue
from dsocr.pages.config import PagesConfig
from dsocr.process import shared_memory
from dsocr.process.child import Child, ChildDied, ChildTimeout, Header, Received
from dsocr.process.machine import rss_bytes, this_machine

log = logging.getLogger(__name__)

DECODER = "dsocr.pages.decoder:main"
RECYCLE_AFTER = 500
"""Responses after which a child is replaced, so that memory leaks of decoders are bounded."""

_ERRORS: dict[str, type[DsocrError]] = {
    error.code: error for error in (BadImage, BadPdf, PasswordRequired, TooManyPages, TooManyPixels)
}

_ENVIRONMENT = {
    "DEEPSEEK_OCR_API_KEYS": "",  # hidden from hostile files
    "OPENBLAS_NUM_THREADS": "1",  # each thread takes address space, which is limited
}

_CLOSE_REQUEST: Header = {"path": "", "stamp": None, "password": None, "kind": "image"}

Result = TypeVar("Result")


class _Killed(Exception):
    """The child was killed from outside, which says nothing about its file."""


@dataclass(slots=True)
class _Worker:
    child: Child
    path: str = ""
    """The file it has open."""
    num_responses: int = 0


@dataclass(frozen=True, slots=True)
class SandboxStats:
    """Decoding children, for metrics."""

    restarts: Mapping[str, int]
    """Children that were replaced, by reason: crash, recycle or timeout."""
    rss_bytes: int
    """Memory of all children that run; 0 where the system does not say."""


class Sandbox:
    """Decodes in at most `max_children` child processes, started when first needed."""

    def __init__(self, config: PagesConfig) -> None:
        self._config = config
        self.max_children = config.decoders(this_machine()).value
        self._queue = ChildQueue(self.max_children, self._open_files)
        self._idle: list[_Worker] = []
        self._busy: set[Child] = set()
        self._closed = False
        self._restarts: Counter[str] = Counter()

    def stats(self) -> SandboxStats:
        children = [worker.child for worker in self._idle] + list(self._busy)
        return SandboxStats(dict(self._restarts), sum(rss_bytes(child.pid) for child in children))

    async def __aenter__(self) -> Sandbox:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def request(self, header: Header, parse: Callable[[Header, Received], Result]) -> Result:
        """Sends a request of `decoder.py` and returns what `parse` makes of the response. Raises
        the file's `DsocrError`.

        Files wait for a child in turns. Any number of children may have the same file open.
        Cancelling kills the child: pdfium cannot be interrupted. So does an invalid response, where
        `parse` finds a key missing, or a type or a value wrong: the file has taken the child over.
        A request whose child was killed from outside is sent once more, to a new child: the machine
        had too little memory, and the file may be sound. The child's own limits are final.
        """
        async with self._queue.child(header["path"]):
            if self._closed:
                raise _stopping()
            try:
                worker = self._take_worker(header["path"])
                return await self._request_of(worker, header, parse)
            except _Killed:
                return await self._request_again(header, parse)

    async def _request_again(
        self, header: Header, parse: Callable[[Header, Received], Result]
    ) -> Result:
        try:
            return await self._request_of(_Worker(self._start()), header, parse)
        except _Killed as error:
            raise _crash(header) from error

    async def _request_of(
        self, worker: _Worker, header: Header, parse: Callable[[Header, Received], Result]
    ) -> Result:
        """`request` in this child, which is idle afterwards. Raises `_Killed`, too."""
        self._busy.add(worker.child)
        try:
            response, pixels = await self._call(worker, header)
            result = _error(response) if "error" in response else parse(response, pixels)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            log.warning("invalid response of a decoding process (%s)", type(error).__name__)
            await asyncio.to_thread(worker.child.kill)
            raise _crash(header) from error
        finally:
            self._busy.discard(worker.child)
        await self._return_worker(worker)
        if isinstance(result, DsocrError):
            if response["cause"]:
                log.info("this %s could not be decoded: %.300r", header["kind"], response["cause"])
            raise result
        return result

    async def close_file(self, path: str) -> None:
        """Has the idle children close this file."""
        while worker := next((idle for idle in self._idle if idle.path == path), None):
            self._idle.remove(worker)  # searched again each time: others may take workers meanwhile
            self._busy.add(worker.child)
            try:
                with suppress(DsocrError, _Killed):
                    await self._call(worker, _CLOSE_REQUEST)
                    await self._return_worker(worker)
            finally:
                self._busy.discard(worker.child)

    async def close(self) -> None:
        """Ends all children; their requests fail with `EngineUnavailable`."""
        self._closed = True
        children = [worker.child for worker in self._idle] + list(self._busy)
        self._idle.clear()
        for child in children:
            await asyncio.to_thread(child.kill)

    def _open_files(self) -> list[str]:
        return [worker.path for worker in self._idle]

    def _take_worker(self, path: str) -> _Worker:
        """An idle child, preferably one that has this file open or none, or a new one.

        Not in a thread, although starting takes milliseconds: a caller cancelled meanwhile would
        leave a child without an owner.
        """
        for worker in sorted(self._idle, key=lambda worker: (worker.path != path, worker.path)):
            self._idle.remove(worker)
            if worker.child.alive:
                return worker
            worker.child.kill()
        return _Worker(self._start())

    def _start(self) -> Child:
        limits: dict[str, Any] = {
            "max_pixels": self._config.max_pixels,
            "cpu_seconds": self._config.cpu_seconds,
        }
        return Child(
            DECODER,
            limits,
            memory_bytes=self._config.memory_mb << 20,
            max_response_bytes=3 * self._config.max_pixels,
            environment=_ENVIRONMENT,
        )

    async def _call(self, worker: _Worker, header: Header) -> tuple[Header, Received]:
        header = {**header, "shared": shared_memory.has_room()}
        seconds = self._config.page_timeout_seconds
        try:
            response = await worker.child.call_async(header, timeout=seconds)
        except ChildTimeout as error:
            self._restarts["timeout"] += 1
            raise PageTimeout(f"It could not be decoded within {seconds:g} seconds.") from error
        except ChildDied as error:
            if self._closed:
                raise _stopping() from error
            self._restarts["crash"] += 1
            log.warning("a decoding process died (%s)", error.reason)
            if error.killed_from_outside:
                raise _Killed from error
            raise _crash(header) from error
        worker.path = header["path"]
        worker.num_responses += 1
        return response

    async def _return_worker(self, worker: _Worker) -> None:
        # While `close_file` uses a worker, another one may have been started.
        crowded = len(self._idle) >= self.max_children
        if self._closed or crowded or worker.num_responses >= RECYCLE_AFTER:
            self._restarts["recycle"] += worker.num_responses >= RECYCLE_AFTER
            await asyncio.to_thread(worker.child.kill)
        else:
            self._idle.append(worker)


def _error(response: Header) -> DsocrError:
    if not isinstance(response["message"], str) or not isinstance(response["cause"], str):
        raise TypeError
    return _ERRORS[response["error"]](response["message"])


def _stopping() -> DsocrError:
    return EngineUnavailable("The service is stopping.")


def _crash(header: Header) -> DsocrError:
    kind = BadPdf if header["kind"] == "pdf" else BadImage
    return kind("The decoder crashed on it or exceeded its limits.")
