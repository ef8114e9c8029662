"""The runtime on a CUDA device as a service makes it: whole pages, every number type, with kernels
and without. Run with a GPU only."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch

from dsocr.runtime.assembly import make_runtime
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import choose_device, choose_dtype
from dsocr.runtime.events import Done
from dsocr.runtime.execution.graph_runner import GraphRunner
from dsocr.runtime.loop import Runtime
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.loader import load_model
from dsocr.types import NoRepeat
from tests.runtime.goldens import golden_mode, golden_page
from tests.runtime.kernels.compilations import clear_compiled, num_compiled
from tests.runtime.reading import outputs, run
from tests.runtime.reference import golden

pytestmark = pytest.mark.gpu

CASES = golden("e2e")["cases"]
MAX_SEQS = 4

RuntimeOf = Callable[[torch.dtype], Runtime]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "kernels"])
def kernels(request: pytest.FixtureRequest) -> bool:
    """Whether they are asked for, as they are unless told otherwise."""
    return bool(request.param)


@pytest.fixture(scope="module")
def runtime_of(kernels: bool, tiny_checkpoint: Path, tokenizer: Tokenizer) -> RuntimeOf:
    """A runtime of such numbers, made once."""
    return cache(partial(load_runtime, tiny_checkpoint, tokenizer, kernels))


def load_runtime(
    checkpoint: Path, tokenizer: Tokenizer, kernels: bool, dtype: torch.dtype
) -> Runtime:
    """Its cache holds one context."""
    config = RuntimeConfig(
        kernels=kernels, max_num_seqs=MAX_SEQS, cache_tokens=1, max_prefill_tokens=2048
    )
    model = load_model(
        checkpoint,
        device=choose_device("cuda"),
        dtype=dtype,
        attention=config.attn_impl,
        kernels=kernels,
    )
    return make_runtime(model, tokenizer, config)[0]


@pytest.fixture(scope="module")
def exact(runtime_of: RuntimeOf) -> Runtime:
    return runtime_of(torch.float32)


def page(number: int, **params: Any) -> Request:
    """A golden case, asked for as it was when its tokens were taken down."""
    case = CASES[number]
    sampling = SamplingParams(max_tokens=40, no_repeat=NoRepeat(20), **params)
    return Request(number, golden_page(case["image"]), case["prompt"], golden_mode(case), sampling)


def read(runtime: Runtime, number: int, **params: Any) -> list[int]:
    done = list(runtime.generate(page(number, **params)))[-1]
    assert isinstance(done, Done)
    return done.output_ids


def run_idle_work(runtime: Runtime) -> None:
    """What a service does with nothing to read."""
    while runtime.run_idle_work():
        pass


def assert_equal_while_safe(number: int, output_ids: list[int]) -> None:
    expected = CASES[number]["hf_no_repeat_20"]
    safe = expected["safe_prefix_len"]
    assert output_ids[:safe] == expected["output_ids"][:safe]


def test_a_gpu_runs_by_graphs_by_default(exact: Runtime, kernels: bool) -> None:
    assert RuntimeConfig().kernels
    assert isinstance(exact._runner._runner, GraphRunner) == kernels


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=[f"{case['image'][:3]}-{case['mode']}" for case in CASES]
)
def test_float32_tokens_are_the_released_codes(exact: Runtime, number: int) -> None:
    """Also once the graphs are there that its views asked for."""
    for _ in range(2):
        assert_equal_while_safe(number, read(exact, number))
        run_idle_work(exact)


def test_pages_in_a_batch_have_the_released_codes_tokens(exact: Runtime) -> None:
    """More than there are places for, by graphs of all sizes."""
    run_idle_work(exact)
    for number in range(len(CASES)):
        exact.submit(page(number))

    got = outputs(run(exact))

    assert sorted(got) == list(range(len(CASES)))
    for number, output_ids in got.items():
        assert_equal_while_safe(number, output_ids)


def test_drawing_on_the_device_repeats_with_its_seed(exact: Runtime) -> None:
    run_idle_work(exact)
    one, two, other = (read(exact, 0, temperature=1.0, seed=seed) for seed in (1, 1, 2))
    assert one == two != other


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_16_bit_types_complete_a_page_of_every_mode(
    runtime_of: RuntimeOf, dtype: torch.dtype
) -> None:
    for number in range(5):
        assert len(read(runtime_of(dtype), number)) == 40


def test_a_gpu_is_used_with_its_best_number_type() -> None:
    device = choose_device("auto")
    assert device.type == "cuda"
    assert choose_dtype("auto", device) in (torch.bfloat16, torch.float16)


def test_no_page_waits_for_the_compiler(
    tiny_checkpoint: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start compiles all that any page needs, alone or in company."""
    clear_compiled(monkeypatch)
    runtime = load_runtime(tiny_checkpoint, tokenizer, True, torch.bfloat16)
    run_idle_work(runtime)
    device = choose_device("cuda")
    before = num_compiled(device)
    for number in range(len(CASES)):
        read(runtime, number)
    for number in range(len(CASES)):
        runtime.submit(page(number))
    run(runtime)
    assert sum(before.values()) > 20
    assert num_compiled(device) == before
