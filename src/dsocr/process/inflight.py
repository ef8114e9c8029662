"""Pages on their way through a process that may die: which may go next, and whom to blame.

When a process dies, every page that it was reading is a suspect. Suspects are then read one at a
time, each until it has come further than when the process died: one that kills before that is the
one; all others are cleared, and have cost their neighbours nothing but time. Knows no processes.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from dsocr.errors import DsocrError, EngineCrashed
from dsocr.process.child import Buffer, Header

LOST_CHARACTERS = 64
"""A process may have come that much further than it had told: it tells what it reads in batches."""
MAX_SUSPICIONS = 3
"""A page that so many processes died beside is cleared by nothing but its end."""


@dataclass(slots=True, eq=False)
class Page:
    """A question on its way. `answer` is resolved once, whatever happens to processes."""

    question: Header
    payload: Callable[[], Buffer]
    """Makes what goes with the question."""
    answer: asyncio.Future[Header]
    on_text: Callable[[str], None] | None
    sent: bool = False
    """To the present process."""
    started_at: float | None = None
    """When the present process began to read it."""
    suspicions: int = 0
    is_suspect: bool = False
    clears_at: float = 0
    """Characters it must say to be no suspect any more."""
    text: str = ""
    """What the present process has said of it."""
    told: str = ""
    """What was handed on."""

    def hear(self, piece: str) -> None:
        """Hands on what is new. A second reading repeats the first one's words before it."""
        self.text += piece
        if self.on_text and len(self.text) > len(self.told) and self.text.startswith(self.told):
            new, self.told = self.text[len(self.told) :], self.text
            try:
                self.on_text(new)
            except Exception as error:  # its listener's affair, not that of the pages beside it
                self.fail(error)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)

    def suspect(self) -> None:
        self.is_suspect = True
        self.suspicions += 1
        self.clears_at = len(self.text) + LOST_CHARACTERS
        if self.suspicions >= MAX_SUSPICIONS:
            self.clears_at = math.inf

    def start_over(self) -> None:
        self.sent, self.started_at, self.text = False, None, ""


@dataclass(slots=True)
class InflightPages:
    """All pages that were taken in and not answered, the oldest first."""

    clock: Callable[[], float] = time.monotonic
    pages: dict[int, Page] = field(default_factory=dict)
    num_retries: int = 0

    def hear(self, header: Header) -> bool:
        """A process's word on one page. True if it was the last."""
        kind, page = header["kind"], self.pages.get(header.get("id", 0))
        if page is None or page.answer.done():
            return False
        if kind == "started":
            page.started_at = self.clock()
        elif kind == "text":
            page.hear(header["text"])
            page.is_suspect = page.is_suspect and len(page.text) < page.clears_at
        elif kind in ("done", "failed"):
            page.is_suspect = False
            if kind == "done":
                page.answer.set_result({**header, "raw": page.text})
            else:
                page.fail(problem(header))
            return True
        return False

    def to_send(self) -> Iterator[Page]:
        """Pages that the present process may have now; each is counted as sent."""
        waiting = [page for page in self.pages.values() if not page.answer.done()]
        suspects = [page for page in waiting if page.is_suspect]
        if any(page.sent for page in suspects):
            return
        for page in suspects[:1] or waiting:
            if not page.sent:
                page.sent = True
                yield page

    def blame(self) -> None:
        """The process died. A suspect it was reading is given up; if it read none, all it read
        are suspects. All begin anew."""
        owed = [page for page in self.pages.values() if not page.answer.done()]
        reading = [page for page in owed if page.started_at is not None]
        # if it cannot be told which one was being read, all are that it was given
        possible = reading or [page for page in owed if page.sent]
        guilty = [page for page in possible if page.is_suspect]
        for page in guilty:
            page.fail(EngineCrashed())
        for page in possible if not guilty else ():
            page.suspect()
        for page in self.pages.values():
            self.num_retries += page.sent and not page.answer.done()
            page.start_over()

    def overdue(self, seconds: float) -> list[Page]:
        """Pages that are being read for longer than that."""
        since = self.clock() - seconds
        return [
            page
            for page in self.pages.values()
            if page.started_at is not None and page.started_at < since and not page.answer.done()
        ]

    def give_up(self, error: DsocrError) -> None:
        for page in self.pages.values():
            page.fail(error)


def problem(header: Header) -> DsocrError:
    """A process's words as the error of that code."""
    for kind in DsocrError.__subclasses__():
        if kind.code == header["code"]:
            return kind(header["message"])
    return EngineCrashed(header["message"])
