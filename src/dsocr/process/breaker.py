"""A circuit breaker for process starts: pauses restarts of a process that only crashes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

CRASHES, WINDOW_SECONDS, PAUSE_SECONDS = 5, 60.0, 10.0


class CircuitBreaker:
    """Opens after `CRASHES` crashes within `WINDOW_SECONDS` without a finished page in between.

    While it is open, one start is allowed after every `PAUSE_SECONDS`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._crashed_at: deque[float] = deque(maxlen=CRASHES)

    def record_crash(self) -> None:
        self._crashed_at.append(self._clock())

    def record_success(self) -> None:
        """A page was finished: earlier crashes no longer count."""
        self._crashed_at.clear()

    @property
    def wait_seconds(self) -> float:
        """Seconds until the next start is allowed; 0 when it is allowed now."""
        if len(self._crashed_at) < CRASHES:
            return 0.0
        now = self._clock()
        if now - self._crashed_at[0] >= WINDOW_SECONDS:
            return 0.0
        return max(0.0, self._crashed_at[-1] + PAUSE_SECONDS - now)
