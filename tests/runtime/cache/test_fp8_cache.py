"""Keys and values in fp8: the loss of precision, and what must not change."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dsocr.runtime.assembly import make_runtime
from dsocr.runtime.cache.kv_cache import KVCache, to_cache_dtype
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import FP8
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.scheduler import Limits
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.types import NoRepeat
from tests.runtime.goldens import golden_mode, golden_page
from tests.runtime.reading import outputs, plain_runtime, run
from tests.runtime.reference import golden
from tests.runtime.stages import Reader, distance

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPT: list[int] = golden("decoder")["input_ids"]
ERROR = 0.2
"""Relative, of hidden states to those over a float32 cache; 0.16 is seen. The random weights of the
tiny checkpoint magnify it: bfloat16's rounding, a sixteenth as coarse, makes 0.01."""


def whole(reader: Reader) -> Tensor:
    return reader.hidden(reader.chunk([], PROMPT))


def pages() -> list[Request]:
    case = next(case for case in golden("e2e")["cases"] if case["mode"] == "tiny")
    params = SamplingParams(no_repeat=NoRepeat(3), detect_repetition=False)
    return [
        Request(
            number,
            golden_page(case["image"]),
            case["prompt"] if number == 0 else "a word " * number,
            golden_mode(case),
            replace(params, max_tokens=20 + 5 * number),
        )
        for number in range(4)
    ]


def test_a_token_takes_half_the_bytes_of_bfloat16(tiny_model: DeepseekOcr) -> None:
    spec = tiny_model.spec.decoder
    cache = Reader(tiny_model, cache_dtype=FP8).cache
    tokens = cache.num_blocks * cache.block_size
    assert cache.blocks.nbytes == tokens * KVCache.bytes_per_token(spec, FP8)
    assert 2 * cache.blocks.nbytes == tokens * KVCache.bytes_per_token(spec, torch.bfloat16)


def test_what_does_not_fit_is_kept_as_the_greatest_number_and_no_number_as_none() -> None:
    kept = to_cache_dtype(torch.tensor([1.1, 449.0, -1e9, float("inf"), float("nan")]), FP8).float()
    assert kept[:4].tolist() == [1.125, 448, -448, 448]
    assert kept[4].isnan()


def test_hidden_states_stay_within_the_stated_bound(tiny_model: DeepseekOcr) -> None:
    exact = whole(Reader(tiny_model))
    error = (whole(Reader(tiny_model, cache_dtype=FP8)) - exact).norm() / exact.norm()
    assert 0.01 < error.item() < ERROR


@pytest.mark.parametrize("size", [1, 7, 16])
def test_a_prompt_in_chunks_equals_the_whole(tiny_model: DeepseekOcr, size: int) -> None:
    """A token sees itself as later ones see it, so that it matters to none what came together."""
    reader = Reader(tiny_model, cache_dtype=FP8)
    table: list[int] = []
    pieces = [
        reader.hidden(reader.chunk(table, PROMPT[done : done + size], num_cached=done))
        for done in range(0, len(PROMPT), size)
    ]
    assert distance(torch.cat(pieces), whole(reader)) <= 5e-5


def test_pages_are_read_to_their_ends(tiny_model: DeepseekOcr, tokenizer: Tokenizer) -> None:
    requested, plan = make_runtime(tiny_model, tokenizer, RuntimeConfig(cache_dtype="fp8"))
    assert plan.cache_dtype == FP8
    got = []
    for runtime in (requested, plain_runtime(tiny_model, tokenizer, cache_dtype=FP8)):
        for one in pages():
            runtime.submit(one)
        got.append(outputs(run(runtime)))
    assert got[0] == got[1]
    assert [len(got[0][number]) for number in range(4)] == [20, 25, 30, 35]


def test_preempted_pages_resume_with_the_same_tokens(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer
) -> None:
    got = []
    for free in (512, 5):
        limits = Limits(max_num_seqs=4)
        runtime = plain_runtime(tiny_model, tokenizer, cache_dtype=FP8, limits=limits)
        allocator = runtime.scheduler.allocator
        allocator.allocate(allocator.num_free - free)
        for one in pages()[1:]:
            runtime.submit(one)
        got.append(outputs(run(runtime)))
        assert (runtime.load.preemptions > 0) == (free == 5)
    assert got[0] == got[1]
