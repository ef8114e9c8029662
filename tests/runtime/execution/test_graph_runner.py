"""The runner with lookahead on the tiny checkpoint: its tokens are those of the plain runner.

Without a GPU its steps are computed by the plain model and the kernels' twins, one after another;
with one they are the graphs and kernels themselves.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from bench.texts.repetition import alarm
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.events import Done, Failed
from dsocr.runtime.execution import graph_runner
from dsocr.runtime.execution.decode_graph import DecodeOps, DecodeState
from dsocr.runtime.execution.decode_step import can_decode
from dsocr.runtime.execution.graph_runner import (
    GraphRunner,
    MakeSteps,
    Prefill,
    _StepInFlight,
    kernel_steps,
)
from dsocr.runtime.kernels.sampling import LENGTH, PROMPT
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.scheduler import Limits, ScheduledStep
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.repetition import token_kinds
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.loader import load_model
from dsocr.types import NoRepeat
from tests.runtime.goldens import golden_mode, golden_page
from tests.runtime.plain_decode import plain_steps
from tests.runtime.reading import graph_runtime, outputs, plain_runtime, run
from tests.runtime.reference import golden

pytestmark = pytest.mark.usefixtures("one_thread")

CASES = [case for case in golden("e2e")["cases"] if case["mode"] in ("tiny", "small")]
RULES = (NoRepeat(3), NoRepeat(2, 20), NoRepeat(1), NoRepeat(20), None)


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def kit(
    request: pytest.FixtureRequest, tiny_checkpoint: object, tiny_model: DeepseekOcr
) -> tuple[DeepseekOcr, MakeSteps]:
    """The model and what computes its steps."""
    if request.param == "cpu":
        return tiny_model, plain_steps
    device = torch.device("cuda")
    model = load_model(tiny_checkpoint, device=device, dtype=torch.float32, attention="sdpa")
    assert can_decode(model)
    return model, kernel_steps


def pages(count: int, *, temperature: float = 0.0) -> list[Request]:
    """Different in prompt, rule and length; pictures of the two smallest modes, or none."""
    requests = []
    for number in range(count):
        case = CASES[number % len(CASES)]
        params = SamplingParams(
            max_tokens=6 + 5 * (number % 7),
            temperature=temperature * (number % 2),
            top_p=0.9,
            seed=number,
            no_repeat=RULES[number % len(RULES)],
            detect_repetition=False,
        )
        prompt = case["prompt"] if number % 3 == 0 else "a few words, " * (5 * number + 1)
        requests.append(
            Request(number, golden_page(case["image"]), prompt, golden_mode(case), params)
        )
    return requests


Expect = Callable[[Sequence[Request]], dict[int, Done]]


@pytest.fixture(scope="module")
def expect(kit: tuple[DeepseekOcr, MakeSteps], tokenizer: Tokenizer) -> Expect:
    """How the plain runner reads these pages together. The same pages are read once."""
    known: dict[str, dict[int, Done]] = {}

    def read(requests: Sequence[Request]) -> dict[int, Done]:
        key = repr([(one.request_id, one.prompt, one.mode, one.params) for one in requests])
        if key not in known:
            runtime = plain_runtime(kit[0], tokenizer, limits=Limits(max_num_seqs=8))
            for one in requests:
                runtime.submit(one)
            done = [one for one in run(runtime) if isinstance(one, Done)]
            known[key] = {one.request_id: one for one in done}
        return known[key]

    return read


def tokens(done: dict[int, Done]) -> dict[int, list[int]]:
    return outputs(list(done.values()))


@pytest.mark.parametrize(
    ("seed", "limits"),
    [
        (1, Limits(max_num_seqs=8)),
        (2, Limits(max_num_seqs=5, max_prefill_tokens=33, prefill_share=0.5)),
        (3, Limits(max_num_seqs=1)),
    ],
)
def test_every_page_has_the_same_tokens_a_step_ahead(
    kit: tuple[DeepseekOcr, MakeSteps],
    tokenizer: Tokenizer,
    expect: Expect,
    seed: int,
    limits: Limits,
) -> None:
    model, make_steps = kit
    ahead = graph_runtime(model, tokenizer, make_steps, limits=limits)
    coming = pages(11)
    order = random.Random(seed)
    order.shuffle(coming)
    ahead.submit(coming.pop())

    def arrive() -> None:
        if coming and order.random() < 0.4:
            ahead.submit(coming.pop())

    events = run(ahead, arrive)
    while coming:
        ahead.submit(coming.pop())
        events += run(ahead)

    expected = expect(pages(11))
    assert outputs(events) == tokens(expected)
    for one in events:
        if isinstance(one, Done):
            logprobs = expected[one.request_id].logprobs
            assert one.logprobs == pytest.approx(logprobs, abs=1e-4)


def test_preempted_pages_resume_with_the_same_tokens(
    kit: tuple[DeepseekOcr, MakeSteps], tokenizer: Tokenizer, expect: Expect
) -> None:
    model, make_steps = kit
    wordy = [
        replace(one, prompt="a word", params=replace(one.params, max_tokens=40 + one.request_id))
        for one in pages(6)
    ]
    runtime = graph_runtime(model, tokenizer, make_steps, limits=Limits(max_num_seqs=6))
    allocator = runtime.scheduler.allocator
    allocator.allocate(allocator.num_free - 9)
    for one in wordy:
        runtime.submit(one)

    events = run(runtime)

    assert runtime.load.preemptions > 0
    assert outputs(events) == tokens(expect(wordy))


class Parrot:
    """A step that has one line in mind, whatever it reads; it chooses and watches as the other."""

    def __init__(self, ops: DecodeOps, line: list[int], model: DeepseekOcr) -> None:
        self.sample = ops.sample
        self._line = torch.tensor(line, device=model.device)
        self._width = model.spec.decoder.vocab_size

    def scores(self, rows: torch.Tensor, state: DecodeState) -> torch.Tensor:
        params = state.params[rows.clamp_min(0).long()].long()
        place = (params[:, LENGTH] - params[:, PROMPT]).clamp(0, len(self._line) - 1)
        return self._certain(self._line[place])

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        return self._certain(self._line[:1].expand(len(hidden)))

    def _certain(self, tokens: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros(len(tokens), self._width, device=tokens.device)
        # the others' probability is above the denormal numbers, which are slow to compute with
        return scores.scatter_(1, tokens[:, None], 80.0)


def parrots(make_steps: MakeSteps, line: list[int]) -> MakeSteps:
    def make(model: DeepseekOcr, cache: KVCache, max_rows: int) -> tuple[Prefill, DecodeOps]:
        width = model.spec.decoder.hidden_size
        step = Parrot(make_steps(model, cache, max_rows)[1], line, model)
        return lambda batch: torch.zeros(batch.num_tokens, width, device=model.device), step

    return make


def test_repetition_ends_pages_where_the_host_alone_would(
    kit: tuple[DeepseekOcr, MakeSteps], tokenizer: Tokenizer
) -> None:
    """Also one whose tokens are drawn, and those that lose their blocks meanwhile."""
    model, make_steps = kit
    line = tokenizer.encode("Dear reader, " + "thank you very much, " * 200)[:600]

    limits = Limits(max_num_seqs=3)
    runtime = graph_runtime(model, tokenizer, parrots(make_steps, line), limits=limits)
    allocator = runtime.scheduler.allocator
    allocator.allocate(allocator.num_free - 60)
    for one, temperature in zip(pages(3), (0, 1, 0), strict=True):
        params = SamplingParams(max_tokens=len(line), temperature=temperature)
        runtime.submit(replace(one, prompt="a word", params=params))
    events = run(runtime)

    assert runtime.load.preemptions > 0
    found = alarm(token_kinds(tokenizer), line)
    assert found is not None
    done = [one for one in events if isinstance(one, Done)]
    assert [one.finish_reason for one in done] == ["repetition"] * 3
    assert outputs(events) == {number: line[: found[1]] for number in range(3)}


class Scarcity:
    """Memory that runs out now and then while a step of several pages is launched."""

    def __init__(self, seed: int) -> None:
        self.risky, self.failures = False, 0
        self._dice = random.Random(seed)

    def of(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def scarce(*args: Any) -> Any:
            if self.risky and self._dice.random() < 0.04:
                self.failures += 1
                raise torch.OutOfMemoryError("CUDA out of memory")
            return function(*args)

        return scarce

    def attach(self, runner: GraphRunner) -> None:
        launch = runner.launch

        def launched(step: ScheduledStep) -> Any:
            self.risky = len(step.chunks) > 1
            return launch(step)

        runner.launch = launched  # type: ignore[method-assign]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_step_that_runs_out_of_memory_half_way_loses_no_token(
    kit: tuple[DeepseekOcr, MakeSteps],
    tokenizer: Tokenizer,
    expect: Expect,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    model, make_steps = kit
    wordy = [
        replace(one, prompt="a word", params=replace(one.params, max_tokens=40 + one.request_id))
        for one in pages(4, temperature=0.8)
    ]
    expected = tokens(expect(wordy))
    ahead = graph_runtime(model, tokenizer, make_steps, limits=Limits(max_num_seqs=4))
    for one in wordy:
        ahead.submit(one)
    scarcity = Scarcity(seed)
    for owner, name in (
        (DecodeState, "to_device"),
        (graph_runner, "draw"),
        (_StepInFlight, "copy_results"),
    ):
        monkeypatch.setattr(owner, name, scarcity.of(getattr(owner, name)))
    scarcity.attach(ahead._runner._runner)

    events = run(ahead)

    assert scarcity.failures > 5
    assert outputs(events) == expected


def test_the_device_detects_the_end_of_a_page(
    kit: tuple[DeepseekOcr, MakeSteps], tokenizer: Tokenizer
) -> None:
    model, make_steps = kit
    line = [*tokenizer.encode("The end."), tokenizer.special.eos]
    runtime = graph_runtime(model, tokenizer, parrots(make_steps, line))
    for one, temperature, most in zip(pages(3), (0, 1, 0), (99, 99, 2), strict=True):
        params = SamplingParams(max_tokens=most, temperature=temperature)
        runtime.submit(replace(one, prompt="a word", params=params))
    done = [one for one in run(runtime) if isinstance(one, Done)]
    ends = {one.request_id: (one.finish_reason, one.output_ids) for one in done}
    assert ends == {0: ("stop", line[:-1]), 1: ("stop", line[:-1]), 2: ("length", line[:2])}


def test_drawn_tokens_are_the_plain_runner_s(
    kit: tuple[DeepseekOcr, MakeSteps], tokenizer: Tokenizer, expect: Expect
) -> None:
    model, make_steps = kit
    runtime = graph_runtime(model, tokenizer, make_steps, limits=Limits(max_num_seqs=4))
    for one in pages(4, temperature=0.8):
        runtime.submit(one)
    got = {one.request_id: one for one in run(runtime) if isinstance(one, Done)}
    for number, one in expect(pages(4, temperature=0.8)).items():
        assert got[number].output_ids == one.output_ids
        assert got[number].logprobs == pytest.approx(one.logprobs, abs=1e-3)


def test_stale_values_in_the_cache_reach_no_page(
    kit: tuple[DeepseekOcr, MakeSteps], tokenizer: Tokenizer, expect: Expect
) -> None:
    model, make_steps = kit
    ahead = graph_runtime(model, tokenizer, make_steps, limits=Limits(max_num_seqs=4))
    ahead._runner._runner.cache.blocks.fill_(float("nan"))
    for one in pages(6):
        ahead.submit(one)

    assert outputs(run(ahead)) == tokens(expect(pages(6)))


def test_damaged_scores_fail_their_page_alone(
    kit: tuple[DeepseekOcr, MakeSteps], tokenizer: Tokenizer
) -> None:
    model, make_steps = kit
    alone = outputs(list(plain_runtime(model, tokenizer).generate(pages(5)[2])))
    runtime = graph_runtime(model, tokenizer, make_steps, limits=Limits(max_num_seqs=2))
    one, other = pages(5)[2], pages(5)[4]
    runtime.submit(one)
    runtime.submit(replace(other, params=replace(other.params, max_tokens=30)))
    events = runtime.step()
    while not any(sequence.slot is not None for sequence in runtime.scheduler._active[1:]):
        events += runtime.step()
    for _ in range(3):
        events += runtime.step()
    damaged = runtime.scheduler._active[1]
    runner = runtime._runner._runner
    runner.cache.blocks[:, :, damaged.block_table[0]] = float("nan")

    events += run(runtime)

    [failed] = [event for event in events if isinstance(event, Failed)]
    assert failed.request_id == damaged.request_id
    assert outputs(events) == alone
