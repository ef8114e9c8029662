import asyncio

import pytest

from dsocr.turns import Turns


async def serve(turns: Turns, name: str, served: list[str], *, newcomer: bool) -> None:
    async with turns.turn(newcomer=newcomer):
        served.append(name)
        await asyncio.sleep(0)


async def test_a_newcomer_waits_for_one_regular_at_most() -> None:
    turns, served = Turns(lambda: 1), []
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
    turns, served = Turns(lambda: 1), []
    async with turns.turn(newcomer=True):
        tasks = [
            asyncio.create_task(serve(turns, name, served, newcomer=name.startswith("n")))
            for name in ("n0", "n1", "n2", "r0", "r1")
        ]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert served == ["r0", "n0", "r1", "n1", "n2"]


async def test_no_more_are_let_in_than_there_are_places() -> None:
    turns = Turns(lambda: 2)
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
    turns, served = Turns(lambda: 1), []
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
    await asyncio.wait_for(serve(turns, "next", served, newcomer=False), 5)
    assert served == ["next"]
    assert turns.waiting == 0
