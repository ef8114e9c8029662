"""One native engine for each device, with workers that are killed and do not start."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from dsocr.engines import pool_member
from dsocr.engines.base import Engine
from dsocr.engines.deepseek import devices
from dsocr.engines.deepseek.devices import create_engine, devices_of
from dsocr.engines.deepseek.native import NativeEngine
from dsocr.engines.pool import EnginePool
from dsocr.engines.stats import WorkerState
from dsocr.errors import EngineCrashed, EngineUnavailable
from dsocr.process.machine import num_cores
from dsocr.runtime.config import RuntimeConfig
from dsocr.types import OcrOptions, PageImage
from tests.engines.device_worker import MAX_PAGES
from tests.fakes import page_image
from tests.processes import is_alive
from tests.runtime.goldens import GOLDENS
from tests.waiting import until

WORKER = "tests.engines.device_worker:serve"
FIFTY = [f"this is the text of page {number}" for number in range(50)]

Started = Callable[[str], AbstractAsyncContextManager[Engine]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files by whose names it is taken for weights."""
    shutil.copy(GOLDENS / "checkpoint-files" / "config.json", tmp_path)
    for name in ("tokenizer.json", "model.safetensors"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def started(folder: Path) -> Started:
    """An engine on the devices of a setting, its first worker ready."""

    @asynccontextmanager
    async def start(setting: str) -> AsyncIterator[Engine]:
        config = RuntimeConfig(model_path=folder, device=setting)
        engine = create_engine(config, worker=WORKER)
        try:
            await engine.start()
            yield engine
        finally:
            await engine.close()

    return start


def page(number: int = 0) -> PageImage:
    return page_image((), index=number)


def options(prompt: str) -> OcrOptions:
    return OcrOptions("custom", "tiny", prompt)


def pid_on(folder: Path, device: str) -> int:
    return int((folder / f"pid-{device}").read_text())


def pages_started_on(folder: Path, device: str) -> list[str]:
    return lines_of(folder / f"started-{device}")


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def states(engine: Engine) -> list[str]:
    return [worker.state for worker in engine.stats().workers]


async def all_ready(engine: Engine) -> None:
    await until(lambda: set(states(engine)) == {"ready"})


async def read(engine: Engine, prompt: str, number: int, texts: dict[int, str]) -> str:
    """The page's text; `texts` gets what was streamed of it."""

    def add(piece: str) -> None:
        texts[number] = texts.get(number, "") + piece

    return (await engine.recognize(page(number), options(prompt), on_text=add)).raw


@pytest.mark.parametrize(("setting", "device"), [("auto", "auto"), ("cuda:1", "cuda:1")])
def test_one_device_is_one_engine_without_a_pool(setting: str, device: str) -> None:
    engine = create_engine(RuntimeConfig(device=setting))
    assert isinstance(engine, NativeEngine)
    assert engine.info.device == device
    assert (engine._config.threads, engine._num_peers) == (None, 0)


@pytest.mark.parametrize(
    ("count", "names"), [(0, ("auto",)), (1, ("cuda:0",)), (3, ("cuda:0", "cuda:1", "cuda:2"))]
)
def test_all_is_every_gpu_or_what_auto_selects(
    monkeypatch: pytest.MonkeyPatch, count: int, names: tuple[str, ...]
) -> None:
    monkeypatch.setattr(devices, "_count_gpus", lambda: count)
    engine = create_engine(RuntimeConfig(device="all"))
    assert devices_of("all") == names
    assert isinstance(engine, EnginePool if count > 1 else NativeEngine)
    assert engine.info.device == ", ".join(names)


def test_gpus_that_cannot_be_counted_are_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "COUNT_GPUS", "tests.engines.stubborn_worker:mute")
    with pytest.raises(EngineUnavailable, match="DEEPSEEK_OCR_DEVICE=cuda:0,cuda:1"):
        create_engine(RuntimeConfig(device="all"))


def test_counting_runs_in_a_process_of_its_own() -> None:
    assert devices_of("all") == ("auto",) or devices_of("all")[0] == "cuda:0"


@pytest.mark.parametrize(("threads", "each"), [(None, max(1, num_cores() // 2)), (7, 7)])
def test_the_cores_are_divided_among_the_workers(threads: int | None, each: int) -> None:
    pool = create_engine(RuntimeConfig(device="cpu,cpu", threads=threads))
    assert isinstance(pool, EnginePool)
    members = [member.engine for member in pool._members]
    assert [(one._config.threads, one._num_peers) for one in members] == [(each, 1), (each, 1)]


async def test_each_worker_gets_its_device_and_the_pages_are_spread(
    started: Started, folder: Path
) -> None:
    async with started("cuda:0,cuda:2") as engine:
        await all_ready(engine)
        texts: dict[int, str] = {}
        results = await asyncio.gather(
            *(read(engine, prompt, n, texts) for n, prompt in enumerate(FIFTY))
        )
        info = engine.info

    assert results == FIFTY == [texts[number] for number in range(50)]
    assert (info.device, info.max_concurrency) == ("cuda:0, cuda:2", 2 * MAX_PAGES)
    first, second = (pages_started_on(folder, device) for device in ("cuda:0", "cuda:2"))
    assert len(first) == len(second) == 25
    assert sorted(first + second) == sorted(FIFTY)


async def test_killing_one_of_two_workers_under_fifty_pages_loses_none_and_repeats_none(
    started: Started, folder: Path
) -> None:
    (folder / "hold").touch()
    texts: dict[int, str] = {}
    async with started("cuda:0,cuda:1") as engine:
        await all_ready(engine)
        reading = [
            asyncio.create_task(read(engine, prompt, n, texts)) for n, prompt in enumerate(FIFTY)
        ]
        await until(lambda: len(texts) == 50)
        assert all(texts[n] != prompt for n, prompt in enumerate(FIFTY))  # in mid-stream
        killed = pages_started_on(folder, "cuda:0")
        os.kill(pid_on(folder, "cuda:0"), signal.SIGKILL)
        await until(lambda: engine.stats().restarts == {"crash": 1})
        (folder / "hold").unlink()

        results = await asyncio.gather(*reading)

        assert results == FIFTY == [texts[number] for number in range(50)]
        assert len(killed) == 25
        on_other = pages_started_on(folder, "cuda:1")
        assert set(killed) & set(on_other)
        starts = Counter(pages_started_on(folder, "cuda:0") + on_other)
        assert starts == {prompt: 1 + (prompt in killed) for prompt in FIFTY}
        assert engine.stats().retries == len(killed)
        await all_ready(engine)
        assert [worker.restarts for worker in engine.stats().workers] == [1, 0]
        assert await read(engine, "first", 0, {}) == "first"
        again = await asyncio.gather(*(read(engine, "again", n, {}) for n in range(4)))
    assert again == ["again"] * 4
    assert pages_started_on(folder, "cuda:0")[-3:] == ["first", "again", "again"]


async def test_a_page_that_crashes_workers_fails_and_costs_no_other_page(
    started: Started, folder: Path
) -> None:
    async with started("cuda:0,cuda:1") as engine:
        await all_ready(engine)
        prompts = [*FIFTY[:24], "a page with @crash", *FIFTY[24:]]
        results = await asyncio.gather(
            *(read(engine, prompt, n, {}) for n, prompt in enumerate(prompts)),
            return_exceptions=True,
        )
        assert isinstance(results.pop(24), EngineCrashed)
        assert results == FIFTY
        assert engine.stats().restarts == {"crash": 2}
        await all_ready(engine)


async def test_a_device_that_does_not_start_is_reported_and_joins_later(
    started: Started, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_member, "RESTART_SECONDS", 0.05)
    broken = folder / "broken-cuda:5"
    broken.touch()
    async with started("cuda:0,cuda:5") as engine:
        await until(lambda: "failed" in states(engine))
        assert engine.stats().workers == (
            WorkerState("cuda:0", "ready"),
            WorkerState("cuda:5", "failed", "There is no cuda:5."),
        )
        assert (engine.unhealthy_reason, engine.info.max_concurrency) == ("", MAX_PAGES)
        texts = await asyncio.gather(*(read(engine, "page", n, {}) for n in range(4)))
        assert texts == ["page"] * 4
        assert pages_started_on(folder, "cuda:5") == []

        broken.unlink()
        await all_ready(engine)

        assert engine.info.max_concurrency == 2 * MAX_PAGES
        await asyncio.gather(*(read(engine, "later", n, {}) for n in range(4)))
        assert pages_started_on(folder, "cuda:5") == ["later"] * 2


async def test_pages_wait_for_the_only_worker_that_has_started(
    started: Started, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_member, "RESTART_SECONDS", 0.05)
    (folder / "broken-cuda:5").touch()
    (folder / "hold").touch()
    async with started("cuda:0,cuda:5") as engine:
        reading = [asyncio.create_task(read(engine, FIFTY[n], n, {})) for n in range(40)]
        await until(lambda: len(pages_started_on(folder, "cuda:0")) == 40)
        (folder / "late-cuda:0").touch()
        os.kill(pid_on(folder, "cuda:0"), signal.SIGKILL)
        await until(lambda: engine.stats().restarts == {"crash": 1})
        failed = len(lines_of(folder / "failed-cuda:5"))
        await until(lambda: len(lines_of(folder / "failed-cuda:5")) > failed + 1)
        (folder / "late-cuda:0").unlink()
        (folder / "hold").unlink()

        assert await asyncio.gather(*reading) == FIFTY[:40]


async def test_when_no_device_starts_the_reason_is_raised(started: Started, folder: Path) -> None:
    for device in ("cuda:3", "cuda:4"):
        (folder / f"broken-{device}").touch()
    with pytest.raises(EngineUnavailable, match=r"There is no cuda:3\."):
        async with started("cuda:3,cuda:4"):
            pass


async def test_a_worker_that_is_lost_for_good_leaves_all_pages_to_the_other(
    started: Started, folder: Path
) -> None:
    async with started("cuda:0,cuda:1") as engine:
        await all_ready(engine)
        (folder / "hold").touch()
        reading = [asyncio.create_task(read(engine, FIFTY[n], n, {})) for n in range(10)]
        await until(lambda: len(pages_started_on(folder, "cuda:0")) == 5)
        (folder / "broken-cuda:0").touch()
        os.kill(pid_on(folder, "cuda:0"), signal.SIGKILL)
        (folder / "hold").unlink()

        assert await asyncio.gather(*reading) == FIFTY[:10]

        await until(lambda: engine.stats().workers[0].unhealthy_reason == "There is no cuda:0.")
        assert (engine.unhealthy_reason, engine.info.max_concurrency) == ("", MAX_PAGES)


async def test_closing_ends_all_workers(started: Started, folder: Path) -> None:
    async with started("cpu,cpu,cpu") as engine:
        await all_ready(engine)
        assert isinstance(engine, EnginePool)
        supervisors = [member.engine._supervisor for member in engine._members]
        pids = {supervisor.pid for supervisor in supervisors}
    assert len(pids) == 3
    assert not any(is_alive(pid) for pid in pids)
