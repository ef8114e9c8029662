"""Pages in flight, by number and by memory."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from dsocr.process.limiter import InflightLimiter
from tests.waiting import DEADLINE_SECONDS


async def take(places: InflightLimiter, num_bytes: int) -> contextlib.AsyncExitStack:
    stack = contextlib.AsyncExitStack()
    await stack.enter_async_context(places.place(num_bytes))
    return stack


@contextlib.asynccontextmanager
async def waiting(places: InflightLimiter, num_bytes: int) -> AsyncIterator[asyncio.Task[object]]:
    task = asyncio.create_task(take(places, num_bytes))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_no_more_than_the_count_are_in() -> None:
    places = InflightLimiter(2, max_bytes=1000)
    first = await take(places, 1)
    await take(places, 1)
    async with waiting(places, 1) as third:
        assert not third.done()
        await first.aclose()
        await asyncio.wait_for(third, DEADLINE_SECONDS)


async def test_large_pages_fill_it_before_the_count_does() -> None:
    places = InflightLimiter(50, max_bytes=100)
    first = await take(places, 70)
    async with waiting(places, 40) as second:
        assert not second.done()
        await first.aclose()
        await asyncio.wait_for(second, DEADLINE_SECONDS)


async def test_a_page_larger_than_all_room_is_read_alone() -> None:
    places = InflightLimiter(50, max_bytes=100)
    whale = await asyncio.wait_for(take(places, 5000), DEADLINE_SECONDS)
    async with waiting(places, 1) as minnow:
        assert not minnow.done()
        await whale.aclose()
        await asyncio.wait_for(minnow, DEADLINE_SECONDS)


async def test_who_stops_waiting_stands_in_nobodys_way() -> None:
    places = InflightLimiter(1, max_bytes=100)
    first = await take(places, 1)
    async with waiting(places, 1) as gone, waiting(places, 1) as next_one:
        gone.cancel()
        await first.aclose()
        await asyncio.wait_for(next_one, DEADLINE_SECONDS)


async def test_a_large_page_that_stops_waiting_lets_smaller_ones_in() -> None:
    places = InflightLimiter(50, max_bytes=100)
    await take(places, 70)
    async with waiting(places, 40) as gone, waiting(places, 10) as next_one:
        gone.cancel()
        await asyncio.wait_for(next_one, DEADLINE_SECONDS)


async def test_more_places_let_those_in_who_wait() -> None:
    places = InflightLimiter(1, max_bytes=100)
    await take(places, 1)
    async with waiting(places, 1) as second:
        places.widen(2)
        await asyncio.wait_for(second, DEADLINE_SECONDS)
