"""Admission: bounds the requests, and the bytes of their bodies, that are in the service at once.

A request over a bound is refused before its body is read. Knows no HTTP.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dsocr.errors import QueueFull

MAX_RETRY_AFTER = 120


class AdmissionRefused(QueueFull):
    """Too many requests are waiting; nothing was started."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Ticket:
    """One admitted request."""

    def __init__(self) -> None:
        self.admitted_at = time.monotonic()
        self.running = False
        """True once its first page is being recognized."""

    @property
    def seconds(self) -> float:
        """Since it was admitted."""
        return time.monotonic() - self.admitted_at


class AdmissionLimiter:
    """Counts the admitted requests and their bytes. Used on the event loop only.

    Its bounds may change; a lower one applies to the next requests.
    """

    def __init__(self, *, max_requests: Callable[[], int], max_bytes: Callable[[], int]) -> None:
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self.bytes = 0
        self._admitted: set[Ticket] = set()
        self._mean_seconds = 2.0  # an estimate until the first request is measured

    @property
    def running(self) -> int:
        return sum(ticket.running for ticket in self._admitted)

    @property
    def waiting(self) -> int:
        return len(self._admitted) - self.running

    @property
    def max_requests(self) -> int:
        return self._max_requests()

    @property
    def full(self) -> bool:
        return len(self._admitted) >= self._max_requests() or self.bytes >= self._max_bytes()

    @contextmanager
    def admit(self, num_bytes: int) -> Iterator[Ticket]:
        """Admits a request with a body of at most `num_bytes`. Raises `AdmissionRefused`."""
        fits = self.bytes + num_bytes <= self._max_bytes()
        if len(self._admitted) >= self._max_requests() or not fits:
            raise self.refusal()
        ticket = Ticket()
        self._admitted.add(ticket)
        self.bytes += num_bytes
        try:
            yield ticket
            self._mean_seconds += 0.2 * (ticket.seconds - self._mean_seconds)
        finally:
            self._admitted.discard(ticket)
            self.bytes -= num_bytes

    def refusal(self, message: str = "") -> AdmissionRefused:
        """The error to raise. Its `retry_after` is the mean duration of a request, in seconds."""
        seconds = math.ceil(self._mean_seconds)
        return AdmissionRefused(message, min(MAX_RETRY_AFTER, max(1, seconds)))
