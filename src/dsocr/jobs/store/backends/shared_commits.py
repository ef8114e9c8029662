"""Writes that lock the same rows: those that wait together are one transaction.

One by one, each would wait for the commit of the one before it, and hold a thread meanwhile.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from dsocr.errors import DiskFull, StoreUnavailable

T = TypeVar("T")
Work = Callable[[Connection], Any]
Outcome = tuple[Any, BaseException | None]
"""The result or the error of a write."""

MAX_WRITES = 32
"""That share a transaction: other processes wait for its locks."""


@dataclass(slots=True, eq=False)
class _Write:
    work: Work
    done: asyncio.Future[Any] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def resolve(self, result: Any, error: BaseException | None) -> None:
        if self.done.cancelled():
            return
        if error is None:
            self.done.set_result(result)
        else:
            self.done.set_exception(error)


class SharedCommits:
    """Runs the writes of a key one after the other, in the order of the calls."""

    def __init__(self, transaction: Callable[[Work], Awaitable[Any]]) -> None:
        """`transaction` runs a function of a connection in a transaction of its own."""
        self._transaction = transaction
        self._waiting: dict[str, deque[_Write]] = {}
        """For each key whose writes run now."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def write(self, key: str, work: Callable[[Connection], T]) -> T:
        """Returns when the transaction with `work` is committed. Raises what `work` raises; then
        nothing of it is written, and the others of its transaction are."""
        write = _Write(work)
        if key in self._waiting:
            self._waiting[key].append(write)
        else:
            self._waiting[key] = deque([write])
            task = asyncio.create_task(self._run(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        result: T = await write.done
        return result

    async def close(self) -> None:
        """Waits for the writes that run."""
        await asyncio.gather(*self._tasks)

    async def _run(self, key: str) -> None:
        while writes := _next(self._waiting[key]):
            outcomes = await self._outcomes([write.work for write in writes])
            for write, outcome in zip(writes, outcomes, strict=True):
                write.resolve(*outcome)
        del self._waiting[key]

    async def _outcomes(self, works: Sequence[Work]) -> list[Outcome]:
        if len(works) == 1:
            return [await self._alone(works[0])]
        try:
            outcomes: list[Outcome] = await self._transaction(
                lambda connection: [_outcome(work, connection) for work in works]
            )
        except (DiskFull, StoreUnavailable) as error:
            return [(None, error) for _ in works]
        except Exception:  # a statement of one of them failed
            return [await self._alone(work) for work in works]
        return outcomes

    async def _alone(self, work: Work) -> Outcome:
        try:
            return await self._transaction(work), None
        except Exception as error:
            return None, error


def _next(waiting: deque[_Write]) -> list[_Write]:
    """The writes of the next transaction, without those whose callers were cancelled."""
    writes: list[_Write] = []
    while waiting and len(writes) < MAX_WRITES:
        write = waiting.popleft()
        if not write.done.cancelled():
            writes.append(write)
    return writes


def _outcome(work: Work, connection: Connection) -> Outcome:
    """With a savepoint, to which an error returns. Raises `DBAPIError`, after which the transaction
    cannot go on."""
    try:
        with connection.begin_nested():
            return work(connection), None
    except DBAPIError:
        raise
    except Exception as error:
        return None, error
