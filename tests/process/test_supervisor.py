"""Real worker processes that crash, hang and dawdle; no page may be lost by it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dsocr.errors import EngineCrashed, EngineUnavailable, PageTimeout
from dsocr.process.breaker import CRASHES
from dsocr.process.supervisor import WRITERS, Supervisor, Timeouts

OBEY = "tests.engines.stubborn_worker:obey"
CROWD = "tests.engines.stubborn_worker:crowd"
PATIENCE = Timeouts(stall=0.8, start=20)


class Pixels(bytearray):
    """Bytes that can be watched."""


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """Of a process that reads one page after another."""
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=PATIENCE)
    yield supervisor
    await supervisor.close()


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """Of a process that reads fifty pages side by side."""
    arguments = {"notes": str(tmp_path), "max_pages": 50}
    supervisor = Supervisor(CROWD, arguments, timeouts=PATIENCE)
    yield supervisor
    await supervisor.close()


def crowded(tmp_path: Path, prompt: str) -> int:
    """How often a page was begun."""
    return (tmp_path / "seen").read_text().splitlines().count(prompt)


async def until(happened: Callable[[], bool], *, seconds: float = 10) -> None:
    ends = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < ends, "it did not happen"
        await asyncio.sleep(0.01)


async def read(supervisor: Supervisor, prompt: str) -> str:
    pieces: list[str] = []
    await supervisor.read({"prompt": prompt}, bytes, num_bytes=0, on_text=pieces.append)
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
    answer = await supervisor.read(
        {"prompt": "a@crash-other-once"}, bytes, num_bytes=0, on_text=lambda _: None
    )

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
    timeouts = Timeouts(stall=1, start=0.5)
    supervisor = Supervisor("tests.engines.stubborn_worker:mute", {}, timeouts=timeouts)
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


async def test_closing_while_it_starts_tells_who_waits_and_cancels_nobody(tmp_path: Path) -> None:
    supervisor = Supervisor(
        "tests.engines.stubborn_worker:mute", {"notes": str(tmp_path)}, timeouts=PATIENCE
    )
    task = asyncio.create_task(read(supervisor, "page"))
    await until(lambda: supervisor.pid is not None)

    await supervisor.close()

    with pytest.raises(EngineUnavailable):
        await task


async def test_killing_the_process_under_fifty_pages_loses_none(crowd: Supervisor) -> None:
    await crowd.start()
    prompts = [f"page {n} with some words" for n in range(60)]
    reading = [asyncio.create_task(read(crowd, prompt)) for prompt in prompts]
    await asyncio.sleep(0.02)
    assert crowd.pid is not None
    os.kill(crowd.pid, signal.SIGKILL)

    assert await asyncio.gather(*reading) == prompts
    assert crowd.restarts == {"crash": 1}
    assert 0 < crowd.num_retries <= 50


async def test_one_page_that_kills_costs_none_of_fifty_beside_it(
    crowd: Supervisor, tmp_path: Path
) -> None:
    prompts = [f"page {n}" for n in range(49)]
    prompts.insert(20, "poison@crash")

    answers = await asyncio.gather(
        *(read(crowd, prompt) for prompt in prompts), return_exceptions=True
    )

    assert isinstance(answers.pop(20), EngineCrashed)
    assert answers == [prompt for prompt in prompts if "@" not in prompt]
    assert crowded(tmp_path, "poison@crash") == 2
    assert crowd.restarts == {"crash": 2}


async def test_a_listener_that_fails_costs_the_other_pages_nothing(crowd: Supervisor) -> None:
    def listener(text: str) -> None:
        raise ZeroDivisionError

    bad = crowd.read({"prompt": "bad"}, bytes, num_bytes=0, on_text=listener)
    prompts = [f"page {n}" for n in range(10)]

    first, *others = await asyncio.gather(
        bad, *(read(crowd, prompt) for prompt in prompts), return_exceptions=True
    )

    assert isinstance(first, ZeroDivisionError)
    assert others == prompts
    assert not crowd.restarts


async def test_a_page_without_pixels_to_send_costs_the_others_nothing(crowd: Supervisor) -> None:
    def gone() -> bytes:
        raise ValueError("the image is closed")

    bad = crowd.read({"prompt": "bad"}, gone, num_bytes=0)
    prompts = [f"page {n}" for n in range(10)]

    first, *others = await asyncio.gather(
        bad, *(read(crowd, prompt) for prompt in prompts), return_exceptions=True
    )

    assert isinstance(first, ValueError)
    assert others == prompts
    assert not crowd.restarts


async def test_pixels_are_made_for_each_process_and_kept_only_until_sent(crowd: Supervisor) -> None:
    made: list[weakref.ref[Pixels]] = []

    def make() -> Pixels:
        assert sum(pixels() is not None for pixels in made) < WRITERS
        pixels = Pixels(8)
        made.append(weakref.ref(pixels))
        return pixels

    prompts = ["a@crash-once", *(f"page {n}" for n in range(20))]
    await asyncio.gather(*(crowd.read({"prompt": one}, make, num_bytes=8) for one in prompts))

    assert len(made) > len(prompts)


async def test_pixels_for_a_dead_process_do_not_hold_up_its_successor(crowd: Supervisor) -> None:
    def make() -> bytes:
        time.sleep(0.06)  # fifty of them, by two threads, take longer than patience lasts
        return b""

    await crowd.start()
    prompts = [f"page {n}" for n in range(50)]
    reading = [
        asyncio.create_task(crowd.read({"prompt": prompt}, make, num_bytes=0)) for prompt in prompts
    ]
    await asyncio.sleep(0.02)
    assert crowd.pid is not None
    os.kill(crowd.pid, signal.SIGKILL)

    assert [answer["raw"] for answer in await asyncio.gather(*reading)] == prompts
    assert crowd.restarts == {"crash": 1}


async def test_a_page_that_cannot_be_sent_is_owed_to_nobody(
    crowd: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await crowd.start()
    with monkeypatch.context() as patch:
        patch.setattr(crowd._writers, "submit", _no_thread)
        with pytest.raises(RuntimeError, match="thread"):
            await read(crowd, "a")

    assert not crowd._flight.pages
    assert await read(crowd, "b") == "b"


def _no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


async def test_a_page_that_waits_for_a_place_or_is_abandoned_there_makes_no_pixels(
    supervisor: Supervisor,
) -> None:
    await supervisor.start()
    reading = [asyncio.create_task(read(supervisor, f"{n}@slow")) for n in range(2)]
    made: list[str] = []

    def make() -> bytes:
        made.append("pixels")
        return b""

    waiting = asyncio.create_task(supervisor.read({"prompt": "late"}, make, num_bytes=0))
    await asyncio.sleep(0.1)
    assert not made
    waiting.cancel()
    await asyncio.gather(*reading)
    assert await read(supervisor, "next") == "next!"
    assert not made


async def test_four_hundred_pages_of_which_every_twentieth_crashes_once_are_all_read(
    tmp_path: Path,
) -> None:
    arguments = {"notes": str(tmp_path), "max_pages": 10}
    supervisor = Supervisor(CROWD, arguments, timeouts=PATIENCE)
    prompts = [f"{n}@crash-once" if n % 20 == 0 else f"{n}" for n in range(400)]

    answers = await asyncio.gather(*(read(supervisor, prompt) for prompt in prompts))

    assert answers == [prompt.partition("@")[0] for prompt in prompts]
    assert supervisor.restarts == {"crash": 20}
    await supervisor.close()


async def test_a_page_that_hangs_among_others_is_read_again(crowd: Supervisor) -> None:
    prompts = ["a", "b@hang-once", "c"]

    assert await asyncio.gather(*(read(crowd, prompt) for prompt in prompts)) == ["a", "b", "c"]
    assert crowd.restarts == {"stall": 1}


async def test_a_process_that_dies_idle_is_missed_at_once_and_replaced_unasked(
    crowd: Supervisor,
) -> None:
    await crowd.start()
    first = crowd.pid
    assert first is not None and crowd.unhealthy_reason == ""
    os.kill(first, signal.SIGKILL)

    await until(lambda: crowd.unhealthy_reason != "", seconds=2)
    await until(lambda: crowd.unhealthy_reason == "" and crowd.pid is not None, seconds=5)
    assert crowd.pid != first


async def test_an_engine_that_is_down_says_so_and_comes_back_by_itself(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start()
    (tmp_path / "stillborn").touch()
    reading = asyncio.create_task(read(supervisor, "a@crash-once"))
    with pytest.raises(EngineUnavailable, match="down"):
        await reading
    assert "died while it started" in supervisor.unhealthy_reason

    (tmp_path / "stillborn").unlink()
    await until(lambda: supervisor.unhealthy_reason == "")
    assert await read(supervisor, "b") == "b!"


async def test_a_page_over_its_time_is_given_up_however_busy_its_process_is(
    tmp_path: Path,
) -> None:
    timeouts = Timeouts(stall=0.8, start=20, page=0.3)
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=timeouts)
    with pytest.raises(PageTimeout):
        await read(supervisor, "a@slow")
    assert await read(supervisor, "b") == "b!"
    assert not supervisor.restarts
    await supervisor.close()


async def test_twenty_four_abandoned_pages_leave_their_places(
    crowd: Supervisor, tmp_path: Path
) -> None:
    await crowd.start()
    abandoned = [asyncio.create_task(read(crowd, "x" * 5000)) for _ in range(24)]
    await until(lambda: (tmp_path / "seen").exists())
    for task in abandoned:
        task.cancel()
    await asyncio.gather(*abandoned, return_exceptions=True)

    assert await read(crowd, "next") == "next"
    assert not crowd.restarts


async def all_reading(crowd: Supervisor, heard: list[str], characters: int) -> None:
    """Every page has said that much, and none is a suspect."""
    pages = crowd._flight.pages.values()
    await until(
        lambda: (
            min(map(len, heard)) >= characters
            and all(page.started_at is not None and not page.is_suspect for page in pages)
        ),
        seconds=30,
    )


async def read_aloud(crowd: Supervisor, prompt: str, heard: list[str], place: int) -> None:
    def hear(piece: str) -> None:
        heard[place] += piece

    await crowd.read({"prompt": prompt}, bytes, num_bytes=0, on_text=hear)


async def test_pages_that_two_processes_died_beside_are_read(crowd: Supervisor) -> None:
    prompts, heard = ["x" * 800] * 4, [""] * 4
    await crowd.start()
    reading = [
        asyncio.create_task(read_aloud(crowd, prompt, heard, place))
        for place, prompt in enumerate(prompts)
    ]
    for characters in (1, 20):
        await all_reading(crowd, heard, characters)
        assert crowd.pid is not None
        os.kill(crowd.pid, signal.SIGKILL)
        await until(lambda: crowd.unhealthy_reason != "")

    await asyncio.gather(*reading)
    assert heard == prompts
    assert crowd.restarts == {"crash": 2}


async def test_a_later_page_that_kills_costs_none_that_an_earlier_one_did_not(
    crowd: Supervisor,
) -> None:
    prompts, heard = ["x" * 800] * 4, [""] * 4
    reading = [
        asyncio.create_task(read_aloud(crowd, prompt, heard, place))
        for place, prompt in enumerate(prompts)
    ]
    for _ in range(2):
        await all_reading(crowd, heard, 1)
        with pytest.raises(EngineCrashed):
            await read(crowd, "@crash")

    await asyncio.gather(*reading)
    assert heard == prompts
    assert crowd.restarts == {"crash": 4}
