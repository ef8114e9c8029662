"""A store in PostgreSQL: any number of hosts write at once. Needs the extra `postgres`.

Transactions are READ COMMITTED. What two processes must not do at once is under a lock:
`locks.py` has the advisory ones, and each command locks the row of its job first.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from dsocr.errors import DiskFull, StoreUnavailable
from dsocr.jobs.store.backends.shared_commits import SharedCommits
from dsocr.jobs.store.locks import MIGRATING, lock
from dsocr.jobs.store.migrations.upgrade import migrate

T = TypeVar("T")
log = logging.getLogger(__name__)

WRITERS = 4
READERS = 4
CHANNEL = "dsocr_jobs"
CONNECT_SECONDS = 5
OPEN_SECONDS = 60
OPEN_PAUSE_SECONDS = 2.0
STOPPED_SECONDS = 10
"""The server ends a transaction of a process that stops in its midst for this long: its locks
block others."""
ATTEMPTS = 5
"""Of a write that the server rolls back because of a deadlock."""
_DEADLOCK = ("40P01", "40001")
_FULL = ("53100",)
_STOPPED_TOO_LONG = "25P03"
_ANNOUNCE = text(
    "SELECT pg_notify(:channel, message) FROM unnest(CAST(:messages AS text[])) AS message"
)
_SESSION = (
    f"SET idle_in_transaction_session_timeout = '{STOPPED_SECONDS}s'",
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)


class PostgresBackend:
    """Each write is a transaction of its own; those that lock the same rows may share one."""

    has_channel = True

    def __init__(self, url: str) -> None:
        """Connects with the first call. Raises `ImportError` without the driver."""
        self._url = make_url(url)
        self._writers = _engine(url, WRITERS)
        self._readers = _engine(
            url, READERS, isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._writing = ThreadPoolExecutor(WRITERS, thread_name_prefix="store-writer")
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._shared = SharedCommits(self.write)

    async def open(self) -> None:
        """Waits for a server that starts at the same time. Raises `StoreUnavailable` after
        `OPEN_SECONDS`."""
        give_up_at = time.monotonic() + OPEN_SECONDS
        while True:
            try:
                return await self.write(_migrate_alone)
            except StoreUnavailable as error:
                if time.monotonic() > give_up_at:
                    raise
                log.warning("waiting for the database: %s", error.message)
            await asyncio.sleep(OPEN_PAUSE_SECONDS)

    async def close(self) -> None:
        await self._shared.close()
        for threads in (self._writing, self._reading):
            await asyncio.to_thread(threads.shutdown)
        self._writers.dispose()
        self._readers.dispose()

    async def write(self, work: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._writing, self._write, work)

    async def write_in_turn(self, key: str, work: Callable[[Connection], T]) -> T:
        return await self._shared.write(key, work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with _raising(), self._readers.begin() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def announce(self, messages: Collection[str]) -> None:
        values = {"channel": CHANNEL, "messages": list(messages)}
        await self.write(lambda connection: connection.execute(_ANNOUNCE, values))

    async def listen(self, on_message: Callable[[str], None]) -> None:
        import psycopg

        connect = functools.partial(psycopg.AsyncConnection.connect, autocommit=True)
        _, arguments = self._writers.dialect.create_connect_args(self._url)
        try:
            async with await connect(**{**_connect_args(), **arguments}) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                async for notification in connection.notifies():
                    on_message(notification.payload)
        except psycopg.Error as error:
            raise StoreUnavailable() from error

    def _write(self, work: Callable[[Connection], T]) -> T:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._write_once(work)
            except _RolledBack:
                continue
        return self._write_once(work)

    def _write_once(self, work: Callable[[Connection], T]) -> T:
        with _raising(), self._writers.begin() as connection:
            return work(connection)


class _RolledBack(StoreUnavailable):
    """The database ended this write because of others at the same time."""


def _engine(url: str, size: int, **options: Any) -> Engine:
    engine = create_engine(
        url,
        pool_size=size,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args=_connect_args(),
        execution_options=options,
    )

    @event.listens_for(engine, "connect")
    def prepare(driver: Any, record: Any) -> None:
        for statement in _SESSION:
            driver.execute(statement)
        driver.commit()

    return engine


def _connect_args() -> dict[str, Any]:
    return {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }


def _migrate_alone(connection: Connection) -> None:
    lock(connection, MIGRATING)
    migrate(connection)


@contextlib.contextmanager
def _raising() -> Iterator[None]:
    """`DiskFull` and `StoreUnavailable` for what is no error of a statement."""
    try:
        yield
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if state in _FULL:
            raise DiskFull() from error
        if state in _DEADLOCK:
            raise _RolledBack() from error
        if _is_unavailable(error, state):
            raise StoreUnavailable(_reason(error)) from error
        raise


def _is_unavailable(error: DBAPIError, state: str | None) -> bool:
    """Whether the connection or the server failed, and not the statement."""
    if error.connection_invalidated or state == _STOPPED_TOO_LONG:
        return True
    failed = isinstance(error, OperationalError | InterfaceError)
    return failed and (state is None or state[:2] in ("08", "53", "57"))


def _reason(error: DBAPIError) -> str:
    """The driver's words, which name the server and not its password."""
    lines = str(error.orig).splitlines() or ["the connection was lost"]
    return f"The database cannot be reached: {lines[0]}"
