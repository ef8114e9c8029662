"""The native engine in a process of its own on a CUDA GPU, as users have it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import torch

from dsocr.engines.deepseek.native import NativeEngine
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.types import NoRepeat, OcrOptions, PageImage
from tests.runtime.goldens import assert_text_is, golden_json, golden_page, write_reading_checkpoint

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


async def read(config: RuntimeConfig) -> str:
    engine = NativeEngine(config)
    await engine.start()
    assert engine.info.device.startswith(config.device)
    image = golden_page(CASE["image"])
    page = PageImage(0, image, image.width, image.height)
    rule = NoRepeat(20)
    options = OcrOptions(
        "custom", CASE["mode"], CASE["prompt"], max_tokens=40, no_repeat_ngram=rule
    )
    try:
        return (await engine.recognize(page, options)).raw
    finally:
        await engine.close()
