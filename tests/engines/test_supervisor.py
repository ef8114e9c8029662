"""Real worker processes that crash, hang and dawdle; no page may be lost by it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dsocr.engines.supervisor import CRASHES, Supervisor
from dsocr.errors import EngineCrashed, EngineUnavailable

OBEY = "tests.engines.stubborn_worker:obey"


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    arguments = {"notes": str(tmp_path)}
    supervisor = Supervisor(OBEY, arguments, stall_seconds=0.8, start_seconds=20)
    yield supervisor
    await supervisor.close()


async def read(supervisor: Supervisor, prompt: str) -> str:
    pieces: list[str] = []
    await supervisor.read({"prompt": prompt}, b"", on_text=pieces.append)
    return "".join(pieces)


async def test_many_pages_in_flight_each_get_their_own_answer(supervisor: Supervisor) -> None:
    await supervisor.start()

    answers = await asyncio.gather(*(read(supervisor, f"page {n}") for n in range(20)))

    assert answers == [f"page {n}!" for n in range(20)]


async def test_pages_are_served_in_the_order_they_came(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await asyncio.gather(*(read(supervisor, f"page {n}") for n in range(10)))

    assert (tmp_path / "seen").read_text().splitlines() == [f"page {n}" for n in range(10)]


async def test_a_crash_loses_no_page_and_text_is_told_once(supervisor: Supervisor) -> None:
    prompts = ["a", "b@crash-once", "c", "d"]

    answers = await asyncio.gather(*(read(supervisor, prompt) for prompt in prompts))

    assert answers == [prompt + "!" for prompt in prompts]


async def test_the_answer_has_the_words_of_the_worker_that_finished(supervisor: Supervisor) -> None:
    answer = await supervisor.read({"prompt": "a@crash-other-once"}, b"", on_text=lambda _: None)

    assert answer["raw"] == "other!"


async def test_a_page_that_kills_twice_is_given_up_and_its_neighbours_are_read(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    prompts = ["a", "b@crash", "c", "d"]

    answers = await asyncio.gather(
        *(read(supervisor, prompt) for prompt in prompts), return_exceptions=True
    )

    assert isinstance(answers[1], EngineCrashed)
    assert [answers[0], *answers[2:]] == ["a!", "c!", "d!"]
    assert (tmp_path / "seen").read_text().count("b@crash") == 2


async def test_a_worker_that_hangs_is_replaced_and_its_page_read_again(
    supervisor: Supervisor,
) -> None:
    await supervisor.start()
    first = supervisor.pid

    assert await read(supervisor, "a@hang-once") == "a@hang-once!"
    assert supervisor.pid != first


async def test_a_slow_worker_that_makes_progress_is_left_alone(supervisor: Supervisor) -> None:
    await supervisor.start()
    first = supervisor.pid

    assert await read(supervisor, "a@slow") == "a@slow!"
    assert supervisor.pid == first


async def test_an_idle_worker_is_left_alone(supervisor: Supervisor) -> None:
    await supervisor.start()
    first = supervisor.pid
    await asyncio.sleep(1.2)

    assert await read(supervisor, "a") == "a!"
    assert supervisor.pid == first


async def test_a_cancelled_page_gives_its_place_to_the_next(supervisor: Supervisor) -> None:
    await supervisor.start()
    waiting = [asyncio.create_task(read(supervisor, f"{n}@slow")) for n in range(4)]
    await asyncio.sleep(0.1)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)

    assert await read(supervisor, "next") == "next!"


async def test_a_worker_that_keeps_dying_is_not_started_for_ever(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    (tmp_path / "stillborn").touch()
    for _ in range(CRASHES):
        with pytest.raises(EngineUnavailable, match="died while it started"):
            await supervisor.start()

    began = time.monotonic()
    with pytest.raises(EngineUnavailable, match="keeps crashing"):
        await supervisor.start()
    assert supervisor.pid is None and time.monotonic() - began < 5


async def test_a_worker_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    supervisor = Supervisor(
        "tests.engines.stubborn_worker:mute", {}, stall_seconds=1, start_seconds=0.5
    )
    with pytest.raises(EngineUnavailable, match="too long"):
        await supervisor.start()
    assert supervisor.pid is None
    await supervisor.close()


async def test_closing_ends_the_process_and_tells_who_waits(supervisor: Supervisor) -> None:
    await supervisor.start()
    pid = supervisor.pid
    assert pid is not None
    task = asyncio.create_task(read(supervisor, "a@hang"))
    await asyncio.sleep(0.1)

    await supervisor.close()

    with pytest.raises(EngineUnavailable):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
