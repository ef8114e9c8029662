"""Many pages at once on the tiny checkpoint: each has the tokens it has alone."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import Tensor

from dsocr.runtime.cache.batch import Batch
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.events import Done, Failed, Text
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.scheduler import Limits
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.types import NoRepeat
from tests.runtime.goldens import golden_mode, golden_page
from tests.runtime.reading import outputs, plain_runtime, run
from tests.runtime.reference import golden

pytestmark = pytest.mark.usefixtures("one_thread")

CASES = golden("e2e")["cases"]


def pages() -> list[Request]:
    """A page of every mode but the largest, different in picture and prompt, and one of words."""
    by_mode = {case["mode"]: case for case in CASES if case["mode"] != "large"}
    requests = [
        Request(
            number,
            golden_page(case["image"]),
            case["prompt"],
            golden_mode(case),
            SamplingParams(max_tokens=8 + 2 * number, no_repeat=NoRepeat(20)),
        )
        for number, case in enumerate(by_mode.values())
    ]
    last = requests[0]
    words = Request(9, last.image, "no picture", last.mode, SamplingParams(max_tokens=12))
    return [*requests, words]


@pytest.fixture(scope="module")
def alone(tiny_model: DeepseekOcr, tokenizer: Tokenizer) -> dict[int, list[int]]:
    """What each page says when nothing else is read."""
    got: dict[int, list[int]] = {}
    for one in pages():
        runtime = plain_runtime(tiny_model, tokenizer, limits=Limits(max_prefill_tokens=8192))
        got |= outputs(list(runtime.generate(one)))
    return got


@pytest.mark.parametrize(
    ("seed", "limits", "lookahead"),
    [
        (1, Limits(max_num_seqs=8), 0),
        (2, Limits(max_num_seqs=8, max_prefill_tokens=64), 1),
        (3, Limits(max_num_seqs=3, max_prefill_tokens=37, prefill_share=0.3), 0),
        (4, Limits(max_num_seqs=2, max_prefill_tokens=300, max_encode_pixels=1), 1),
    ],
)
def test_a_page_has_the_same_tokens_alone_and_in_any_batch(
    tiny_model: DeepseekOcr,
    tokenizer: Tokenizer,
    alone: dict[int, list[int]],
    seed: int,
    limits: Limits,
    lookahead: int,
) -> None:
    runtime = plain_runtime(tiny_model, tokenizer, limits=limits, lookahead=lookahead)
    order = random.Random(seed)
    coming = pages()
    order.shuffle(coming)
    runtime.submit(coming.pop())

    def arrive() -> None:
        if coming and order.random() < 0.4:
            runtime.submit(coming.pop())

    events = run(runtime, arrive)
    while coming:
        runtime.submit(coming.pop())
        events += run(runtime)

    assert outputs(events) == alone
    for number, tokens in alone.items():
        pieces = [one.text for one in events if isinstance(one, Text) and one.request_id == number]
        assert "".join(pieces) == tokenizer.decode(tokens)


def small_memory(model: DeepseekOcr, monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """A device that cannot take more than `most` tokens in a step. The sizes that were tried."""
    real, sizes = model.forward, []

    def forward(batch: Batch, cache: KVCache) -> Tensor:
        sizes.append(batch.num_tokens)
        if batch.num_tokens > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return real(batch, cache)

    monkeypatch.setattr(model, "forward", forward)
    return sizes


@pytest.mark.parametrize(("most", "lookahead"), [(200, 0), (64, 1)])
def test_a_step_that_does_not_fit_is_computed_in_parts_with_the_same_tokens(
    tiny_model: DeepseekOcr,
    tokenizer: Tokenizer,
    alone: dict[int, list[int]],
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    lookahead: int,
) -> None:
    sizes = small_memory(tiny_model, monkeypatch, most)
    runtime = plain_runtime(
        tiny_model, tokenizer, limits=Limits(max_num_seqs=8), lookahead=lookahead
    )
    for one in pages():
        runtime.submit(one)

    events = run(runtime)

    assert max(sizes) > most
    assert outputs(events) == alone
    assert runtime.load.out_of_memory > 0
    assert runtime.load.cache_used == 0


def test_a_page_that_does_not_fit_alone_fails_alone(
    tiny_model: DeepseekOcr,
    tokenizer: Tokenizer,
    alone: dict[int, list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = VisionRunner.encode
    largest = max(pages(), key=lambda one: one.mode == "gundam")

    def encode(self: VisionRunner, views: Any) -> list[Tensor]:
        if any(one.tiles is not None for one in views):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return real(self, views)

    monkeypatch.setattr(VisionRunner, "encode", encode)
    runtime = plain_runtime(tiny_model, tokenizer, limits=Limits(max_num_seqs=8))
    for one in pages():
        runtime.submit(one)

    events = run(runtime)

    [failed] = [one for one in events if isinstance(one, Failed)]
    assert (failed.request_id, failed.code) == (largest.request_id, "engine_crash")
    assert "memory" in failed.message and "CUDA" not in failed.message
    assert outputs(events) == {n: ids for n, ids in alone.items() if n != largest.request_id}
    assert runtime.load.cache_used == 0


def test_scores_that_are_not_numbers_fail_their_page_alone(
    tiny_model: DeepseekOcr,
    tokenizer: Tokenizer,
    alone: dict[int, list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = tiny_model.logits

    def logits(hidden: Tensor) -> Tensor:
        scores = real(hidden).clone()
        if len(scores) == len(alone):
            scores[-1] = float("nan")
        return scores

    monkeypatch.setattr(tiny_model, "logits", logits)
    runtime = plain_runtime(tiny_model, tokenizer, limits=Limits(max_num_seqs=8))
    for one in pages():
        runtime.submit(one)

    events = run(runtime)

    [failed] = [one for one in events if isinstance(one, Failed)]
    assert "float32" in failed.message
    assert outputs(events) == {n: ids for n, ids in alone.items() if n != failed.request_id}


@pytest.mark.parametrize("kind", ["sdpa", "eager"])
def test_stale_values_in_the_cache_reach_no_page(
    tiny_model: DeepseekOcr,
    tokenizer: Tokenizer,
    alone: dict[int, list[int]],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    for layer in tiny_model.decoder.layers:
        monkeypatch.setattr(layer.self_attn, "kind", kind)
    runtime = plain_runtime(tiny_model, tokenizer, limits=Limits(max_num_seqs=8))
    runtime._runner._runner.cache.blocks.fill_(float("nan"))
    for one in pages():
        runtime.submit(one)

    assert outputs(run(runtime)) == alone


@pytest.mark.parametrize("lookahead", [0, 1])
@pytest.mark.parametrize("steps", [1, 2, 3, 5, 9])
def test_cancelling_all_pages_in_flight_frees_every_block(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, steps: int, lookahead: int
) -> None:
    limits = Limits(max_num_seqs=2, max_prefill_tokens=64)
    runtime = plain_runtime(tiny_model, tokenizer, limits=limits, lookahead=lookahead)
    for one in pages()[:3]:
        runtime.submit(one)
    for _ in range(steps):
        runtime.step()

    for one in pages()[:3]:
        runtime.cancel(one.request_id)

    late = runtime.step()  # collects what is in flight, if anything
    assert not any(isinstance(one, Done | Text) for one in late)
    assert not runtime.has_work and runtime.load.cache_used == 0
