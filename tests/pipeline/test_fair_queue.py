import asyncio
from contextlib import AsyncExitStack

import pytest

from dsocr.pipeline.fair_queue import BACKGROUND_PATIENCE, FairQueue
from tests.waiting import DEADLINE_SECONDS


async def serve(
    turns: FairQueue, name: str, served: list[str], *, newcomer: bool, background: str | None = None
) -> None:
    async with turns.turn(newcomer=newcomer, background=background):
        served.append(name)
        await asyncio.sleep(0)


async def test_a_newcomer_waits_for_one_regular_at_most() -> None:
    turns, served = FairQueue(lambda: 1), []
    async with turns.turn(newcomer=True):
        regulars = [
            asyncio.create_task(serve(turns, f"r{number}", served, newcomer=False))
            for number in range(3)
        ]
        await asyncio.sleep(0)
        newcomer = asyncio.create_task(serve(turns, "new", served, newcomer=True))
        await asyncio.sleep(0)
    await asyncio.gather(*regulars, newcomer)
    assert served == ["r0", "new", "r1", "r2"]


async def test_newcomers_without_end_leave_every_other_turn_to_regulars() -> None:
    turns, served = FairQueue(lambda: 1), []
    async with turns.turn(newcomer=True):
        tasks = [
            asyncio.create_task(serve(turns, name, served, newcomer=name.startswith("n")))
            for name in ("n0", "n1", "n2", "r0", "r1")
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert served == ["r0", "n0", "r1", "n1", "n2"]


async def test_no_more_are_let_in_than_there_are_places() -> None:
    turns = FairQueue(lambda: 2)
    inside = most = 0

    async def visit() -> None:
        nonlocal inside, most
        async with turns.turn(newcomer=True):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit() for _ in range(7)))
    assert most == 2


@pytest.mark.parametrize("admitted_first", [False, True])
async def test_a_cancelled_waiter_takes_no_place_with_it(admitted_first: bool) -> None:
    turns, served = FairQueue(lambda: 1), []
    held = turns.turn(newcomer=True)
    await held.__aenter__()
    gone = asyncio.create_task(serve(turns, "gone", served, newcomer=True))
    await asyncio.sleep(0)
    if admitted_first:
        await held.__aexit__(None, None, None)
        gone.cancel()
    else:
        gone.cancel()
        await held.__aexit__(None, None, None)
    await asyncio.gather(gone, return_exceptions=True)
    await asyncio.wait_for(serve(turns, "next", served, newcomer=False), DEADLINE_SECONDS)
    assert served == ["next"]
    assert turns.waiting == 0


async def served_by(waiting: list[tuple[str, str | None]]) -> list[str]:
    """Who is served in which order when all of these wait: name and owner in the background."""
    turns, served = FairQueue(lambda: 1), []
    async with turns.turn(newcomer=True):
        tasks = [
            asyncio.create_task(serve(turns, name, served, newcomer=False, background=owner))
            for name, owner in waiting
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return served


async def test_the_background_waits_for_all_in_front() -> None:
    waiting = [("b0", "x"), ("b1", "x"), ("r0", None), ("r1", None)]
    assert await served_by(waiting) == ["r0", "r1", "b0", "b1"]


async def test_owners_in_the_background_take_turns_however_much_each_wants() -> None:
    waiting = [(f"x{number}", "x") for number in range(4)] + [("y0", "y"), ("y1", "y")]
    assert await served_by(waiting) == ["x0", "y0", "x1", "y1", "x2", "x3"]


async def test_an_owner_who_asks_a_moment_too_late_is_served_first_the_next_time() -> None:
    turns, served = FairQueue(lambda: 3), []
    for _ in range(4):  # three places at once: two for one owner, one for the other
        async with AsyncExitStack() as places:
            for _ in range(3):
                await places.enter_async_context(turns.turn(newcomer=True))
            waiting = [
                asyncio.create_task(serve(turns, owner, served, newcomer=False, background=owner))
                for owner in ("x", "x", "x", "y")
            ]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
    assert served[4:8].index("y") == 0


async def test_the_background_leaves_places_for_those_in_front() -> None:
    turns, served = FairQueue(lambda: 3, kept_free=1), []
    async with AsyncExitStack() as places:
        for _ in range(2):
            await places.enter_async_context(turns.turn(newcomer=False, background="x"))
        late = asyncio.create_task(serve(turns, "late", served, newcomer=False, background="x"))
        await asyncio.sleep(0)
        await serve(turns, "front", served, newcomer=True)
        assert served == ["front"]
    await late
    assert served == ["front", "late"]


async def test_the_background_is_slow_but_never_starved() -> None:
    waiting = [("b", "x"), *((f"r{number}", None) for number in range(30))]
    assert (await served_by(waiting)).index("b") == BACKGROUND_PATIENCE


async def test_a_cancelled_waiter_in_the_background_takes_no_place_with_it() -> None:
    turns, served = FairQueue(lambda: 1), []
    async with turns.turn(newcomer=True):
        gone = asyncio.create_task(serve(turns, "gone", served, newcomer=False, background="x"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    await asyncio.wait_for(
        serve(turns, "next", served, newcomer=False, background="y"), DEADLINE_SECONDS
    )
    assert served == ["next"]
    assert turns.waiting == 0
