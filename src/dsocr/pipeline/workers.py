"""Concurrent workers that take items until none is left. Knows no items."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


async def run_workers(
    process_next: Callable[[], Coroutine[Any, Any, bool]], num_wanted: Callable[[], int]
) -> None:
    """Calls `process_next` from `num_wanted()` tasks until it has returned False to each.

    The number is read again after each item: tasks are added when it has grown, and none are ended
    when it has become smaller. The first exception, or cancellation, cancels all and waits for
    their end.
    """
    group = _WorkerGroup(process_next, num_wanted)
    try:
        await group.run()
    finally:
        await group.cancel()


class _WorkerGroup:
    def __init__(
        self, process_next: Callable[[], Coroutine[Any, Any, bool]], num_wanted: Callable[[], int]
    ) -> None:
        self._process_next, self._num_wanted = process_next, num_wanted
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._exhausted = False

    async def run(self) -> None:
        self._grow()
        if self._tasks:
            await self._ended

    async def cancel(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        while await self._process_next():
            self._grow()
        self._exhausted = True

    def _grow(self) -> None:
        while not self._exhausted and len(self._tasks) < self._num_wanted():
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if self._ended.done():
            return
        if error is not None:
            self._ended.set_exception(error)
        elif not self._tasks:
            self._ended.set_result(None)
