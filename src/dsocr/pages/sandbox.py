"""The pool of decoding children. A file that crashes, hangs or swells costs one of them.

Knows processes and limits; what the children do is `decoder.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
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
from dsocr.pages.config import PagesConfig
from dsocr.process.child import Child, ChildDied, ChildTimeout, Header

log = logging.getLogger(__name__)

DECODER = "dsocr.pages.decoder:main"
RECYCLE_AFTER = 500
"""Answers after which a child is replaced: what a decoder leaks is bounded."""

_REFUSALS: dict[str, type[DsocrError]] = {
    refusal.code: refusal
    for refusal in (BadImage, BadPdf, PasswordRequired, TooManyPages, TooManyPixels)
}

_CLOSE: Header = {"path": "", "stamp": None, "password": None, "kind": "image"}

Answer = TypeVar("Answer")


@dataclass(slots=True)
class _Worker:
    child: Child
    path: str = ""
    """The file it has open."""
    answers: int = 0


class Sandbox:
    """Decodes in at most `config.workers` children, started when first needed."""

    def __init__(self, config: PagesConfig) -> None:
        self._config = config
        self._places = asyncio.Semaphore(config.workers)
        self._idle: list[_Worker] = []
        self._busy: set[Child] = set()
        self._closed = False

    async def __aenter__(self) -> Sandbox:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def ask(self, question: Header, read: Callable[[Header, bytearray], Answer]) -> Answer:
        """What `read` makes of the answer to a question of `decoder.py`. Raises what the file
        deserves (`DsocrError`).

        Cancelling kills the child: pdfium cannot be interrupted. So does an answer that makes no
        sense (`read` finds a key missing, or a type or a value wrong): a file took it over.
        """
        async with self._places:
            if self._closed:
                raise _stopping()
            worker = self._hire(question["path"])
            self._busy.add(worker.child)
            try:
                answer, pixels = await self._call(worker, question)
                found = _refusal(answer) if "error" in answer else read(answer, pixels)
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                log.warning("a decoding child answered nonsense (%s)", type(error).__name__)
                await asyncio.to_thread(worker.child.kill)
                raise _crash(question) from error
            finally:
                self._busy.discard(worker.child)
            await self._dismiss(worker)
        if isinstance(found, DsocrError):
            if answer["cause"]:
                log.info("this %s could not be decoded: %.300r", question["kind"], answer["cause"])
            raise found
        return found

    async def forget(self, path: str) -> None:
        """Has the idle children close this file."""
        while worker := next((idle for idle in self._idle if idle.path == path), None):
            self._idle.remove(worker)  # looked for anew each time: meanwhile others hire
            self._busy.add(worker.child)
            try:
                with suppress(DsocrError):
                    await self._call(worker, _CLOSE)
                    await self._dismiss(worker)
            finally:
                self._busy.discard(worker.child)

    async def close(self) -> None:
        """Ends all children; what they were doing fails."""
        self._closed = True
        children = [worker.child for worker in self._idle] + list(self._busy)
        self._idle.clear()
        for child in children:
            await asyncio.to_thread(child.kill)

    def _hire(self, path: str) -> _Worker:
        """An idle child, the one that has this file open first, or a new one.

        Starting takes milliseconds. In a thread, a caller that is cancelled meanwhile would leave
        behind a child that nobody knows.
        """
        for worker in sorted(self._idle, key=lambda worker: worker.path != path):
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
            environment={"DEEPSEEK_OCR_API_KEYS": ""},  # it is in the way of hostile files
        )

    async def _call(self, worker: _Worker, question: Header) -> tuple[Header, bytearray]:
        seconds = self._config.page_timeout_seconds
        try:
            answer = await worker.child.call_async(question, timeout=seconds)
        except ChildTimeout as error:
            raise PageTimeout(f"It could not be decoded within {seconds:g} seconds.") from error
        except ChildDied as error:
            if self._closed:
                raise _stopping() from error
            log.warning("a decoding child died (%s)", error.reason)
            raise _crash(question) from error
        worker.path = question["path"]
        worker.answers += 1
        return answer

    async def _dismiss(self, worker: _Worker) -> None:
        # While a file is being forgotten its child is missed and another may have been hired.
        crowded = len(self._idle) >= self._config.workers
        if self._closed or crowded or worker.answers >= RECYCLE_AFTER:
            await asyncio.to_thread(worker.child.kill)
        else:
            self._idle.append(worker)


def _refusal(answer: Header) -> DsocrError:
    if not isinstance(answer["message"], str) or not isinstance(answer["cause"], str):
        raise TypeError
    return _REFUSALS[answer["error"]](answer["message"])


def _stopping() -> DsocrError:
    return EngineUnavailable("The service is stopping.")


def _crash(question: Header) -> DsocrError:
    refusal = BadPdf if question["kind"] == "pdf" else BadImage
    return refusal("Its decoder crashed or took more than it may.")
