"""Holds back from starting a process again and again that only dies."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

CRASHES, WINDOW_SECONDS, PAUSE_SECONDS = 5, 60.0, 10.0


class Breaker:
    """Opens after so many deaths within the window with no page read between them; one start is
    then tried after every pause."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deaths: deque[float] = deque(maxlen=CRASHES)

    def died(self) -> None:
        self._deaths.append(self._clock())

    def worked(self) -> None:
        """Something was read: whatever dies now is worth replacing."""
        self._deaths.clear()

    @property
    def wait_seconds(self) -> float:
        """Until a start may be tried; 0 is now."""
        if len(self._deaths) < CRASHES:
            return 0.0
        now = self._clock()
        if now - self._deaths[0] >= WINDOW_SECONDS:
            return 0.0
        return max(0.0, self._deaths[-1] + PAUSE_SECONDS - now)
