from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from dsocr.pipeline.workers import run_workers
from tests.waiting import until


class Items:
    """Items that end when they are told to."""

    def __init__(self, count: int) -> None:
        self.left: Iterator[int] = iter(range(count))
        self.running: dict[int, asyncio.Event] = {}
        self.done: list[int] = []

    async def process_next(self) -> bool:
        item = next(self.left, None)
        if item is None:
            return False
        self.running[item] = asyncio.Event()
        try:
            await self.running[item].wait()
        finally:
            del self.running[item]
        self.done.append(item)
        return True

    def end(self, item: int) -> None:
        self.running[item].set()


async def test_workers_are_added_when_more_are_wanted() -> None:
    items, wanted = Items(9), 2
    run = asyncio.create_task(run_workers(items.process_next, lambda: wanted))
    await until(lambda: list(items.running) == [0, 1])

    wanted = 5
    items.end(0)
    await until(lambda: list(items.running) == [1, 2, 3, 4, 5])

    wanted = 1  # none is ended
    items.end(2)
    await until(lambda: list(items.running) == [1, 3, 4, 5, 6])
    while not run.done():
        for item in items.running:
            items.end(item)
        await asyncio.sleep(0)
    await run
    assert sorted(items.done) == list(range(9))


async def test_no_wanted_worker_is_the_end() -> None:
    await run_workers(Items(3).process_next, lambda: 0)


async def test_an_exception_cancels_the_others_and_is_raised() -> None:
    items = Items(4)

    async def fail_third() -> bool:
        if len(items.running) == 2:
            raise KeyError("the third")
        return await items.process_next()

    with pytest.raises(KeyError):
        await run_workers(fail_third, lambda: 3)
    assert items.running == {} and items.done == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_cancels_all() -> None:
    items = Items(4)
    run = asyncio.create_task(run_workers(items.process_next, lambda: 3))
    await until(lambda: len(items.running) == 3)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert run.cancelled() and items.running == {}
    assert asyncio.all_tasks() == {asyncio.current_task()}
