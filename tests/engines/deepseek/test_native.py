"""The native engine on the tiny checkpoint: a real process, real tokens, real faults."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dsocr import tracing
from dsocr.engines.deepseek.native import NativeEngine
from dsocr.engines.deepseek.page_result import block_confidences
from dsocr.engines.stats import EngineStats
from dsocr.errors import BadCheckpoint, BadRequest, ContextTooLong, EngineUnavailable
from dsocr.metrics import PrometheusMetrics, observing
from dsocr.runtime.config import RuntimeConfig
from dsocr.types import Box, NoRepeat, OcrOptions, PageImage, TextLine
from tests.engines.looping_worker import AGAIN, GOOD
from tests.runtime.goldens import (
    assert_text_is,
    golden_json,
    golden_page,
    write_reading_checkpoint,
)
from tests.test_metrics import values_of
from tests.waiting import DEADLINE_SECONDS, until

pytest.importorskip("torch")
pytestmark = pytest.mark.asyncio(loop_scope="module")  # one process for most tests: torch is slow

E2E = golden_json("tiny/e2e.json")["cases"]
CASE = next(case for case in E2E if case["image"].startswith("a13"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reading_checkpoint(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def config(checkpoint: Path) -> RuntimeConfig:
    return RuntimeConfig(model_path=checkpoint, device="cpu")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(config: RuntimeConfig) -> AsyncIterator[NativeEngine]:
    engine = NativeEngine(config)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")  # more threads only slow each other down
        await engine.start()
        yield engine
    await engine.close()


def page(case: dict[str, Any] = CASE, *, index: int = 0) -> PageImage:
    image = golden_page(case["image"])
    return PageImage(index, image, image.width, image.height)


def options(case: dict[str, Any] = CASE, **changes: Any) -> OcrOptions:
    numbers: dict[str, Any] = {
        "task": "custom",
        "mode": case["mode"],
        "prompt": case["prompt"],
        "max_tokens": 40,
        "no_repeat_ngram": NoRepeat(20),
    }
    return OcrOptions(**numbers | changes)


async def test_info_describes_the_device(engine: NativeEngine) -> None:
    assert engine.info.name == "native" and engine.info.device == "cpu"
    details = dict(engine.info.details)
    assert details["dtype"] == "float32"
    assert details["attention"] == "sdpa (flash_attention_2 cannot run here)"


async def test_int8_experts_and_fp8_cache_are_reported_and_pages_recognized(
    config: RuntimeConfig,
) -> None:
    engine = NativeEngine(replace(config, expert_dtype="int8", cache_dtype="fp8"))
    await engine.start()
    try:
        assert dict(engine.info.details)["dtype"] == "float32, experts int8, cache fp8"
        assert list(engine.stages) == sorted(engine.stages, key=lambda stage: engine.stages[stage])
        result = await engine.recognize(page(), options(max_tokens=5))
        assert result.usage.completion_tokens == 5
    finally:
        await engine.close()


async def test_spans_of_the_process_are_in_the_trace_of_the_page(engine: NativeEngine) -> None:
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter = memory.InMemorySpanExporter()
    metrics = PrometheusMetrics()
    tracing.start("", exporter)
    try:
        with tracing.span("ocr.engine"), observing(metrics):
            await engine.recognize(page(), options(max_tokens=5))
    finally:
        tracing.stop()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    around = spans.pop("ocr.engine")
    stages = ["preprocess", "wait", "prefill", "decode", "postprocess"]
    assert list(spans) == [f"ocr.{stage}" for stage in stages]
    for span in spans.values():
        assert span.parent.span_id == around.context.span_id
        assert around.start_time <= span.start_time <= span.end_time <= around.end_time
    counted = values_of(metrics.render())
    for stage in stages:
        assert counted[f'dsocr_stage_seconds_count{{stage="{stage}"}}'] == 1


async def test_streamed_text_adds_up_to_the_raw_text(engine: NativeEngine, tokenizer: Any) -> None:
    pieces: list[str] = []
    result = await engine.recognize(page(index=4), options(), on_text=pieces.append)

    assert_text_is(result.raw, CASE["hf_no_repeat_20"], tokenizer.decode)
    assert "".join(pieces) == result.raw
    assert (result.index, result.width, result.height) == (4, 800, 1200)
    assert result.finish_reason == "length"
    assert result.usage.prompt_tokens == CASE["n_input_ids"]
    assert (result.usage.vision_tokens, result.usage.completion_tokens) == (111, 40)
    confidences = {block.confidence for block in result.blocks}
    assert all(one is not None and 0 < one < 1 for one in confidences)


async def test_lines_are_those_of_a_born_digital_text_layer(engine: NativeEngine) -> None:
    lines = (TextLine("a line", Box(0.1, 0.1, 0.9, 0.2)),)
    short = options(max_tokens=2)

    with_layer = await engine.recognize(replace(page(), text_lines=lines), short)
    without = await engine.recognize(page(), short)

    assert (with_layer.lines, without.lines) == (lines, ())
    assert with_layer.raw == without.raw


async def test_pages_in_flight_together_each_get_their_own_result(engine: NativeEngine) -> None:
    prompts = [f"page number {number}" for number in range(5)]
    alone = [
        await engine.recognize(page(), options(prompt=prompt, max_tokens=5)) for prompt in prompts
    ]

    together = await asyncio.gather(
        *(engine.recognize(page(), options(prompt=prompt, max_tokens=5)) for prompt in prompts)
    )

    assert [one.raw for one in together] == [one.raw for one in alone]
    assert len({one.raw for one in together}) > 1


async def test_cancelled_pages_let_the_next_one_run(engine: NativeEngine) -> None:
    endless = asyncio.create_task(engine.recognize(page(), options(max_tokens=None)))
    streamed = asyncio.Event()
    streaming = asyncio.create_task(
        engine.recognize(page(), options(max_tokens=None), on_text=lambda _: streamed.set())
    )
    endless.cancel()
    await asyncio.wait_for(streamed.wait(), DEADLINE_SECONDS)
    assert not streaming.done(), "its text came with its end and not before"
    streaming.cancel()
    await asyncio.gather(endless, streaming, return_exceptions=True)

    result = await asyncio.wait_for(
        engine.recognize(page(), options(max_tokens=3)), DEADLINE_SECONDS
    )

    assert result.usage.completion_tokens == 3


async def test_killing_the_process_loses_no_page(engine: NativeEngine) -> None:
    short = options(max_tokens=12)
    expected = (await engine.recognize(page(), short)).raw
    pieces: list[str] = []
    killed = False

    def kill_once(piece: str) -> None:
        nonlocal killed
        pieces.append(piece)
        if not killed:
            killed = True
            supervisor = engine._supervisor
            assert supervisor is not None and supervisor.pid is not None
            os.kill(supervisor.pid, signal.SIGKILL)

    reading = [engine.recognize(page(), short, on_text=kill_once)]
    reading += [engine.recognize(page(), short) for _ in range(3)]
    results = await asyncio.gather(*reading)

    assert [one.raw for one in results] == [expected] * 4
    assert "".join(pieces) == expected


async def test_errors_of_the_request_are_reported_as_such(engine: NativeEngine) -> None:
    with pytest.raises(BadRequest, match="2 <image> marks"):
        await engine.recognize(page(), options(prompt="<image><image>"))
    with pytest.raises(ContextTooLong, match="8192"):
        await engine.recognize(page(), options(prompt="<image>" + "word, " * 5000))


async def test_killing_the_process_under_fifty_pages_loses_none(checkpoint: Path) -> None:
    engine = NativeEngine(RuntimeConfig(model_path=checkpoint, device="cpu", max_num_seqs=48))
    short = options(mode="tiny", max_tokens=6)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_NUM_THREADS", "1")
        alone = await engine.recognize(page(), short)
        supervisor = engine._supervisor
        assert supervisor is not None and supervisor.pid is not None
        pages = supervisor._inflight.pages.values()
        # frozen until all are sent, then killed while it reads
        os.kill(supervisor.pid, signal.SIGSTOP)
        reading = [asyncio.create_task(engine.recognize(page(), short)) for _ in range(50)]
        in_flight = min(50, engine.info.max_concurrency)
        await until(lambda: sum(page.sent for page in pages) == in_flight)
        os.kill(supervisor.pid, signal.SIGCONT)
        await until(lambda: any(page.started_at is not None for page in pages))
        os.kill(supervisor.pid, signal.SIGKILL)

        results = await asyncio.gather(*reading)

    assert {result.raw for result in results} == {alone.raw}
    assert supervisor.restarts == {"crash": 1} and supervisor.num_retries > 1
    await engine.close()


async def test_closing_fails_pages_in_flight(config: RuntimeConfig) -> None:
    engine = NativeEngine(config)
    await engine.start()
    streamed = asyncio.Event()
    waiting = asyncio.create_task(
        engine.recognize(page(), options(max_tokens=None), on_text=lambda _: streamed.set())
    )
    await asyncio.wait_for(streamed.wait(), DEADLINE_SECONDS)

    await engine.close()

    with pytest.raises(EngineUnavailable):
        await waiting
    await engine.close()


async def test_missing_weights_are_reported_before_a_process_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    with pytest.raises(BadCheckpoint, match="no weights in"):
        await NativeEngine(RuntimeConfig(model_path=tmp_path)).start()
    (tmp_path / "model.gguf").touch()
    with pytest.raises(BadCheckpoint, match=r"another format \(\*\.gguf\)"):
        await NativeEngine(RuntimeConfig(model_path=tmp_path)).start()
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(BadCheckpoint, match=r"incomplete: config\.json, tokenizer\.json"):
        await NativeEngine(RuntimeConfig(model_path=tmp_path)).start()


async def test_a_checkpoint_of_another_shape_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    for file in checkpoint.iterdir():
        (tmp_path / file.name).symlink_to(file)
    config = json.loads((checkpoint / "config.json").read_text())
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    engine = NativeEngine(RuntimeConfig(model_path=tmp_path, device="cpu"))

    with pytest.raises(BadCheckpoint, match=r"missing: model\.layers\.3\."):
        await engine.start()
    await engine.close()


async def test_a_missing_device_is_reported(checkpoint: Path) -> None:
    engine = NativeEngine(RuntimeConfig(model_path=checkpoint, device="toaster"))
    with pytest.raises(EngineUnavailable, match="no device 'toaster'"):
        await engine.start()
    await engine.close()


async def test_confidence_is_the_mean_over_the_tokens_of_a_reference() -> None:
    first, second = "<|ref|>text<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>\nA\n", "one more"
    raw = "lead" + first + first.replace("A", second)
    pieces = ["lead", first, first.replace("A", second)]
    ends = [sum(len(piece) for piece in pieces[: n + 1]) for n in range(3)]

    got = block_confidences(raw, [-9.0, math.log(0.5), math.log(0.25)], ends)

    assert got == pytest.approx([0.5, 0.25])


async def test_the_pages_in_flight_are_those_of_the_present_process(
    config: RuntimeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = NativeEngine(config, worker="tests.engines.looping_worker:loop")
    monkeypatch.setenv("MAX_PAGES", "8")
    try:
        await engine.start()
        assert engine.info.max_concurrency == 8
        monkeypatch.setenv("MAX_PAGES", "4")
        assert engine._supervisor is not None and engine._supervisor.pid is not None
        os.kill(engine._supervisor.pid, signal.SIGKILL)
        await until(lambda: engine.info.max_concurrency == 4)
    finally:
        await engine.close()


async def test_stats_are_empty_before_the_start(config: RuntimeConfig) -> None:
    assert NativeEngine(config).stats() == EngineStats()


async def test_a_page_that_looped_ends_where_its_loop_began(config: RuntimeConfig) -> None:
    engine = NativeEngine(config, worker="tests.engines.looping_worker:loop")
    pieces: list[str] = []
    try:
        result = await engine.recognize(page(), options(), on_text=pieces.append)
    finally:
        await engine.close()

    assert "".join(pieces) == GOOD + 20 * AGAIN
    assert (result.raw, result.finish_reason) == (GOOD, "repetition")
    (block,) = result.blocks
    assert block.text == "Once upon a time," and block.confidence is not None
    assert result.usage.completion_tokens == len(GOOD)
