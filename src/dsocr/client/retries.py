"""When a failed call is sent again, and after which pause."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from dsocr.client.calls import Call
from dsocr.client.errors import ClientError, ServiceError, ServiceUnreachable

NOT_STARTED = (429, 503)
"""Statuses of requests that had no effect."""
PERHAPS_STARTED = (502, 504)


@dataclass(frozen=True, slots=True)
class Retries:
    """`count` more attempts. Pauses double from the first, unless the service names one."""

    count: int = 2
    first_pause: float = 0.5
    """Seconds."""
    max_pause: float = 60.0

    def pause(self, attempt: int, error: ClientError, call: Call[Any]) -> float | None:
        """Seconds before the next attempt, or None if there is none. `attempt` counts from 1."""
        if attempt > self.count or not is_worthwhile(error, call):
            return None
        wanted = error.retry_after if isinstance(error, ServiceError) else None
        if wanted is not None:
            return min(wanted, self.max_pause)
        longest = min(self.first_pause * 2.0 ** (attempt - 1), self.max_pause)
        return longest * random.uniform(0.75, 1.0)  # clients that failed together do not return so


def is_worthwhile(error: ClientError, call: Call[Any]) -> bool:
    """Whether the call can be sent again without having its effect twice, and may then succeed."""
    if isinstance(error, ServiceUnreachable):
        return call.repeatable or not error.sent
    if not isinstance(error, ServiceError) or not error.retryable:
        return False
    return error.status in NOT_STARTED or (call.repeatable and error.status in PERHAPS_STARTED)
