"""The runtime on a CUDA device: whole pages, every number type. Run with a GPU only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dsocr.runtime.devices import choose_device, choose_dtype
from dsocr.runtime.intake import Request
from dsocr.runtime.loader import load_model
from dsocr.runtime.ngram import NoRepeat
from dsocr.runtime.preprocess import Resolution
from dsocr.runtime.runtime import Done, Runtime
from dsocr.runtime.sequence import SamplingParams
from dsocr.runtime.tokenizer import Tokenizer
from tests.runtime.goldens import golden_page
from tests.runtime.reading import plain_runtime
from tests.runtime.reference import golden

pytestmark = pytest.mark.gpu

CASES = golden("e2e")["cases"]


def read(runtime: Runtime, case: dict[str, Any], **params: Any) -> Done:
    resolution = Resolution(case["base_size"], case["image_size"], case["crop_mode"])
    sampling = SamplingParams(max_tokens=40, no_repeat=NoRepeat(20), **params)
    page = golden_page(case["image"])
    done = list(runtime.read(Request(1, page, case["prompt"], resolution, sampling)))[-1]
    assert isinstance(done, Done)
    return done


def runtime_of(folder: Path, tokenizer: Tokenizer, dtype: torch.dtype) -> Runtime:
    model = load_model(
        folder, device=choose_device("cuda"), dtype=dtype, attention="flash_attention_2"
    )
    return plain_runtime(model, tokenizer)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['image'][:3]}-{case['mode']}")
def test_float32_tokens_are_the_released_codes(
    tiny_checkpoint: Path, tokenizer: Tokenizer, case: dict[str, Any]
) -> None:
    expected = case["hf_no_repeat_20"]
    safe = expected["safe_prefix_len"]
    done = read(runtime_of(tiny_checkpoint, tokenizer, torch.float32), case)
    assert done.output_ids[:safe] == expected["output_ids"][:safe]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_shorter_numbers_read_every_mode_to_the_end(
    tiny_checkpoint: Path, tokenizer: Tokenizer, dtype: torch.dtype
) -> None:
    runtime = runtime_of(tiny_checkpoint, tokenizer, dtype)
    for case in CASES[:5]:
        assert len(read(runtime, case).output_ids) == 40


def test_drawing_on_the_device_repeats_with_its_seed(
    tiny_checkpoint: Path, tokenizer: Tokenizer
) -> None:
    runtime = runtime_of(tiny_checkpoint, tokenizer, torch.float32)
    one, two, other = (
        read(runtime, CASES[0], temperature=1.0, seed=seed).output_ids for seed in (1, 1, 2)
    )
    assert one == two != other


def test_the_card_is_used_with_the_best_number_type_it_has() -> None:
    device = choose_device("auto")
    assert device.type == "cuda"
    assert choose_dtype("auto", device) in (torch.bfloat16, torch.float16)
