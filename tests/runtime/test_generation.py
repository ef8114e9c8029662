"""Whole generations against the released code's tokens, and what ends them."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dsocr.runtime.cache.batch import Batch
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.execution.decode_step import can_decode
from dsocr.runtime.execution.graph_runner import GraphRunner
from dsocr.runtime.execution.model_runner import ModelRunner
from dsocr.runtime.execution.sampler import NotANumber, SampledRun, SampledToken, sample
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.scheduler import Limits, Scheduler
from dsocr.runtime.scheduling.sequence import SamplingParams, Sequence
from dsocr.runtime.text.tokenizer import SpecialTokens, Tokenizer
from dsocr.runtime.weights.loader import load_model
from dsocr.types import NoRepeat
from tests.runtime.reference import golden

pytestmark = pytest.mark.usefixtures("one_thread")

DECODER = golden("decoder")


@dataclass
class Restricted:
    """A model that can say only the allowed tokens."""

    model: DeepseekOcr
    allowed: list[int]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def forward(self, batch: Batch, cache: KVCache) -> Tensor:
        return self.model.forward(batch, cache)

    def logits(self, hidden: Tensor) -> Tensor:
        scores = self.model.logits(hidden)
        only = torch.full_like(scores, float("-inf"))
        only[:, self.allowed] = scores[:, self.allowed]
        return only


def sampling(golden: dict[str, Any]) -> SamplingParams:
    numbers = golden["params"]
    guard = None
    if golden["kind"] != "none":
        guard = NoRepeat(numbers["ngram_size"], numbers.get("window_size"))
    return SamplingParams(max_tokens=golden["max_new_tokens"], no_repeat=guard)


RunnerFor = Callable[[SpecialTokens], ModelRunner]


def plain(model: Any) -> ModelRunner:
    return ModelRunner(model, num_tokens=1024)


@pytest.fixture(scope="module", params=["plain", pytest.param("kernels", marks=pytest.mark.gpu)])
def runner_for(
    request: pytest.FixtureRequest, tiny_checkpoint: Path, tiny_model: DeepseekOcr
) -> RunnerFor:
    """Runners for sequences of such special tokens: the plain one, and kernels by CUDA graphs."""
    if request.param == "plain":
        return lambda special: plain(tiny_model)
    model = load_model(
        tiny_checkpoint,
        device=torch.device("cuda"),
        dtype=torch.float32,
        attention="sdpa",
        kernels=True,
    )
    assert can_decode(model)
    return lambda special: GraphRunner(model, num_tokens=1024, max_num_seqs=4, special=special)


def generate(runner: ModelRunner, sequences: Many[Sequence], limits: Limits | None = None) -> int:
    """Runs the sequences together until each has ended. Returns the number of preemptions."""
    scheduler = Scheduler(runner.allocator, limits or Limits(max_num_seqs=len(sequences)))
    for one in sequences:
        scheduler.add(one)
    while scheduler.num_waiting + scheduler.num_running:
        scheduler.start_encoding()
        advance(scheduler, runner)
    assert runner.allocator.num_free == runner.allocator.num_blocks
    return scheduler.num_preemptions


def advance(scheduler: Scheduler, runner: ModelRunner) -> None:
    step = scheduler.schedule()
    assert step is not None
    for chunk, result in zip(step.chunks, runner.launch(step).collect(), strict=True):
        if not chunk.samples:
            continue
        for one in result.results if isinstance(result, SampledRun) else (result,):
            if isinstance(one, SampledToken):
                chunk.sequence.append(one.token, one.logprob, ending=one.ending)
            else:
                chunk.sequence.finish_reason = "stop"
        if chunk.sequence.finish_reason:
            scheduler.drop(chunk.sequence)
    scheduler.finish_step(step)


def sequence(ids: list[int], golden: dict[str, Any], tokenizer: Tokenizer) -> Sequence:
    exempt = frozenset(golden["params"].get("whitelist", ()))
    special = replace(tokenizer.special, cells=exempt, eos=-1)
    return Sequence(ids, sampling(golden), 1000, special)


def named(part: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(one, id=f"{one['kind']}-" + "-".join(str(v) for v in one["params"].values()))
        for one in part["generations"]
    ]


def assert_equal_while_safe(output: list[int], golden: dict[str, Any]) -> None:
    safe = golden["safe_prefix_len"]
    assert output[:safe] == golden["output_ids"][:safe]
    assert len(output) == len(golden["output_ids"]) or safe < len(golden["output_ids"])


@pytest.mark.parametrize("case", named(DECODER))
def test_tokens_are_the_released_codes(
    runner_for: RunnerFor, tokenizer: Tokenizer, case: dict[str, Any]
) -> None:
    one = sequence(DECODER["input_ids"], case, tokenizer)
    generate(runner_for(one.special), [one])
    assert_equal_while_safe(one.output_ids, case)


@pytest.mark.parametrize("case", named(DECODER["repeated_prompt"]))
def test_a_prompt_that_repeats_itself_counts_as_in_the_released_code(
    runner_for: RunnerFor, tokenizer: Tokenizer, case: dict[str, Any]
) -> None:
    one = sequence(DECODER["repeated_prompt"]["input_ids"], case, tokenizer)
    generate(runner_for(one.special), [one])
    assert_equal_while_safe(one.output_ids, case)


@pytest.mark.parametrize("case", named(DECODER["restricted_vocab"]))
def test_loops_are_broken_where_the_released_code_breaks_them(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, case: dict[str, Any]
) -> None:
    part = DECODER["restricted_vocab"]
    one = sequence(part["input_ids"], case, tokenizer)
    generate(plain(Restricted(tiny_model, part["allowed_ids"])), [one])
    assert_equal_while_safe(one.output_ids, case)


def test_a_sequence_has_the_same_tokens_alone_and_in_a_batch(
    runner_for: RunnerFor, tokenizer: Tokenizer
) -> None:
    prompts = [DECODER["input_ids"][:n] for n in (48, 5, 17)]
    case = {"kind": "none", "params": {}, "max_new_tokens": 12}
    alone = [sequence(ids, case, tokenizer) for ids in prompts]
    runner = runner_for(alone[0].special)
    for one in alone:
        generate(runner, [one])

    together = [sequence(ids, case, tokenizer) for ids in prompts]
    generate(runner, together)

    assert [one.output_ids for one in together] == [one.output_ids for one in alone]


@pytest.mark.parametrize("size", [1, 3, 16, 47])
def test_a_prompt_prefilled_in_chunks_is_continued_as_the_whole(
    runner_for: RunnerFor, tokenizer: Tokenizer, size: int
) -> None:
    case = {"kind": "none", "params": {}, "max_new_tokens": 6}
    whole, chunked = (sequence(DECODER["input_ids"], case, tokenizer) for _ in range(2))
    runner = runner_for(whole.special)
    generate(runner, [whole])

    generate(runner, [chunked], Limits(max_prefill_tokens=size))

    assert chunked.output_ids == whole.output_ids


SPECIAL = SpecialTokens(bos=0, eos=1, image=2, cells=frozenset())


def seq(**params: Any) -> Sequence:
    return Sequence([0], SamplingParams(**params), 100, SPECIAL)


def test_eos_ends_the_page_and_is_no_output() -> None:
    one = seq()
    for token in (7, SPECIAL.eos):
        one.append(token, -0.1, ending=one.ending_with(token))
    assert (one.output_ids, one.finish_reason) == ([7], "stop")


def test_the_last_allowed_token_ends_the_page_by_length() -> None:
    one = seq(max_tokens=2)
    one.append(7, -0.1, ending=one.ending_with(7))
    assert one.finish_reason is None
    one.append(8, -0.1, ending=one.ending_with(8))
    assert (one.output_ids, one.finish_reason) == ([7, 8], "length")


def test_max_tokens_beyond_the_context_are_cut_to_it() -> None:
    assert Sequence([0], SamplingParams(max_tokens=9000), 50, SPECIAL).max_new_tokens == 50


def test_the_log_probability_is_of_the_scores_before_any_ban() -> None:
    one = seq(no_repeat=NoRepeat(1))
    one.append(3, 0.0, ending=None)
    scores = torch.tensor([[0.0, 0.0, 1.0, 5.0]])
    expected = scores.log_softmax(-1)[0, 2].item()

    [result] = sample(scores.clone(), [one])

    assert isinstance(result, SampledToken) and result.token == 2
    assert result.logprob == pytest.approx(expected, abs=1e-6)


def test_no_token_is_sampled_when_all_are_banned() -> None:
    one = seq(no_repeat=NoRepeat(1))
    one.output_ids += [1, 2]
    assert sample(torch.tensor([[float("-inf"), 2.0, 1.0]]), [seq(), one][1:]) == [None]


def test_scores_that_are_not_numbers_affect_their_row_alone() -> None:
    bad, good = sample(torch.tensor([[float("nan"), 1.0], [0.0, 1.0]]), [seq(), seq()])
    assert isinstance(bad, NotANumber)
    assert isinstance(good, SampledToken) and good.token == 1


def draw(scores: Tensor, one: Sequence) -> int:
    """The next token, which the page goes on with."""
    [result] = sample(scores.clone(), [one])
    assert isinstance(result, SampledToken)
    one.append(result.token, result.logprob, ending=None)
    return result.token


def test_drawing_follows_the_probabilities_and_the_seed() -> None:
    scores = torch.tensor([[0.5, 0.3, 0.2]]).log()
    one = seq(temperature=1.0, seed=5)
    drawn = [draw(scores, one) for _ in range(3000)]
    shares = [drawn.count(token) / len(drawn) for token in range(3)]
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.04)

    again = seq(temperature=1.0, seed=5)
    first = [draw(scores, again) for _ in range(50)]
    assert first == drawn[:50]


def test_top_p_keeps_the_likeliest_that_reach_it() -> None:
    scores = torch.tensor([[0.15, 0.5, 0.35]]).log()
    one = seq(temperature=1.0, top_p=0.6)
    drawn = {draw(scores, one) for _ in range(300)}
    assert drawn == {1, 2}

    tight = seq(temperature=1.0, top_p=0.01)
    drawn = {draw(scores, tight) for _ in range(50)}
    assert drawn == {1}


def test_greedy_and_drawn_sequences_share_a_step() -> None:
    scores = torch.tensor([[0.0, 3.0], [3.0, 0.0]])
    results = sample(scores, [seq(), seq(temperature=0.01)])
    assert [result.token for result in results if isinstance(result, SampledToken)] == [1, 0]
