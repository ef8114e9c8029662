"""Waits that end with an error."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 0.05


def wait_until(is_true: Callable[[], object], seconds: float, what: str) -> None:
    """Asks until the answer is true. Raises `TimeoutError`, which names `what`, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(POLL_SECONDS)
