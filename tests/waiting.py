"""Waiting until another thread, task or process has done something.

The deadline is far longer than the slowest machine needs: it is reached only by a failed test.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

DEADLINE_SECONDS = 180.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.002, 0.03


def wait_until(condition: Callable[[], object], *, seconds: float = DEADLINE_SECONDS) -> None:
    for pause in pauses(condition, seconds):
        time.sleep(pause)


async def until(condition: Callable[[], object], *, seconds: float = DEADLINE_SECONDS) -> None:
    """`wait_until` in an event loop."""
    for pause in pauses(condition, seconds):
        await asyncio.sleep(pause)


def pauses(condition: Callable[[], object], seconds: float) -> Iterator[float]:
    """The pauses between looks at the condition, until it is met.

    They grow: a condition that asks a server takes time from what it waits for.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        yield pause
        pause = min(1.5 * pause, LONGEST_PAUSE_SECONDS)


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now
