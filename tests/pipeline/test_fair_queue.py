import asyncio
from contextlib import AsyncExitStack

import pytest

from dsocr.pipeline.fair_queue import MAX_PASSED_OVER, FairQueue
from tests.waiting import DEADLINE_SECONDS


async def serve(
    queue: FairQueue, name: str, served: list[str], *, is_first: bool, background: str | None = None
) -> None:
    async with queue.slot(is_first=is_first, background=background):
        served.append(name)
        await asyncio.sleep(0)


async def test_a_first_request_waits_for_one_repeated_one_at_most() -> None:
    queue, served = FairQueue(lambda: 1), []
    async with queue.slot(is_first=True):
        repeated = [
            asyncio.create_task(serve(queue, f"r{number}", served, is_first=False))
            for number in range(3)
        ]
        await asyncio.sleep(0)
        first = asyncio.create_task(serve(queue, "new", served, is_first=True))
        await asyncio.sleep(0)
    await asyncio.gather(*repeated, first)
    assert served == ["r0", "new", "r1", "r2"]


async def test_first_requests_leave_every_other_slot_to_repeated_ones() -> None:
    queue, served = FairQueue(lambda: 1), []
    async with queue.slot(is_first=True):
        tasks = [
            asyncio.create_task(serve(queue, name, served, is_first=name.startswith("n")))
            for name in ("n0", "n1", "n2", "r0", "r1")
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert served == ["r0", "n0", "r1", "n1", "n2"]


async def test_no_more_slots_are_granted_than_the_capacity() -> None:
    queue = FairQueue(lambda: 2)
    inside = most = 0

    async def visit() -> None:
        nonlocal inside, most
        async with queue.slot(is_first=True):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit() for _ in range(7)))
    assert most == 2


@pytest.mark.parametrize("admitted_first", [False, True])
async def test_a_cancelled_waiter_loses_no_slot(admitted_first: bool) -> None:
    queue, served = FairQueue(lambda: 1), []
    held = queue.slot(is_first=True)
    await held.__aenter__()
    gone = asyncio.create_task(serve(queue, "gone", served, is_first=True))
    await asyncio.sleep(0)
    if admitted_first:
        await held.__aexit__(None, None, None)
        gone.cancel()
    else:
        gone.cancel()
        await held.__aexit__(None, None, None)
    await asyncio.gather(gone, return_exceptions=True)
    await asyncio.wait_for(serve(queue, "next", served, is_first=False), DEADLINE_SECONDS)
    assert served == ["next"]
    assert queue.num_waiting == 0


async def served_by(waiting: list[tuple[str, str | None]]) -> list[str]:
    """The order in which these waiters, name and background owner, are served."""
    queue, served = FairQueue(lambda: 1), []
    async with queue.slot(is_first=True):
        tasks = [
            asyncio.create_task(serve(queue, name, served, is_first=False, background=owner))
            for name, owner in waiting
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return served


async def test_the_background_waits_for_the_foreground() -> None:
    waiting = [("b0", "x"), ("b1", "x"), ("r0", None), ("r1", None)]
    assert await served_by(waiting) == ["r0", "r1", "b0", "b1"]


async def test_background_owners_are_served_in_turns_however_much_each_requests() -> None:
    waiting = [(f"x{number}", "x") for number in range(4)] + [("y0", "y"), ("y1", "y")]
    assert await served_by(waiting) == ["x0", "y0", "x1", "y1", "x2", "x3"]


async def test_an_owner_that_asks_a_moment_late_is_served_first_next_time() -> None:
    queue, served = FairQueue(lambda: 3), []
    for _ in range(4):  # three slots at once: two for one owner, one for the other
        async with AsyncExitStack() as slots:
            for _ in range(3):
                await slots.enter_async_context(queue.slot(is_first=True))
            waiting = [
                asyncio.create_task(serve(queue, owner, served, is_first=False, background=owner))
                for owner in ("x", "x", "x", "y")
            ]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
    assert served[4:8].index("y") == 0


async def test_the_background_leaves_reserved_slots_to_the_foreground() -> None:
    queue, served = FairQueue(lambda: 3, reserved=1), []
    async with AsyncExitStack() as slots:
        for _ in range(2):
            await slots.enter_async_context(queue.slot(is_first=False, background="x"))
        late = asyncio.create_task(serve(queue, "late", served, is_first=False, background="x"))
        await asyncio.sleep(0)
        await serve(queue, "front", served, is_first=True)
        assert served == ["front"]
    await late
    assert served == ["front", "late"]


async def test_the_background_is_slow_but_never_starved() -> None:
    waiting = [("b", "x"), *((f"r{number}", None) for number in range(30))]
    assert (await served_by(waiting)).index("b") == MAX_PASSED_OVER


async def test_a_cancelled_background_waiter_loses_no_slot() -> None:
    queue, served = FairQueue(lambda: 1), []
    async with queue.slot(is_first=True):
        gone = asyncio.create_task(serve(queue, "gone", served, is_first=False, background="x"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    await asyncio.wait_for(
        serve(queue, "next", served, is_first=False, background="y"), DEADLINE_SECONDS
    )
    assert served == ["next"]
    assert queue.num_waiting == 0
