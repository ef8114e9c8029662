"""Messages between the processes at a store: which jobs have changed, and that one is claimable.

They only save waiting for the next poll, and may be lost. A store without a channel has none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable

from dsocr.errors import DsocrError, StoreUnavailable
from dsocr.jobs.events import JobNotifier
from dsocr.jobs.store.database import Database

log = logging.getLogger(__name__)

GATHER_SECONDS = 0.05
"""Messages of this time are sent together: the pages of a running job are many."""
RECONNECT_SECONDS = 2.0
CLAIMABLE = ""
"""In place of a job's id: there may be a job to claim."""


class Broadcast:
    """Sends what changes in this process, and wakes it for what changes in others."""

    def __init__(
        self, database: Database, notifier: JobNotifier, wake_worker: Callable[[], None]
    ) -> None:
        self._database = database
        self._notifier = notifier
        self._wake_worker = wake_worker
        self._sender = uuid.uuid4().hex
        self._waiting: set[str] = set()
        self._any_waiting = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        if self._database.has_channel:
            self._notifier.on_change = self.announce
            self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]

    async def close(self) -> None:
        """Sends what waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._send_waiting()

    def announce(self, job_id: str = CLAIMABLE) -> None:
        """Wakes the other processes soon."""
        if self._tasks:
            self._waiting.add(job_id)
            self._any_waiting.set()

    async def _send(self) -> None:
        while True:
            await self._any_waiting.wait()
            await asyncio.sleep(GATHER_SECONDS)
            await self._send_waiting()

    async def _send_waiting(self) -> None:
        self._any_waiting.clear()
        waiting, self._waiting = self._waiting, set()
        if waiting:
            with contextlib.suppress(DsocrError):
                await self._database.announce([f"{self._sender} {job_id}" for job_id in waiting])

    async def _receive(self) -> None:
        while True:
            try:
                await self._database.listen(self._on_message)
            except StoreUnavailable:
                log.warning("no messages from other processes: the database cannot be reached")
            await asyncio.sleep(RECONNECT_SECONDS)

    def _on_message(self, message: str) -> None:
        sender, _, job_id = message.partition(" ")
        if sender == self._sender:
            return
        if job_id == CLAIMABLE:
            self._wake_worker()
        else:
            self._notifier.wake(job_id)
