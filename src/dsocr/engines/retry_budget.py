"""Bounds how often pages are sent again, so that retries do not multiply the load of a failure."""

from __future__ import annotations

BURST = 10.0
"""Retries that may follow each other at once."""


class RetryBudget:
    """A token bucket: each page adds a share of a retry, each retry takes a whole one."""

    def __init__(self, share: float, burst: float = BURST) -> None:
        self._share, self._burst = share, burst
        self._tokens = burst

    def add_page(self) -> None:
        self._tokens = min(self._burst, self._tokens + self._share)

    def take(self) -> bool:
        """False where the page may not be sent again."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
