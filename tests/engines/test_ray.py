"""The engine `ray` on a cluster of this machine: replicas that die, are cancelled, and fail."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from dsocr import tracing
from dsocr.engines.ray.cluster import in_ray_thread, unusable_cluster
from dsocr.engines.ray.config import RayConfig, RayEngineConfig
from dsocr.engines.ray.engine import RayEngine, create_engine
from dsocr.engines.ray.replica import PageReplica, portable
from dsocr.errors import EngineCrashed
from dsocr.types import PageImage, PageResult
from tests.collector import Collector, collector
from tests.engines.ray_replica import HOLD
from tests.fakes import OPTIONS, page_image
from tests.processes import reserved_port
from tests.waiting import DEADLINE_SECONDS, until, wait_until

ROOT = Path(__file__).parents[2]
slow = pytest.mark.slow
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore"),  # Ray's own
]


@pytest.fixture(scope="module")
def spans() -> Iterator[Collector]:
    """Of replicas; Ray's processes inherit where they go."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    with pytest.MonkeyPatch.context() as patched, collector() as kept:
        patched.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        yield kept


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def started(
    spans: Collector,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[RayEngine, Path]]:
    """Two replicas, and the folder where they say which pages they have."""
    pytest.importorskip("ray")
    folder = tmp_path_factory.mktemp("pages")
    ray = RayConfig(
        min_replicas=2,
        max_replicas=2,
        pages_per_replica=8,
        gpus_per_replica=0,
        cpus_per_replica=0.5,
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'src'}")
        patched.setenv("RAY_raylet_start_wait_time_s", "300")
        target = "tests.engines.ray_replica:create"
        config = RayEngineConfig(ray, {"native": str(folder)}, target, spans.url)
        engine = create_engine(config)
        await engine.start()
        yield engine, folder
        await engine.close()


def held(folder: Path, index: int) -> list[int]:
    """The processes that have this page now."""
    return [int(path.name.partition("-")[2]) for path in folder.glob(f"{index}-*")]


def page(*lines: str, index: int) -> PageImage:
    return page_image(lines, index=index)


@slow
async def test_pages_are_read_and_streamed_by_replicas(started: tuple[RayEngine, Path]) -> None:
    engine, _ = started
    pieces: list[str] = []
    results = await asyncio.gather(
        *(engine.recognize(page(f"page {n}", index=n), OPTIONS) for n in range(20))
    )
    streamed = await engine.recognize(page("words", index=1), OPTIONS, on_text=pieces.append)

    assert [result.markdown for result in results] == [f"page {n}" for n in range(20)]
    assert streamed.markdown == "words" and "".join(pieces) == "<|ref|>text"
    assert (engine.info.name, engine.info.max_concurrency) == ("ray", 16)


@slow
@pytest.mark.parametrize("streams", [True, False])
async def test_pages_of_a_killed_replica_are_sent_again(
    started: tuple[RayEngine, Path], streams: bool
) -> None:
    engine, folder = started
    pieces = {number: list[str]() for number in range(30, 36)}
    before = engine.stats().retries
    (folder / HOLD).touch()
    reading = {
        number: asyncio.ensure_future(
            engine.recognize(
                page(f"page {number}", index=number),
                OPTIONS,
                on_text=taken.append if streams else None,
            )
        )
        for number, taken in pieces.items()
    }
    await until(lambda: all(held(folder, number) for number in pieces))
    killed = held(folder, 30)[0]
    os.kill(killed, signal.SIGKILL)
    for mark in folder.glob(f"*-{killed}"):
        mark.unlink()
    (folder / HOLD).unlink()
    results = await asyncio.gather(*reading.values())

    assert [result.markdown for result in results] == [f"page {number}" for number in pieces]
    assert engine.stats().retries > before
    if streams:
        assert {"".join(taken) for taken in pieces.values()} == {"<|ref|>text"}


@slow
@pytest.mark.parametrize("streams", [True, False])
async def test_cancelling_a_page_cancels_it_in_its_replica(
    started: tuple[RayEngine, Path], streams: bool
) -> None:
    engine, folder = started
    on_text = [].append if streams else None
    reading = asyncio.ensure_future(
        engine.recognize(page("@hang", index=50), OPTIONS, on_text=on_text)
    )
    await until(lambda: held(folder, 50))
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await until(lambda: not held(folder, 50))


@slow
@pytest.mark.parametrize("streams", [True, False])
async def test_the_span_of_a_replica_is_in_the_trace_of_the_request(
    started: tuple[RayEngine, Path], spans: Collector, streams: bool
) -> None:
    engine, _ = started
    tracing.start(spans.url)
    try:
        with tracing.span("ocr.engine"):
            trace_id = tracing.trace_id()
            on_text = [].append if streams else None
            await engine.recognize(page("words", index=70), OPTIONS, on_text=on_text)
    finally:
        tracing.stop()
    await until(lambda: {"ocr.engine", "ocr.replica"} <= spans.names(trace_id))


async def test_a_replica_joins_the_trace_of_its_caller() -> None:
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter = memory.InMemorySpanExporter()
    replica = PageReplica("tests.engines.test_ray:fake", None)
    tracing.start("", exporter)
    try:
        with tracing.span("ocr.engine"):
            trace = tracing.outgoing_headers()
        result = await replica.recognize(portable(page("words", index=1)), OPTIONS, trace)
    finally:
        tracing.stop()
    around, inner = exporter.get_finished_spans()
    assert isinstance(result, PageResult) and inner.name == "ocr.replica"
    assert inner.parent.span_id == around.context.span_id


@slow
async def test_errors_of_a_replica_have_a_code_and_no_internals(
    started: tuple[RayEngine, Path],
) -> None:
    engine, _ = started
    for command in ("@crash", "@oom"):
        with pytest.raises(EngineCrashed) as failed:
            await engine.recognize(page(command, index=60), OPTIONS)
        assert failed.value.message == EngineCrashed().message


@slow
@pytest.mark.parametrize(
    ("command", "status"), [("serve --port 0", 0), ("batch run work --ray --engine ppocr", 130)]
)
async def test_a_command_that_waits_for_a_cluster_ends_at_sigterm(
    tmp_path: Path, command: str, status: int
) -> None:
    pytest.importorskip("ray")
    (tmp_path / "in").mkdir()
    plan = [sys.executable, "-m", "dsocr", "batch", "plan", "work", "in"]
    subprocess.run(plan, cwd=tmp_path, check=True)
    with closing(reserved_port()) as reservation, (tmp_path / "log").open("wb") as log:
        settings = {
            "DEEPSEEK_OCR_ENGINE": "ray",
            "DEEPSEEK_OCR_RAY__ADDRESS": f"127.0.0.1:{reservation.getsockname()[1]}",
            "DEEPSEEK_OCR_RUNS_DIR": str(tmp_path / "runs"),
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "dsocr", *command.split()],
            cwd=tmp_path,
            env={**os.environ, **settings},
            stderr=log,
        )
        try:
            connecting = b"Failed to connect to GCS"  # Ray's own words, for minutes
            wait_until(lambda: connecting in (tmp_path / "log").read_bytes(), seconds=120)
            process.terminate()
            assert process.wait(DEADLINE_SECONDS) == status
        finally:
            process.kill()
            process.wait()


def test_the_event_loop_ends_while_a_cancelled_call_goes_on() -> None:
    started, go_on = threading.Event(), threading.Event()

    def connect() -> None:
        started.set()
        go_on.wait()

    async def begin_and_cancel() -> None:
        connecting = asyncio.ensure_future(in_ray_thread(connect))
        await asyncio.to_thread(started.wait)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting

    asyncio.run(begin_and_cancel())  # it would wait for a thread of its executor
    assert not go_on.is_set()
    go_on.set()


def test_what_keeps_from_a_cluster_is_said_without_addresses() -> None:
    class AuthenticationError(Exception):
        """As Ray's class of that name."""

    address = "10.1.2.3:6379"
    messages = [
        unusable_cluster(kind(address)).message
        for kind in (ImportError, AuthenticationError, ConnectionError)
    ]
    assert "dsocr[ray]" in messages[0] and "RAY_AUTH_MODE=token" in messages[1]
    assert address not in "".join(messages)


async def test_the_engine_is_described_without_ray() -> None:
    config = RayConfig(engine="ppocr", max_replicas=3, pages_per_replica=4)
    engine = create_engine(RayEngineConfig(config, {"ppocr": None}, "tests.engines.test_ray:fake"))
    assert (engine.info.name, engine.info.max_concurrency) == ("ray", 12)
    assert engine.unhealthy_reason == ""


def fake(config: None) -> object:
    from tests.fakes import FakeEngine

    return FakeEngine()
