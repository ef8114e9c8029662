"""Real worker processes that crash, hang and dawdle; no page may be lost by it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dsocr.errors import EngineCrashed, EngineUnavailable, PageTimeout
from dsocr.process.breaker import CRASHES
from dsocr.process.supervisor import WRITERS, Supervisor, Timeouts
from tests.engines.stubborn_worker import BEATS
from tests.waiting import DEADLINE_SECONDS, Clock, until

OBEY = "tests.engines.stubborn_worker:obey"
CROWD = "tests.engines.stubborn_worker:crowd"
PATIENCE = Timeouts(stall=60, start=60)
"""Longer than any of these tests takes: no process is killed because the machine is slow."""
STALL = 0.08
"""Seconds of the fixture `watched`, by a clock that the test moves."""


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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def watched(tmp_path: Path, clock: Clock) -> AsyncIterator[Supervisor]:
    """Like `supervisor`, with a short stall time on a clock that the test moves."""
    timeouts = Timeouts(stall=STALL, start=60)
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=timeouts, clock=clock)
    yield supervisor
    await supervisor.close()


async def looks() -> None:
    """Lets the supervisor look at its process a few times; it does so every quarter of `STALL`."""
    await asyncio.sleep(STALL)


async def out_of_patience(supervisor: Supervisor, clock: Clock) -> None:
    """Moves the clock until a process is killed, and no further: the next process is not silent."""

    def given_up() -> bool:
        if supervisor.restarts:
            return True
        clock.now += 2 * STALL  # repeated: a frame on its way counts as progress when it arrives
        return False

    await until(given_up)


def crowded(tmp_path: Path, prompt: str) -> int:
    """How often a page was begun."""
    return (tmp_path / "seen").read_text().splitlines().count(prompt)


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
    watched: Supervisor, clock: Clock, tmp_path: Path
) -> None:
    await watched.start()
    first = watched.pid
    reading = asyncio.create_task(read(watched, "a@hang-once"))
    await until((tmp_path / "hang-once").exists)
    await out_of_patience(watched, clock)

    assert await reading == "a@hang-once!"
    assert watched.pid != first
    assert watched.restarts == {"stall": 1}


async def test_a_slow_worker_that_makes_progress_is_left_alone(
    watched: Supervisor, clock: Clock, tmp_path: Path
) -> None:
    await watched.start()
    process = watched._process
    assert process is not None
    reading = asyncio.create_task(read(watched, "a@slow"))
    await until((tmp_path / "slow").exists)
    for number in range(BEATS):
        clock.now += 0.7 * STALL
        (tmp_path / f"beat-{number}").touch()
        await until(lambda: process.heard_at == clock.now)
        await looks()

    assert await reading == "a@slow!"
    assert watched._process is process


async def test_an_idle_worker_is_left_alone(watched: Supervisor, clock: Clock) -> None:
    await watched.start()
    first = watched.pid
    clock.now += 100 * STALL
    await looks()

    assert await read(watched, "a") == "a!"
    assert watched.pid == first


async def test_a_cancelled_page_gives_its_place_to_the_next(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start()
    waiting = [asyncio.create_task(read(supervisor, f"{n}@hold")) for n in range(4)]
    await until((tmp_path / "hold").exists)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    (tmp_path / "released").touch()

    assert await read(supervisor, "next") == "next!"


async def test_a_worker_that_keeps_dying_is_not_started_for_ever(
    watched: Supervisor, tmp_path: Path
) -> None:
    supervisor = watched  # whose clock stands still: all starts are within the breaker's window
    (tmp_path / "stillborn").touch()
    for _ in range(CRASHES):
        with pytest.raises(EngineUnavailable, match="died while it started"):
            await supervisor.start()

    with pytest.raises(EngineUnavailable, match="keeps crashing"):
        await supervisor.start()
    assert supervisor.pid is None
    assert len((tmp_path / "stillborn").read_text().splitlines()) == CRASHES


async def test_a_worker_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    timeouts = Timeouts(stall=1, start=0.5)
    supervisor = Supervisor("tests.engines.stubborn_worker:mute", {}, timeouts=timeouts)
    with pytest.raises(EngineUnavailable, match="too long"):
        await supervisor.start()
    assert supervisor.pid is None
    await supervisor.close()


async def test_closing_ends_the_process_and_tells_who_waits(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start()
    pid = supervisor.pid
    assert pid is not None
    task = asyncio.create_task(read(supervisor, "a@hang"))
    await until((tmp_path / "hang").exists)

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


async def test_killing_the_process_under_fifty_pages_loses_none(
    crowd: Supervisor, tmp_path: Path
) -> None:
    await crowd.start()
    prompts = [f"page {n}@hold with some words" for n in range(60)]
    reading = [asyncio.create_task(read(crowd, prompt)) for prompt in prompts]
    await until(lambda: sum(page.text != "" for page in crowd._flight.pages.values()) == 50)
    assert crowd.pid is not None
    os.kill(crowd.pid, signal.SIGKILL)
    (tmp_path / "released").touch()

    assert await asyncio.gather(*reading) == [prompt.replace("@hold", "") for prompt in prompts]
    assert crowd.restarts == {"crash": 1}
    assert crowd.num_retries == 50


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
    made: list[bytes] = []
    dead = threading.Event()

    def make() -> bytes:
        made.append(b"")
        assert dead.wait(DEADLINE_SECONDS)
        return b""

    await crowd.start()
    first = crowd.pid
    assert first is not None
    prompts = [f"page {n}" for n in range(50)]
    reading = [
        asyncio.create_task(crowd.read({"prompt": prompt}, make, num_bytes=0)) for prompt in prompts
    ]
    await until(lambda: len(made) == WRITERS)
    os.kill(first, signal.SIGKILL)
    await until(lambda: crowd.restarts and not crowd.unhealthy_reason)
    dead.set()

    assert [answer["raw"] for answer in await asyncio.gather(*reading)] == prompts
    assert crowd.restarts == {"crash": 1}
    assert len(made) == len(prompts) + WRITERS, "pixels were made for a dead process"


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
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start()
    reading = [asyncio.create_task(read(supervisor, f"{n}@hold")) for n in range(2)]
    await until((tmp_path / "hold").exists)
    made: list[str] = []

    def make() -> bytes:
        made.append("pixels")
        return b""

    waiting = asyncio.create_task(supervisor.read({"prompt": "late"}, make, num_bytes=0))
    await asyncio.sleep(0.1)  # time in which pixels would be made
    assert not made
    waiting.cancel()
    (tmp_path / "released").touch()
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


async def test_a_page_that_hangs_among_others_is_read_again(tmp_path: Path, clock: Clock) -> None:
    arguments = {"notes": str(tmp_path), "max_pages": 50}
    timeouts = Timeouts(stall=STALL, start=60)
    crowd = Supervisor(CROWD, arguments, timeouts=timeouts, clock=clock)
    reading = [asyncio.create_task(read(crowd, prompt)) for prompt in ("a", "b@hang-once", "c")]
    await until(lambda: list(tmp_path.glob("*@hang-once")))
    await out_of_patience(crowd, clock)

    assert await asyncio.gather(*reading) == ["a", "b", "c"]
    assert crowd.restarts == {"stall": 1}
    await crowd.close()


async def test_a_process_that_dies_idle_is_missed_at_once_and_replaced_unasked(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start()
    first = supervisor.pid
    assert first is not None and supervisor.unhealthy_reason == ""
    (tmp_path / "late").touch()  # the next process is ready when this file is gone
    os.kill(first, signal.SIGKILL)

    await until(lambda: supervisor.unhealthy_reason != "")
    (tmp_path / "late").unlink()
    await until(lambda: supervisor.unhealthy_reason == "")
    assert supervisor.pid not in (None, first)


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
    tmp_path: Path, clock: Clock
) -> None:
    timeouts = Timeouts(stall=1e9, start=60, page=30)
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=timeouts, clock=clock)
    heard = asyncio.Event()
    reading = asyncio.create_task(
        supervisor.read({"prompt": "a@hold"}, bytes, num_bytes=0, on_text=lambda _: heard.set())
    )
    await asyncio.wait_for(heard.wait(), DEADLINE_SECONDS)
    clock.now += 31
    with pytest.raises(PageTimeout):
        await reading
    (tmp_path / "released").touch()
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
        )
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
    for crashes, characters in ((1, 1), (2, 20)):
        await all_reading(crowd, heard, characters)
        assert crowd.pid is not None
        os.kill(crowd.pid, signal.SIGKILL)
        await until(lambda crashes=crashes: crowd.restarts["crash"] == crashes)

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
