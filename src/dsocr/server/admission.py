"""The door: how many requests, and how many bytes of them, are inside at once.

Whoever is let in is read fairly by the pipeline; whoever is not is told at once, before a byte of
the body was taken. Knows nothing of HTTP.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dsocr.errors import QueueFull

MAX_RETRY_AFTER = 120


class TurnedAway(QueueFull):
    """Too many requests are waiting; nothing was started."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Ticket:
    """One request's place inside."""

    def __init__(self) -> None:
        self.entered = time.monotonic()
        self.running = False
        """True once its first page has begun."""

    @property
    def seconds(self) -> float:
        """Since it came in."""
        return time.monotonic() - self.entered


class AdmissionLimiter:
    """Counts who is inside. Only ever touched by the event loop."""

    def __init__(self, *, max_requests: int, max_bytes: int) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.bytes = 0
        self._inside: set[Ticket] = set()
        self._seconds = 2.0  # a guess until the first request has been measured

    @property
    def running(self) -> int:
        return sum(ticket.running for ticket in self._inside)

    @property
    def waiting(self) -> int:
        return len(self._inside) - self.running

    @property
    def full(self) -> bool:
        return len(self._inside) >= self.max_requests or self.bytes >= self.max_bytes

    @contextmanager
    def enter(self, num_bytes: int) -> Iterator[Ticket]:
        """A place for a request that brings at most that many bytes. Raises `TurnedAway`."""
        if len(self._inside) >= self.max_requests or self.bytes + num_bytes > self.max_bytes:
            raise self.turned_away()
        ticket = Ticket()
        self._inside.add(ticket)
        self.bytes += num_bytes
        try:
            yield ticket
            self._seconds += 0.2 * (ticket.seconds - self._seconds)
        finally:
            self._inside.discard(ticket)
            self.bytes -= num_bytes

    def turned_away(self, message: str = "") -> TurnedAway:
        """The refusal with an honest guess of when a place may be free: one request's time."""
        return TurnedAway(message, min(MAX_RETRY_AFTER, max(1, math.ceil(self._seconds))))
