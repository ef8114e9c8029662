"""A store in SQLite: one thread that writes, a few that read.

Versions of SQLite up to 3.51.2 can corrupt a WAL database when two connections write or checkpoint
at the same instant. So all writes and checkpoints are on one connection a process, under a lock on
a file beside the database that processes share; all other connections are read-only.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import urllib.parse
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool, StaticPool

from dsocr.errors import DiskFull
from dsocr.jobs.store.migrations.upgrade import migrate

T = TypeVar("T")

CHECKPOINT_BYTES = 4 << 20
"""The write-ahead log is checkpointed when it is larger than this."""
READERS = 4
MAX_WRITES = 64
"""That share a commit: other processes wait for it."""
BUSY_SECONDS = 30


@dataclass(slots=True, eq=False)
class _Write:
    work: Callable[[Connection], Any]
    done: Future[Any] = field(default_factory=Future)

    def resolve(self, result: Any, error: BaseException | None) -> None:
        if error is None:
            self.done.set_result(result)
        else:
            self.done.set_exception(error)


class SqliteBackend:
    """Runs functions of a connection in threads.

    `write` runs one at a time, in the order of the calls; each is durable when it returns. Those
    that wait together share a commit, which waits for the disk.
    """

    has_channel = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store-writer")
        self._waiting: deque[_Write] = deque()
        self._reading = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._engine = _writer(path)
        self._readers = _readers(path)
        self._wal = path.with_name(f"{path.name}-wal")
        self._write_lock = -1

    async def open(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writing, self._open)

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writing, self._close)
        await asyncio.to_thread(self._writing.shutdown)
        await asyncio.to_thread(self._reading.shutdown)
        self._readers.dispose()

    async def write(self, work: Callable[[Connection], T]) -> T:
        write = _Write(work)
        self._waiting.append(write)
        self._writing.submit(self._write_waiting)
        result: T = await asyncio.wrap_future(write.done)
        return result

    async def write_in_turn(self, key: str, work: Callable[[Connection], T]) -> T:
        return await self.write(work)

    async def read(self, work: Callable[[Connection], T]) -> T:
        def run() -> T:
            with self._readers.connect() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._reading, run)

    async def announce(self, messages: Collection[str]) -> None:
        """Does nothing: the other processes poll the file."""

    async def listen(self, on_message: Callable[[str], None]) -> None:
        """Returns at once: there are no messages."""

    def _write_waiting(self) -> None:
        """Runs what waits, as far as no earlier call has done so already."""
        num_writes = min(len(self._waiting), MAX_WRITES)
        writes = [self._waiting.popleft() for _ in range(num_writes)]
        writes = [write for write in writes if write.done.set_running_or_notify_cancel()]
        if len(writes) < 2 or not self._write_together(writes):
            for write in writes:
                self._write_alone(write)

    def _write_together(self, writes: Sequence[_Write]) -> bool:
        """One transaction, with a savepoint for each. False, and nothing is written, if it fails
        as a whole."""
        try:
            with self._exclusive(), self._engine.begin() as connection:
                outcomes = [_outcome(write, connection) for write in writes]
        except Exception:
            return False
        for write, (result, error) in zip(writes, outcomes, strict=True):
            write.resolve(result, error)
        with self._exclusive(), contextlib.suppress(OperationalError):  # after the next write then
            self._checkpoint()
        return True

    def _write_alone(self, write: _Write) -> None:
        try:
            with _raising_disk_full(), self._exclusive():
                with self._engine.begin() as connection:
                    result = write.work(connection)
                self._checkpoint()
        except BaseException as error:
            write.resolve(None, error)
        else:
            write.resolve(result, None)

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.with_name(f"{self.path.name}-turn")
        self._write_lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with _raising_disk_full(), self._exclusive(), self._engine.begin() as connection:
            migrate(connection)
        self.path.chmod(0o600)

    def _close(self) -> None:
        if self._write_lock < 0:
            return
        with self._exclusive():  # the last process to close the store checkpoints it
            self._engine.dispose()
        os.close(self._write_lock)
        self._write_lock = -1

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Holds the write lock; the kernel releases it when the process dies."""
        fcntl.flock(self._write_lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._write_lock, fcntl.LOCK_UN)

    def _checkpoint(self) -> None:
        if self._wal.exists() and self._wal.stat().st_size > CHECKPOINT_BYTES:
            with self._engine.connect() as connection:
                driver = connection.connection.driver_connection
                assert driver is not None
                driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _outcome(write: _Write, connection: Connection) -> tuple[Any, BaseException | None]:
    """The result, or the error after which the savepoint is rolled back. Raises `OperationalError`,
    after which the transaction cannot go on."""
    connection.exec_driver_sql("SAVEPOINT one_write")
    try:
        result = write.work(connection)
    except OperationalError:
        raise
    except BaseException as error:
        connection.exec_driver_sql("ROLLBACK TO one_write")
        return None, error
    connection.exec_driver_sql("RELEASE one_write")
    return result, None


def _writer(path: Path) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(driver: sqlite3.Connection, record: Any) -> None:
        driver.isolation_level = None  # transactions begin at the "begin" event below
        for pragma in (
            f"busy_timeout={BUSY_SECONDS * 1000}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "wal_autocheckpoint=0",
        ):
            driver.execute(f"PRAGMA {pragma}").fetchall()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _readers(path: Path) -> Engine:
    def connect() -> sqlite3.Connection:
        uri = f"file:{urllib.parse.quote(str(path))}?mode=ro"
        driver = sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)
        driver.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}").fetchall()
        driver.execute("PRAGMA wal_autocheckpoint=0").fetchall()
        return driver

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool, pool_size=READERS)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")  # one snapshot for all reads of a transaction

    return engine


@contextlib.contextmanager
def _raising_disk_full() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        # SQLITE_FULL; and SQLITE_IOERR, which some calls return on a full disk.
        if "full" in str(error.orig) or "disk I/O" in str(error.orig):
            raise DiskFull() from error
        raise
