"""Real worker processes that crash, hang and are slow; no page may be lost."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dsocr.errors import EngineCrashed, EngineUnavailable, PageTimeout
from dsocr.process import supervisor as supervisor_module
from dsocr.process import worker_process
from dsocr.process.breaker import CRASHES
from dsocr.process.child import Child, Header
from dsocr.process.inflight import LOST_CHARACTERS, Suspicion, WorkerLost
from dsocr.process.progress import StartProgress
from dsocr.process.sender import SENDER_THREADS
from dsocr.process.supervisor import Supervisor, Timeouts
from tests.engines.stubborn_worker import BEATS
from tests.waiting import DEADLINE_SECONDS, Clock, until

OBEY = "tests.engines.stubborn_worker:obey"
CROWD = "tests.engines.stubborn_worker:crowd"
TIMEOUTS = Timeouts(stall=DEADLINE_SECONDS, start=DEADLINE_SECONDS)
"""Longer than any of these tests takes: no process is killed because the machine is slow."""
STALL = 0.08
"""Seconds of the fixture `watched`, by a clock that the test moves."""


class Pixels(bytearray):
    """Bytes with weak references."""


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """Of a process that works on one page after another."""
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=TIMEOUTS)
    yield supervisor
    await supervisor.close()


@pytest.fixture
async def crowd(tmp_path: Path) -> AsyncIterator[Supervisor]:
    """Of a process that works on many pages at once."""
    supervisor = Supervisor(CROWD, {"notes": str(tmp_path)}, timeouts=TIMEOUTS)
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


async def let_it_check() -> None:
    """Lets the supervisor check its process a few times; it does so every quarter of `STALL`."""
    await asyncio.sleep(STALL)


async def until_killed(supervisor: Supervisor, clock: Clock) -> None:
    """Moves the clock until a process is killed, and no further, which spares the next process."""

    def is_killed() -> bool:
        if supervisor.restarts:
            return True
        clock.now += 2 * STALL  # repeated: a frame on its way counts as progress when it arrives
        return False

    await until(is_killed)


def num_starts(tmp_path: Path, prompt: str) -> int:
    """How often a page was started."""
    return (tmp_path / "seen").read_text().splitlines().count(prompt)


async def read(supervisor: Supervisor, prompt: str) -> str:
    pieces: list[str] = []
    await supervisor.request({"prompt": prompt}, bytes, num_bytes=0, on_text=pieces.append)
    return "".join(pieces)


async def test_many_pages_in_flight_each_get_their_own_response(supervisor: Supervisor) -> None:
    await supervisor.start()

    results = await asyncio.gather(*(read(supervisor, f"page {n}") for n in range(20)))

    assert results == [f"page {n}!" for n in range(20)]


async def test_pages_are_sent_in_the_order_they_came(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await asyncio.gather(*(read(supervisor, f"page {n}") for n in range(10)))

    assert (tmp_path / "seen").read_text().splitlines() == [f"page {n}" for n in range(10)]


async def test_a_crash_loses_no_page_and_repeats_no_text(supervisor: Supervisor) -> None:
    prompts = ["a", "b@crash-once", "c", "d"]

    results = await asyncio.gather(*(read(supervisor, prompt) for prompt in prompts))

    assert results == [prompt + "!" for prompt in prompts]


async def test_the_response_has_the_text_of_the_process_that_finished(
    supervisor: Supervisor,
) -> None:
    response = await supervisor.request(
        {"prompt": "a@crash-other-once"}, bytes, num_bytes=0, on_text=lambda _: None
    )

    assert response["raw"] == "other!"


async def test_a_page_that_crashes_two_processes_fails_and_the_others_succeed(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    prompts = ["a", "b@crash", "c", "d"]

    results = await asyncio.gather(
        *(read(supervisor, prompt) for prompt in prompts), return_exceptions=True
    )

    assert isinstance(results[1], EngineCrashed)
    assert [results[0], *results[2:]] == ["a!", "c!", "d!"]
    assert (tmp_path / "seen").read_text().count("b@crash") == 2


async def test_a_process_that_exits_before_the_restart_has_ended_is_replaced(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit arrives between its ready frame and the end of the task that restarted it."""
    ready_frame = supervisor._ready_frame

    async def exits_at_once() -> Header:
        frame = await ready_frame()
        if supervisor.restarts["crash"] == 1 and supervisor.pid is not None:
            os.kill(supervisor.pid, signal.SIGKILL)
            await until(lambda: supervisor.restarts["crash"] == 2)
        return frame

    await supervisor.start()
    monkeypatch.setattr(supervisor, "_ready_frame", exits_at_once)
    assert supervisor.pid is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    await until(lambda: supervisor.restarts["crash"] == 2 and supervisor.pid is not None)
    assert await asyncio.wait_for(read(supervisor, "a"), DEADLINE_SECONDS) == "a!"


async def test_a_process_that_hangs_is_replaced_and_its_page_sent_again(
    watched: Supervisor, clock: Clock, tmp_path: Path
) -> None:
    await watched.start()
    first = watched.pid
    reading = asyncio.create_task(read(watched, "a@hang-once"))
    await until((tmp_path / "hang-once").exists)
    await until_killed(watched, clock)

    assert await reading == "a@hang-once!"
    assert watched.pid != first
    assert watched.restarts == {"stall": 1}


async def test_a_slow_process_with_heartbeats_is_not_replaced(
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
        await until(lambda: process.last_frame_at == clock.now)
        await let_it_check()

    assert await reading == "a@slow!"
    assert watched._process is process


async def test_load_is_that_of_the_last_heartbeat_of_the_present_process(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    assert supervisor.load == {}
    for number in range(BEATS):
        (tmp_path / f"beat-{number}").touch()
    reading = asyncio.create_task(read(supervisor, "a@slow"))
    await until(lambda: supervisor.load != {})
    assert supervisor.load == {"running": 1, "cache_used": 0.25}
    await reading
    assert supervisor.pid is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    await until(lambda: supervisor.restarts == {"crash": 1})
    assert supervisor.load == {}


async def test_running_pages_are_those_that_the_process_has_started(tmp_path: Path) -> None:
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=TIMEOUTS)
    assert (supervisor.num_running, supervisor.num_waiting) == (0, 0)
    reading = [asyncio.create_task(read(supervisor, f"{n}@hang")) for n in range(3)]
    await until(lambda: supervisor.num_running == 1)
    assert supervisor.num_waiting == 2
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    assert (supervisor.num_running, supervisor.num_waiting) == (0, 0)
    await supervisor.close()


async def test_an_idle_process_is_not_replaced(watched: Supervisor, clock: Clock) -> None:
    await watched.start()
    first = watched.pid
    clock.now += 100 * STALL
    await let_it_check()

    assert await read(watched, "a") == "a!"
    assert watched.pid == first


async def test_cancelled_pages_let_the_next_one_run(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.start()
    waiting = [asyncio.create_task(read(supervisor, f"{n}@hold")) for n in range(4)]
    await until((tmp_path / "hold").exists)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    (tmp_path / "released").touch()

    assert await read(supervisor, "next") == "next!"


async def test_starts_pause_when_processes_only_crash(watched: Supervisor, tmp_path: Path) -> None:
    supervisor = watched  # its clock does not move: all starts are within the breaker's window
    (tmp_path / "stillborn").touch()
    for _ in range(CRASHES):
        with pytest.raises(EngineUnavailable, match="ended while it started"):
            await supervisor.start()

    with pytest.raises(EngineUnavailable, match="keeps crashing"):
        await supervisor.start()
    assert supervisor.pid is None
    assert len((tmp_path / "stillborn").read_text().splitlines()) == CRASHES


async def test_a_process_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    timeouts = Timeouts(stall=1, start=0.5)
    supervisor = Supervisor("tests.engines.stubborn_worker:mute", {}, timeouts=timeouts)
    with pytest.raises(EngineUnavailable, match="too long"):
        await supervisor.start()
    assert supervisor.pid is None
    await supervisor.close()


async def test_closing_ends_the_process_and_fails_its_pages(
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


async def test_closing_while_it_starts_fails_waiting_pages_and_cancels_no_caller(
    tmp_path: Path,
) -> None:
    supervisor = Supervisor(
        "tests.engines.stubborn_worker:mute", {"notes": str(tmp_path)}, timeouts=TIMEOUTS
    )
    task = asyncio.create_task(read(supervisor, "page"))
    await until(lambda: supervisor.pid is not None)

    await supervisor.close()

    with pytest.raises(EngineUnavailable):
        await task


async def test_closing_while_a_process_is_created_leaves_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    created: list[Child] = []
    may_return = threading.Event()

    def create(*arguments: Any) -> Child:
        created.append(Child(*arguments))
        may_return.wait(DEADLINE_SECONDS)
        return created[0]

    monkeypatch.setattr(worker_process, "Child", create)
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=TIMEOUTS)
    starting = asyncio.create_task(supervisor.start())
    await until(lambda: bool(created))
    closing = asyncio.create_task(supervisor.close())
    await asyncio.sleep(0)
    may_return.set()

    await closing

    assert not created[0].alive
    with pytest.raises(EngineUnavailable):
        await starting


async def test_killing_the_process_under_fifty_pages_loses_none(
    crowd: Supervisor, tmp_path: Path
) -> None:
    await crowd.start()
    prompts = [f"page {n}@hold with some words" for n in range(50)]
    reading = [asyncio.create_task(read(crowd, prompt)) for prompt in prompts]
    await until(
        lambda: sum(page.stream.text != "" for page in crowd._inflight.pages.values()) == 50
    )
    assert crowd.pid is not None
    os.kill(crowd.pid, signal.SIGKILL)
    (tmp_path / "released").touch()

    assert await asyncio.gather(*reading) == [prompt.replace("@hold", "") for prompt in prompts]
    assert crowd.restarts == {"crash": 1}
    assert crowd.num_retries == 50


async def test_a_page_that_crashes_processes_costs_none_of_the_fifty_in_flight(
    crowd: Supervisor, tmp_path: Path
) -> None:
    prompts = [f"page {n}" for n in range(49)]
    prompts.insert(20, "poison@crash")

    results = await asyncio.gather(
        *(read(crowd, prompt) for prompt in prompts), return_exceptions=True
    )

    assert isinstance(results.pop(20), EngineCrashed)
    assert results == [prompt for prompt in prompts if "@" not in prompt]
    assert num_starts(tmp_path, "poison@crash") == 2
    assert crowd.restarts == {"crash": 2}


async def test_a_failing_listener_fails_its_own_page_only(crowd: Supervisor) -> None:
    def listener(text: str) -> None:
        raise ZeroDivisionError

    bad = crowd.request({"prompt": "bad"}, bytes, num_bytes=0, on_text=listener)
    prompts = [f"page {n}" for n in range(10)]

    first, *others = await asyncio.gather(
        bad, *(read(crowd, prompt) for prompt in prompts), return_exceptions=True
    )

    assert isinstance(first, ZeroDivisionError)
    assert others == prompts
    assert not crowd.restarts


async def test_a_payload_that_cannot_be_made_fails_its_own_page_only(crowd: Supervisor) -> None:
    def gone() -> bytes:
        raise ValueError("the image is closed")

    bad = crowd.request({"prompt": "bad"}, gone, num_bytes=0)
    prompts = [f"page {n}" for n in range(10)]

    first, *others = await asyncio.gather(
        bad, *(read(crowd, prompt) for prompt in prompts), return_exceptions=True
    )

    assert isinstance(first, ValueError)
    assert others == prompts
    assert not crowd.restarts


async def test_payloads_are_made_for_each_process_and_kept_only_until_sent(
    crowd: Supervisor,
) -> None:
    made: list[weakref.ref[Pixels]] = []

    def make() -> Pixels:
        assert sum(pixels() is not None for pixels in made) < SENDER_THREADS
        pixels = Pixels(8)
        made.append(weakref.ref(pixels))
        return pixels

    prompts = ["a@crash-once", *(f"page {n}" for n in range(20))]
    await asyncio.gather(*(crowd.request({"prompt": one}, make, num_bytes=8) for one in prompts))

    assert len(made) > len(prompts)


async def test_payloads_for_a_dead_process_do_not_delay_the_next_process(crowd: Supervisor) -> None:
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
        asyncio.create_task(crowd.request({"prompt": prompt}, make, num_bytes=0))
        for prompt in prompts
    ]
    await until(lambda: len(made) == SENDER_THREADS)
    os.kill(first, signal.SIGKILL)
    await until(lambda: crowd.restarts and not crowd.unhealthy_reason)
    dead.set()

    assert [response["raw"] for response in await asyncio.gather(*reading)] == prompts
    assert crowd.restarts == {"crash": 1}
    assert len(made) == len(prompts) + SENDER_THREADS, "pixels were made for a dead process"


async def test_a_page_that_cannot_be_sent_leaves_nothing_in_flight(
    crowd: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await crowd.start()
    with monkeypatch.context() as patch:
        patch.setattr(crowd._sender._threads, "submit", _no_thread)
        with pytest.raises(RuntimeError, match="thread"):
            await read(crowd, "a")

    assert not crowd._inflight.pages
    assert await read(crowd, "b") == "b"


def _no_thread(*_: object) -> None:
    raise RuntimeError("can't start new thread")


async def test_a_page_that_waits_or_is_cancelled_while_waiting_makes_no_payload(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "max_inflight_bytes", lambda: 100)
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=TIMEOUTS)
    await supervisor.start()
    reading = [
        asyncio.create_task(supervisor.request({"prompt": f"{n}@hold"}, bytes, num_bytes=50))
        for n in range(2)
    ]
    await until((tmp_path / "hold").exists)
    made: list[str] = []

    def make() -> bytes:
        made.append("pixels")
        return b""

    waiting = asyncio.create_task(supervisor.request({"prompt": "late"}, make, num_bytes=50))
    await asyncio.sleep(0.1)  # time in which pixels would be made
    assert not made
    waiting.cancel()
    (tmp_path / "released").touch()
    await asyncio.gather(*reading)
    assert await read(supervisor, "next") == "next!"
    assert not made
    await supervisor.close()


async def test_pages_larger_than_the_byte_limit_are_sent_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "max_inflight_bytes", lambda: 100)
    supervisor = Supervisor(CROWD, {"notes": str(tmp_path)}, timeouts=TIMEOUTS)
    prompts = [f"page {n}" for n in range(5)]

    def make() -> bytes:
        assert len(supervisor._inflight.pages) == 1
        return bytes(1000)

    responses = await asyncio.gather(
        *(supervisor.request({"prompt": prompt}, make, num_bytes=1000) for prompt in prompts)
    )

    assert [response["raw"] for response in responses] == prompts
    await supervisor.close()


async def test_four_hundred_pages_of_which_every_twentieth_crashes_once_all_succeed(
    crowd: Supervisor,
) -> None:
    slots = asyncio.Semaphore(10)  # as in the pipeline; more would be in flight at every crash

    async def read_one(prompt: str) -> str:
        async with slots:
            return await read(crowd, prompt)

    prompts = [f"{n}@crash-once" if n % 20 == 0 else f"{n}" for n in range(400)]

    results = await asyncio.gather(*map(read_one, prompts))

    assert results == [prompt.partition("@")[0] for prompt in prompts]
    assert crowd.restarts == {"crash": 20}


async def test_a_page_that_hangs_among_others_is_sent_again(tmp_path: Path, clock: Clock) -> None:
    arguments = {"notes": str(tmp_path)}
    timeouts = Timeouts(stall=STALL, start=60)
    crowd = Supervisor(CROWD, arguments, timeouts=timeouts, clock=clock)
    reading = [asyncio.create_task(read(crowd, prompt)) for prompt in ("a", "b@hang-once", "c")]
    await until(lambda: list(tmp_path.glob("*@hang-once")))
    await until_killed(crowd, clock)

    assert await asyncio.gather(*reading) == ["a", "b", "c"]
    assert crowd.restarts == {"stall": 1}
    await crowd.close()


async def test_a_process_that_dies_idle_is_replaced_without_a_request(
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


async def test_each_process_reports_what_it_takes(tmp_path: Path) -> None:
    frames: list[Header] = []
    supervisor = Supervisor(
        OBEY, {"notes": str(tmp_path)}, timeouts=TIMEOUTS, on_ready=frames.append
    )
    try:
        assert await supervisor.start() == frames[0]
        assert supervisor.pid is not None
        os.kill(supervisor.pid, signal.SIGKILL)
        await until(lambda: len(frames) == 2)
    finally:
        await supervisor.close()


async def test_an_engine_that_is_down_reports_it_and_recovers(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    await supervisor.start()
    (tmp_path / "stillborn").touch()
    reading = asyncio.create_task(read(supervisor, "a@crash-once"))
    with pytest.raises(EngineUnavailable, match="down"):
        await reading
    assert "ended while it started" in supervisor.unhealthy_reason

    (tmp_path / "stillborn").unlink()
    await until(lambda: supervisor.unhealthy_reason == "")
    assert await read(supervisor, "b") == "b!"


async def test_a_page_over_its_timeout_fails_while_its_process_is_busy(
    tmp_path: Path, clock: Clock
) -> None:
    timeouts = Timeouts(stall=1e9, start=60, page=30)
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=timeouts, clock=clock)
    started = asyncio.Event()
    reading = asyncio.create_task(
        supervisor.request(
            {"prompt": "a@hold"}, bytes, num_bytes=0, on_text=lambda _: started.set()
        )
    )
    await asyncio.wait_for(started.wait(), DEADLINE_SECONDS)
    clock.now += 31
    with pytest.raises(PageTimeout):
        await reading
    (tmp_path / "released").touch()
    assert await read(supervisor, "b") == "b!"
    assert not supervisor.restarts
    await supervisor.close()


async def test_cancelling_twenty_four_pages_frees_their_slots(
    crowd: Supervisor, tmp_path: Path
) -> None:
    await crowd.start()
    cancelled = [asyncio.create_task(read(crowd, "x" * 5000)) for _ in range(24)]
    await until(lambda: (tmp_path / "seen").exists())
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)

    assert await read(crowd, "next") == "next"
    assert not crowd.restarts


async def all_streaming(crowd: Supervisor, texts: list[str], characters: int) -> None:
    """Until every page has so many characters of text, and none is a suspect."""
    pages = crowd._inflight.pages.values()
    await until(
        lambda: (
            min(map(len, texts)) >= characters
            and all(page.started_at is not None and not page.is_suspect for page in pages)
        )
    )


async def read_streaming(crowd: Supervisor, prompt: str, texts: list[str], number: int) -> None:
    def add(piece: str) -> None:
        texts[number] += piece

    await crowd.request({"prompt": prompt}, bytes, num_bytes=0, on_text=add)


async def test_pages_in_flight_at_two_crashes_succeed(crowd: Supervisor) -> None:
    prompts, texts = ["x" * 800] * 4, [""] * 4
    await crowd.start()
    reading = [
        asyncio.create_task(read_streaming(crowd, prompt, texts, number))
        for number, prompt in enumerate(prompts)
    ]
    for crashes, characters in ((1, 1), (2, 20)):
        await all_streaming(crowd, texts, characters)
        assert crowd.pid is not None
        os.kill(crowd.pid, signal.SIGKILL)
        await until(lambda crashes=crashes: crowd.restarts["crash"] == crashes)

    await asyncio.gather(*reading)
    assert texts == prompts
    assert crowd.restarts == {"crash": 2}


async def test_crashes_by_two_pages_one_after_the_other_cost_no_other_page(
    crowd: Supervisor,
) -> None:
    prompts, texts = ["x" * 800] * 4, [""] * 4
    reading = [
        asyncio.create_task(read_streaming(crowd, prompt, texts, number))
        for number, prompt in enumerate(prompts)
    ]
    for _ in range(2):
        await all_streaming(crowd, texts, 1)
        with pytest.raises(EngineCrashed):
            await read(crowd, "@crash")

    await asyncio.gather(*reading)
    assert texts == prompts
    assert crowd.restarts == {"crash": 4}


async def test_with_peers_the_pages_of_a_lost_process_are_handed_over(tmp_path: Path) -> None:
    crowd = Supervisor(CROWD, {"notes": str(tmp_path)}, timeouts=TIMEOUTS, num_peers=1)
    try:
        texts = ["", "", ""]
        pages = [
            asyncio.create_task(read_streaming(crowd, "text@hold", texts, number))
            for number in range(3)
        ]
        await all_streaming(crowd, texts, 4)
        assert crowd.pid is not None
        os.kill(crowd.pid, signal.SIGKILL)
        lost = await asyncio.gather(*pages, return_exceptions=True)

        suspicion = Suspicion(1, True, 4 + LOST_CHARACTERS)
        assert all(isinstance(error, WorkerLost) for error in lost)
        assert [error.suspicion for error in lost] == [suspicion] * 3
        assert crowd.restarts == {"crash": 1}
        assert await read(crowd, "next") == "next"
    finally:
        await crowd.close()


async def test_a_page_that_another_process_was_lost_with_is_given_up_at_the_next_crash(
    tmp_path: Path,
) -> None:
    crowd = Supervisor(CROWD, {"notes": str(tmp_path)}, timeouts=TIMEOUTS, num_peers=1)
    request, header = crowd.request, {"prompt": "text@crash"}
    try:
        await read(crowd, "warm up")
        suspicion = Suspicion(1, True, 1000)
        with pytest.raises(EngineCrashed):
            await request(header, bytes, num_bytes=0, suspicion=suspicion)
        cleared = Suspicion(1, False, 0)
        with pytest.raises(WorkerLost) as lost:
            await request(header, bytes, num_bytes=0, suspicion=cleared)
        assert lost.value.suspicion.num_crashes == 2
    finally:
        await crowd.close()


async def test_with_peers_a_page_that_waits_for_memory_is_handed_over_too(tmp_path: Path) -> None:
    crowd = Supervisor(CROWD, {"notes": str(tmp_path)}, timeouts=TIMEOUTS, num_peers=1)
    too_large = crowd._limiter._max_bytes
    try:
        texts = [""]
        first = asyncio.create_task(read_streaming(crowd, "text@hold", texts, 0))
        await all_streaming(crowd, texts, 4)
        waiting = asyncio.create_task(
            crowd.request({"prompt": "waits"}, bytes, num_bytes=too_large + 1)
        )
        await until(lambda: crowd._limiter._queue)
        assert crowd.pid is not None
        os.kill(crowd.pid, signal.SIGKILL)

        lost = await asyncio.gather(first, waiting, return_exceptions=True)

        assert [type(error) for error in lost] == [WorkerLost, WorkerLost]
        assert lost[1].suspicion == Suspicion()
    finally:
        await crowd.close()


async def test_the_progress_of_a_start_is_kept_until_it_is_ready(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    late = tmp_path / "late"
    late.touch()
    starting = asyncio.create_task(supervisor.start())
    await until(lambda: supervisor.start_progress == StartProgress("waiting", 1, 2))
    late.unlink()
    await starting
    assert supervisor.start_progress is None
