"""The native engine in a process of its own on a CUDA GPU, as users have it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import torch

from dsocr.engines.deepseek.devices import create_engine
from dsocr.engines.deepseek.native import NativeEngine
from dsocr.engines.pool import EnginePool
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.types import NoRepeat, OcrOptions, PageImage
from tests.runtime.goldens import assert_text_is, golden_json, golden_page, write_reading_checkpoint
from tests.waiting import until

CASE = next(one for one in golden_json("tiny/e2e.json")["cases"] if one["image"].startswith("a13"))

CARDS = [
    pytest.param(
        f"cuda:{number}",
        marks=pytest.mark.skipif(torch.cuda.device_count() <= number, reason="no such card"),
    )
    for number in range(2)
]


@pytest.mark.gpu
@pytest.mark.parametrize("device", CARDS)
def test_every_gpu_matches_the_released_code(tmp_path: Path, device: str) -> None:
    config = RuntimeConfig(
        model_path=write_reading_checkpoint(tmp_path),
        device=device,
        dtype="float32",
        cache_tokens=8192,
        max_num_seqs=2,
    )
    raw = asyncio.run(read(config))
    assert config.model_path is not None
    assert_text_is(raw, CASE["hf_no_repeat_20"], Tokenizer(config.model_path).decode)


@pytest.mark.gpu
def test_all_gpus_together_match_the_released_code(tmp_path: Path) -> None:
    """One worker for each GPU, the only one included."""
    config = RuntimeConfig(
        model_path=write_reading_checkpoint(tmp_path),
        device="all",
        dtype="float32",
        cache_tokens=8192,
        max_num_seqs=2,
    )
    assert config.model_path is not None
    decode = Tokenizer(config.model_path).decode
    for raw in asyncio.run(read_on_all(config)):
        assert_text_is(raw, CASE["hf_no_repeat_20"], decode)


async def read_on_all(config: RuntimeConfig) -> list[str]:
    """The text of two pages for each GPU, all of them in flight together."""
    count = torch.cuda.device_count()
    engine = create_engine(config)
    assert isinstance(engine, EnginePool if count > 1 else NativeEngine)
    try:
        await engine.start()
        await until(lambda: all(one.state == "ready" for one in engine.stats().workers))
        devices = [device.split()[0] for device in engine.info.device.split(", ")]
        assert devices == [f"cuda:{number}" for number in range(count)]
        pages = [engine.recognize(*page_and_options()) for _ in range(2 * count)]
        return [result.raw for result in await asyncio.gather(*pages)]
    finally:
        await engine.close()


async def read(config: RuntimeConfig) -> str:
    engine = NativeEngine(config)
    await engine.start()
    assert engine.info.device.startswith(config.device)
    try:
        return (await engine.recognize(*page_and_options())).raw
    finally:
        await engine.close()


def page_and_options() -> tuple[PageImage, OcrOptions]:
    image = golden_page(CASE["image"])
    rule = NoRepeat(20)
    options = OcrOptions(
        "custom", CASE["mode"], CASE["prompt"], max_tokens=40, no_repeat_ngram=rule
    )
    return PageImage(0, image, image.width, image.height), options
