"""Processes at one store wake each other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from dsocr.jobs.broadcast import Broadcast
from dsocr.jobs.events import JobNotifier
from dsocr.jobs.store.database import Database
from tests.postgres import PostgresServer
from tests.waiting import until


class Process:
    """What a process has at a store."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.notifier = JobNotifier()
        self.times_woken = 0
        self.broadcast = Broadcast(self.database, self.notifier, self._wake)

    def _wake(self) -> None:
        self.times_woken += 1


@contextlib.asynccontextmanager
async def running(url: str) -> AsyncIterator[Process]:
    process = Process(url)
    await process.database.open()
    process.broadcast.start()
    yield process
    await process.broadcast.close()
    await process.database.close()


@pytest.mark.slow
async def test_a_change_in_one_process_wakes_the_others(postgres: PostgresServer) -> None:
    url = postgres.new_database()
    async with running(url) as one, running(url) as two:
        changed, other = two.notifier.next_change("a"), two.notifier.next_change("b")

        def announced() -> bool:  # again, until the other one listens
            one.notifier.notify("a")
            one.broadcast.announce()
            return changed.done() and two.times_woken > 0

        await until(announced)
        assert not other.done() and one.times_woken == 0


@pytest.mark.slow
async def test_messages_come_again_after_a_restart_of_the_database(
    postgres: PostgresServer,
) -> None:
    url = postgres.new_database()
    async with running(url) as one, running(url) as two:
        postgres.stop()
        one.broadcast.announce()
        await asyncio.to_thread(postgres.start)

        def woken() -> bool:
            one.broadcast.announce()
            return two.times_woken > 0

        await until(woken)


async def test_a_store_in_a_file_has_no_messages(sqlite: Database) -> None:
    notifier = JobNotifier()
    broadcast = Broadcast(sqlite, notifier, lambda: None)
    broadcast.start()
    notifier.notify("a")
    assert notifier.on_change is None
    await broadcast.close()
