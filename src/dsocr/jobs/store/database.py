"""The database of a store: SQLite in a file, or PostgreSQL.

Everything above this module is the same on both. `work` is a function of a connection that runs
plain SQL; it is one transaction.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection

from dsocr.errors import DsocrError
from dsocr.jobs.store.backends.postgres import PostgresBackend
from dsocr.jobs.store.backends.sqlite import SqliteBackend

P = ParamSpec("P")
T = TypeVar("T")

POSTGRES_SCHEME = "postgresql+psycopg://"


class UnsupportedStore(DsocrError):
    """Jobs cannot be stored in this database."""

    code = "bad_setting"


class _Backend(Protocol):
    @property
    def has_channel(self) -> bool: ...
    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def write(self, work: Callable[[Connection], T]) -> T: ...
    async def write_in_turn(self, key: str, work: Callable[[Connection], T]) -> T: ...
    async def read(self, work: Callable[[Connection], T]) -> T: ...
    async def announce(self, messages: Collection[str]) -> None: ...
    async def listen(self, on_message: Callable[[str], None]) -> None: ...


class Database:
    """Runs functions of a connection in threads, each as if in its own transaction."""

    def __init__(
        self, place: Path | str, on_write: Callable[[float], None] = lambda seconds: None
    ) -> None:
        """The file of a SQLite database, or the URL of a PostgreSQL one. `on_write` is called with
        the seconds of each write, failed or not. Raises `UnsupportedStore` when the driver is not
        installed."""
        self.place = place
        self._on_write = on_write
        self._backend = _backend(place)

    @property
    def has_channel(self) -> bool:
        """Whether `announce` and `listen` reach the other processes at this store."""
        return self._backend.has_channel

    async def open(self) -> None:
        """Creates the tables, or applies the migrations that they lack. Raises
        `StoreUnavailable`, as all methods."""
        await self._backend.open()

    async def close(self) -> None:
        await self._backend.close()

    async def write(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What `work` wrote is durable when this returns. Raises `DiskFull`, and what `work`
        raises; then the transaction is rolled back."""
        with self._timed():
            return await self._backend.write(lambda connection: work(connection, *args, **kwargs))

    async def write_in_turn(
        self,
        key: str,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`write` for writes of one key that would wait for each other's locks: they run one after
        the other, in the order of the calls, and may share a commit."""
        with self._timed():
            return await self._backend.write_in_turn(
                key, lambda connection: work(connection, *args, **kwargs)
            )

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """All that `work` reads is one snapshot."""
        return await self._backend.read(lambda connection: work(connection, *args, **kwargs))

    async def announce(self, messages: Collection[str]) -> None:
        """Sends short messages to every process that listens, this one too. They may be lost."""
        await self._backend.announce(messages)

    async def listen(self, on_message: Callable[[str], None]) -> None:
        """Calls `on_message` with each message until it is cancelled or the connection is lost."""
        await self._backend.listen(on_message)

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._on_write(time.monotonic() - began)


def parse_url(url: str) -> Path | str:
    """The file that a `sqlite:///` URL names, or the URL of a PostgreSQL database. Raises
    `UnsupportedStore`."""
    if url.startswith(POSTGRES_SCHEME):
        return url
    scheme, _, path = url.partition(":///")
    if scheme not in ("sqlite", "sqlite+pysqlite") or not path or path == ":memory:":
        raise UnsupportedStore(
            "Jobs are stored in SQLite or PostgreSQL: set the URL to sqlite:///path or "
            f"{POSTGRES_SCHEME}user:password@host/database."
        )
    return Path(path)


def _backend(place: Path | str) -> _Backend:
    if isinstance(place, Path):
        return SqliteBackend(place)
    try:
        return PostgresBackend(place)
    except ImportError as error:
        raise UnsupportedStore(
            "PostgreSQL needs the extra postgres; install it with: pip install 'dsocr[postgres]'"
        ) from error
