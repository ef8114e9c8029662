"""Pages in flight to a process that may crash: which to send next, and which caused a crash.

When a process dies, every page it had started becomes a suspect. Suspects are then sent one at a
time, each until its text is longer than at the crash. A suspect whose process dies again is given
up with `EngineCrashed`; all others are cleared and only lose time. Knows no processes.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from dsocr.errors import DsocrError, EngineCrashed, EngineUnavailable
from dsocr.process.child import Header, Payload
from dsocr.process.text_stream import TextStream

LOST_CHARACTERS = 64
"""A process sends text in batches: so many characters may be lost with it."""
MAX_SUSPICIONS = 3
"""A page that was a suspect of so many crashes is cleared only when it is finished."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What the crashes of earlier processes say about a page."""

    num_crashes: int = 0
    """Of which the page was a suspect."""
    is_suspect: bool = False
    cleared_at: float = 0
    """Characters of text after which the page is no longer a suspect."""


class WorkerLost(EngineUnavailable):
    """The process was lost; another one can process the page."""

    def __init__(self, suspicion: Suspicion, message: str = "", *, was_busy: bool = False) -> None:
        """`was_busy`: nothing was lost, the page was refused before any work was done on it."""
        super().__init__(message)
        self.suspicion, self.was_busy = suspicion, was_busy


@dataclass(slots=True, eq=False)
class Page:
    """A request in flight. `response` is resolved once, however many processes are tried."""

    request: Header
    payload: Callable[[], Payload]
    """Makes the bytes that follow the request."""
    response: asyncio.Future[Header]
    stream: TextStream
    sent: bool = False
    """To the present process."""
    started_at: float | None = None
    """When the present process started the page, by the clock of `InflightPages`."""
    suspicion: Suspicion = field(default_factory=Suspicion)

    @property
    def is_suspect(self) -> bool:
        return self.suspicion.is_suspect

    def add_text(self, piece: str) -> None:
        try:
            self.stream.add(piece)
        except Exception as error:  # a failing listener fails its own page only
            self.fail(error)
        if self.is_suspect and len(self.stream.text) >= self.suspicion.cleared_at:
            self._clear()

    def finish(self, header: Header) -> None:
        self._clear()
        if header["kind"] == "done":
            self.response.set_result({**header, "raw": self.stream.text})
        else:
            self.fail(error_from_frame(header))

    def fail(self, error: Exception) -> None:
        if not self.response.done():
            self.response.set_exception(error)

    def mark_suspect(self) -> None:
        num_crashes = self.suspicion.num_crashes + 1
        is_final = num_crashes >= MAX_SUSPICIONS
        cleared_at = math.inf if is_final else len(self.stream.text) + LOST_CHARACTERS
        self.suspicion = Suspicion(num_crashes, True, cleared_at)

    def reset(self) -> None:
        """For the next process."""
        self.sent, self.started_at = False, None
        self.stream.restart()

    def _clear(self) -> None:
        self.suspicion = replace(self.suspicion, is_suspect=False)


@dataclass(slots=True)
class InflightPages:
    """All accepted pages without a response, the oldest first."""

    clock: Callable[[], float] = time.monotonic
    pages: dict[int, Page] = field(default_factory=dict)
    num_retries: int = 0
    """Pages that were sent again after a process died."""

    @property
    def num_started(self) -> int:
        return sum(page.started_at is not None for page in self._unanswered())

    def handle_events(self, header: Header) -> bool:
        """Applies a frame of a process: one event, or `events` and then `texts`. True if a page
        has got its last event."""
        events = header["events"] if header["kind"] == "events" else [header]
        num_answered = sum([self._handle_event(event) for event in events])
        for number, text in header.get("texts", ()):
            page = self.pages.get(number)
            if page is not None and not page.response.done():
                page.add_text(text)
        return num_answered > 0

    def _handle_event(self, header: Header) -> bool:
        kind, page = header["kind"], self.pages.get(header.get("id", 0))
        if page is None or page.response.done():
            return False
        if kind == "started":
            page.started_at = self.clock()
        elif kind == "text":
            page.add_text(header["text"])
        elif kind in ("done", "failed"):
            page.finish(header)
            return True
        return False

    def to_send(self) -> Iterator[Page]:
        """Pages to send to the present process now; each is marked as sent."""
        waiting = self._unanswered()
        suspects = [page for page in waiting if page.is_suspect]
        if any(page.sent for page in suspects):
            return
        for page in suspects[:1] or waiting:
            if not page.sent:
                page.sent = True
                yield page

    def mark_suspects(self) -> None:
        """After the process died. Suspects it had started are given up; if it had started none,
        every page it had started becomes a suspect. All pages are reset for the next process."""
        unanswered = self._unanswered()
        started = [page for page in unanswered if page.started_at is not None]
        # without a started page every page that was sent may be the cause
        possible = started or [page for page in unanswered if page.sent]
        confirmed = [page for page in possible if page.is_suspect]
        for page in confirmed:
            page.fail(EngineCrashed())
        for page in possible if not confirmed else ():
            page.mark_suspect()
        for page in self.pages.values():
            self.num_retries += page.sent and not page.response.done()
            page.reset()

    def overdue(self, seconds: float) -> list[Page]:
        """Unanswered pages that were started longer than `seconds` ago."""
        since = self.clock() - seconds
        return [
            page
            for page in self._unanswered()
            if page.started_at is not None and page.started_at < since
        ]

    def fail_all(self, error: DsocrError) -> None:
        for page in self.pages.values():
            page.fail(error)

    def hand_over(self) -> None:
        """Fails all pages with `WorkerLost`, for other processes."""
        for page in self.pages.values():
            page.fail(WorkerLost(page.suspicion))

    def _unanswered(self) -> list[Page]:
        return [page for page in self.pages.values() if not page.response.done()]


def error_from_frame(header: Header) -> DsocrError:
    """The error class of the frame's `code`, with its message."""
    for kind in DsocrError.__subclasses__():
        if kind.code == header["code"]:
            return kind(header["message"])
    return EngineCrashed(header["message"])
