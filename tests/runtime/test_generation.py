"""Whole generations against the released code's tokens, and what ends them."""

from __future__ import annotations

from collections.abc import Sequence as Many
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from dsocr.runtime.batch import Batch
from dsocr.runtime.kv_cache import KVCache
from dsocr.runtime.model_runner import ModelRunner
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.ngram import NoRepeat
from dsocr.runtime.sampler import NotANumber, sample
from dsocr.runtime.sequence import SamplingParams, Sequence
from dsocr.runtime.tokenizer import SpecialTokens, Tokenizer
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


def generate(model: Any, sequences: Many[Sequence]) -> None:
    """Runs the sequences together until each has ended."""
    runner = ModelRunner(model, num_tokens=1024)
    before = runner.allocator.num_free
    running = list(sequences)
    while running:
        running.sort(key=lambda one: not one.is_decoding)
        for one, choice in zip(running, runner.step(running), strict=True):
            if choice is None:
                one.finish_reason = "stop"
            else:
                one.append(choice.token, choice.logprob)
        for one in [one for one in running if one.finish_reason]:
            runner.release(one)
            running.remove(one)
    assert runner.allocator.num_free == before


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
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, case: dict[str, Any]
) -> None:
    one = sequence(DECODER["input_ids"], case, tokenizer)
    generate(tiny_model, [one])
    assert_equal_while_safe(one.output_ids, case)


@pytest.mark.parametrize("case", named(DECODER["repeated_prompt"]))
def test_a_prompt_that_repeats_itself_counts_as_in_the_released_code(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, case: dict[str, Any]
) -> None:
    one = sequence(DECODER["repeated_prompt"]["input_ids"], case, tokenizer)
    generate(tiny_model, [one])
    assert_equal_while_safe(one.output_ids, case)


@pytest.mark.parametrize("case", named(DECODER["restricted_vocab"]))
def test_loops_are_broken_where_the_released_code_breaks_them(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, case: dict[str, Any]
) -> None:
    part = DECODER["restricted_vocab"]
    one = sequence(part["input_ids"], case, tokenizer)
    generate(Restricted(tiny_model, part["allowed_ids"]), [one])
    assert_equal_while_safe(one.output_ids, case)


def test_a_sequence_alone_and_in_a_batch_say_the_same(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer
) -> None:
    prompts = [DECODER["input_ids"][:n] for n in (48, 5, 17)]
    case = {"kind": "none", "params": {}, "max_new_tokens": 12}
    alone = [sequence(ids, case, tokenizer) for ids in prompts]
    for one in alone:
        generate(tiny_model, [one])

    together = [sequence(ids, case, tokenizer) for ids in prompts]
    generate(tiny_model, together)

    assert [one.output_ids for one in together] == [one.output_ids for one in alone]


def test_a_sequence_that_lost_its_blocks_goes_on_as_if_nothing_had_been(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer
) -> None:
    case = {"kind": "none", "params": {}, "max_new_tokens": 10}
    whole = sequence(DECODER["input_ids"], case, tokenizer)
    generate(tiny_model, [whole])

    resumed = sequence(DECODER["input_ids"], case, tokenizer)
    resumed.params = replace(resumed.params, max_tokens=None)
    runner = ModelRunner(tiny_model, num_tokens=1024)
    for step in range(10):
        if step == 4:
            runner.release(resumed)
        [choice] = runner.step([resumed])
        assert choice is not None
        resumed.append(choice.token, choice.logprob)

    assert resumed.output_ids == whole.output_ids


SPECIAL = SpecialTokens(bos=0, eos=1, image=2, cells=frozenset())


def seq(**params: Any) -> Sequence:
    return Sequence([0], SamplingParams(**params), 100, SPECIAL)


def test_eos_ends_the_page_and_is_no_output() -> None:
    one = seq()
    one.append(7, -0.1)
    one.append(SPECIAL.eos, -0.1)
    assert (one.output_ids, one.finish_reason) == ([7], "stop")


def test_the_last_token_of_the_room_ends_the_page_by_length() -> None:
    one = seq(max_tokens=2)
    one.append(7, -0.1)
    assert one.finish_reason is None
    one.append(8, -0.1)
    assert (one.output_ids, one.finish_reason) == ([7, 8], "length")


def test_room_for_more_than_the_context_holds_is_not_given() -> None:
    assert Sequence([0], SamplingParams(max_tokens=9000), 50, SPECIAL).room == 50


def test_the_log_probability_is_of_the_scores_before_any_ban() -> None:
    one = seq(no_repeat=NoRepeat(1))
    one.append(3, 0.0)
    scores = torch.tensor([[0.0, 0.0, 1.0, 5.0]])
    expected = scores.log_softmax(-1)[0, 2].item()

    [choice] = sample(scores.clone(), [one])

    assert choice is not None and choice.token == 2
    assert choice.logprob == pytest.approx(expected, abs=1e-6)


def test_nothing_is_chosen_when_all_is_banned() -> None:
    one = seq(no_repeat=NoRepeat(1))
    for token in (1, 2):
        one.guard.push(token)  # type: ignore[union-attr]
    assert sample(torch.tensor([[float("-inf"), 2.0, 1.0]]), [seq(), one][1:]) == [None]


def test_scores_that_are_no_numbers_are_an_error() -> None:
    with pytest.raises(NotANumber):
        sample(torch.tensor([[float("nan"), 1.0]]), [seq()])


def test_drawing_follows_the_probabilities_and_the_seed() -> None:
    scores = torch.tensor([[0.5, 0.3, 0.2]]).log()
    one = seq(temperature=1.0, seed=5)
    drawn = [choice.token for _ in range(3000) if (choice := sample(scores.clone(), [one])[0])]
    shares = [drawn.count(token) / len(drawn) for token in range(3)]
    assert shares == pytest.approx([0.5, 0.3, 0.2], abs=0.04)

    again = seq(temperature=1.0, seed=5)
    first = [choice.token for _ in range(50) if (choice := sample(scores.clone(), [again])[0])]
    assert first == drawn[:50]


def test_top_p_keeps_the_likeliest_that_reach_it() -> None:
    scores = torch.tensor([[0.15, 0.5, 0.35]]).log()
    one = seq(temperature=1.0, top_p=0.6)
    drawn = {choice.token for _ in range(300) if (choice := sample(scores.clone(), [one])[0])}
    assert drawn == {1, 2}

    tight = seq(temperature=1.0, top_p=0.01)
    drawn = {choice.token for _ in range(50) if (choice := sample(scores.clone(), [tight])[0])}
    assert drawn == {1}


def test_greedy_and_drawn_sequences_share_a_step() -> None:
    scores = torch.tensor([[0.0, 3.0], [3.0, 0.0]])
    choices = sample(scores, [seq(), seq(temperature=0.01)])
    assert [choice and choice.token for choice in choices] == [1, 0]
