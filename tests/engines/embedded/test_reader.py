from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dsocr.engines.embedded.reader import Reader
from dsocr.errors import EngineCrashed, EngineUnavailable, PageTimeout

MakeReader = Callable[..., Reader]


@pytest.fixture
async def make_reader(tmp_path: Path) -> AsyncIterator[MakeReader]:
    made: list[Reader] = []

    def make(**settings: object) -> Reader:
        plan = {"page_timeout_seconds": 30.0, **settings}
        target = "tests.engines.embedded.obedient:serve"
        made.append(Reader(target, {"folder": str(tmp_path)}, **plan))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for reader in made:
        await reader.close()


def starts(folder: Path) -> int:
    return len((folder / "starts").read_text())


async def ask(reader: Reader, order: str) -> str:
    answer = await reader.read({"order": order}, b"pixels")
    return str(answer["said"])


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(500):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within 5 s")


async def test_pages_are_answered_in_the_order_in_which_they_came(
    make_reader: MakeReader, tmp_path: Path
) -> None:
    reader = make_reader()
    order: list[str] = []

    async def page(name: str) -> None:
        order.append(await ask(reader, name))

    await asyncio.gather(*(page(name) for name in "abcdef"))

    assert order == list("abcdef")
    assert starts(tmp_path) == 1


async def test_a_page_whose_process_dies_is_tried_once_more(
    make_reader: MakeReader, tmp_path: Path
) -> None:
    assert await ask(make_reader(), "crash once") == "crash once"
    assert starts(tmp_path) == 2


async def test_a_page_that_kills_twice_is_given_up_and_its_neighbours_are_read(
    make_reader: MakeReader, tmp_path: Path
) -> None:
    reader = make_reader()

    before, poison, after = await asyncio.gather(
        ask(reader, "before"), ask(reader, "crash"), ask(reader, "after"), return_exceptions=True
    )

    assert (before, after) == ("before", "after")
    assert isinstance(poison, EngineCrashed)
    assert starts(tmp_path) == 3


async def test_a_page_that_hangs_is_ended_and_the_next_one_is_read(
    make_reader: MakeReader, tmp_path: Path
) -> None:
    reader = make_reader(page_timeout_seconds=1.0)

    with pytest.raises(PageTimeout):
        await ask(reader, "hang")
    assert await ask(reader, "next") == "next"


async def test_a_process_killed_while_idle_costs_no_page(
    make_reader: MakeReader, tmp_path: Path
) -> None:
    reader = make_reader()
    await reader.start()
    assert reader.pid is not None
    os.kill(reader.pid, signal.SIGKILL)
    await until(lambda: not reader.alive)

    assert await ask(reader, "page") == "page"
    assert starts(tmp_path) == 2


async def test_a_cancelled_page_that_waits_is_never_read(
    make_reader: MakeReader, tmp_path: Path
) -> None:
    reader = make_reader()
    running = asyncio.ensure_future(ask(reader, "wait"))
    await until((tmp_path / "waiting").exists)
    waiting = asyncio.ensure_future(ask(reader, "crash"))
    await asyncio.sleep(0.05)

    waiting.cancel()
    running.cancel()

    assert await ask(reader, "next") == "next"
    assert starts(tmp_path) == 1


async def test_a_cancelled_page_that_runs_is_dropped_and_the_models_stay_loaded(
    make_reader: MakeReader, tmp_path: Path
) -> None:
    reader = make_reader()
    running = asyncio.ensure_future(ask(reader, "wait"))
    await until((tmp_path / "waiting").exists)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await ask(reader, "next") == "next"
    assert starts(tmp_path) == 1


async def test_missing_models_are_said_at_the_start(
    make_reader: MakeReader, tmp_path: Path
) -> None:
    (tmp_path / "incomplete").touch()

    with pytest.raises(EngineUnavailable, match=r"missing: model\.onnx"):
        await make_reader().start()


async def test_a_process_that_keeps_dying_is_tried_only_every_few_seconds(
    make_reader: MakeReader, tmp_path: Path
) -> None:
    now = [1000.0]
    reader = make_reader(clock=lambda: now[0])
    (tmp_path / "broken").touch()

    for _ in range(20):
        with pytest.raises(EngineUnavailable):
            await ask(reader, "page")
    assert starts(tmp_path) == 6  # five deaths open the breaker, the sixth was its first probe

    now[0] += 11
    (tmp_path / "broken").unlink()
    assert await ask(reader, "page") == "page"


async def test_a_closed_reader_reads_no_more(make_reader: MakeReader) -> None:
    reader = make_reader()
    await reader.start()
    await reader.close()

    with pytest.raises(EngineUnavailable):
        await ask(reader, "page")
    assert not reader.alive
