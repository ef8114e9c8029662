"""Payload bytes in flight."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from dsocr.process.limiter import InflightLimiter
from tests.waiting import DEADLINE_SECONDS


async def take(limiter: InflightLimiter, num_bytes: int) -> contextlib.AsyncExitStack:
    stack = contextlib.AsyncExitStack()
    await stack.enter_async_context(limiter.admit(num_bytes))
    return stack


@contextlib.asynccontextmanager
async def waiting(limiter: InflightLimiter, num_bytes: int) -> AsyncIterator[asyncio.Task[object]]:
    task = asyncio.create_task(take(limiter, num_bytes))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_small_pages_are_not_counted() -> None:
    limiter = InflightLimiter(1000)
    for _ in range(1000):
        await asyncio.wait_for(take(limiter, 1), DEADLINE_SECONDS)


async def test_a_page_waits_until_its_bytes_fit() -> None:
    limiter = InflightLimiter(100)
    first = await take(limiter, 70)
    async with waiting(limiter, 40) as second:
        assert not second.done()
        await first.aclose()
        await asyncio.wait_for(second, DEADLINE_SECONDS)


async def test_a_page_larger_than_the_limit_is_admitted_alone() -> None:
    limiter = InflightLimiter(100)
    large = await asyncio.wait_for(take(limiter, 5000), DEADLINE_SECONDS)
    async with waiting(limiter, 1) as small:
        assert not small.done()
        await large.aclose()
        await asyncio.wait_for(small, DEADLINE_SECONDS)


async def test_a_cancelled_page_does_not_hold_up_the_next() -> None:
    limiter = InflightLimiter(1)
    first = await take(limiter, 1)
    async with waiting(limiter, 1) as gone, waiting(limiter, 1) as next_one:
        gone.cancel()
        await first.aclose()
        await asyncio.wait_for(next_one, DEADLINE_SECONDS)


async def test_cancelling_a_large_page_admits_the_smaller_ones_behind_it() -> None:
    limiter = InflightLimiter(100)
    await take(limiter, 70)
    async with waiting(limiter, 40) as gone, waiting(limiter, 10) as next_one:
        gone.cancel()
        await asyncio.wait_for(next_one, DEADLINE_SECONDS)
