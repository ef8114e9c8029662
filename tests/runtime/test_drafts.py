"""Drafts change how many tokens a pass gives, and nothing of the output.

On the tiny checkpoint in float32: whatever is drafted, the tokens are the released code's.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from dsocr.runtime.assembly import drafts_in
from dsocr.runtime.cache.batch import Batch
from dsocr.runtime.cache.block_allocator import BlockAllocator
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.events import Done, Event, Failed, RuntimeLoad
from dsocr.runtime.execution.graph_runner import GraphRunner
from dsocr.runtime.execution.model_runner import ModelRunner
from dsocr.runtime.kernels.drafts.tables import MAX_DRAFT
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.models.deepseek_ocr2 import DeepseekOcr2
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.scheduler import Limits, Scheduler
from dsocr.runtime.scheduling.sequence import SamplingParams, Sequence
from dsocr.runtime.text.drafter import Drafter, Drafting
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.runtime.weights.loader import load_model
from dsocr.types import DraftsName, NoRepeat
from tests.runtime.plain_decode import plain_draft_steps, plain_steps
from tests.runtime.reading import graph_runtime, outputs, plain_runtime, run
from tests.runtime.reference import golden
from tests.runtime.test_generation import Restricted, assert_equal_while_safe, generate, sequence

pytestmark = pytest.mark.usefixtures("one_thread")

DECODER = golden("decoder")
PARTS = {
    "prompt": DECODER,
    "repeated prompt": DECODER["repeated_prompt"],
    "few tokens": DECODER["restricted_vocab"],
}
Rule = Callable[[list[int], int], Many[int]]
"""The draft, from the tokens that the page will have and how many it has."""


@dataclass
class Scripted:
    """Drafts by a rule, however few of them are accepted."""

    rule: Rule
    truth: list[int]
    num_drafted: int = 0
    num_accepted: int = 0
    drafts: list[tuple[int, ...]] = field(default_factory=list)

    def propose(self, output_ids: list[int], most: int) -> tuple[int, ...]:
        self.drafts.append(tuple(self.rule(self.truth, len(output_ids)))[:most])
        return self.drafts[-1]

    def record(self, drafted: int, accepted: int) -> None:
        self.num_drafted += drafted
        self.num_accepted += accepted


def all_right(truth: list[int], place: int) -> Many[int]:
    return truth[place : place + 8]


def all_wrong(truth: list[int], place: int) -> Many[int]:
    return [token + 1 for token in truth[place : place + 5]]


def right_at_first(truth: list[int], place: int) -> Many[int]:
    draft, count = truth[place : place + 7], place % 5
    return [*draft[:count], *(token + 1 for token in draft[count:])]


def shifted(truth: list[int], place: int) -> Many[int]:
    return truth[place + 1 : place + 7]


def changing(truth: list[int], place: int) -> Many[int]:
    """Also none."""
    return truth[place : place + place % 7]


def at_random(truth: list[int], place: int) -> Many[int]:
    return random.Random(place).choices(truth, k=6)


RULES = (all_right, right_at_first, changing, None, all_wrong, shifted, at_random)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "turn", [0, *(pytest.param(turn, marks=pytest.mark.slow) for turn in range(1, len(RULES)))]
)
def test_whatever_is_drafted_the_tokens_are_the_released_codes(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, part: str, turn: int
) -> None:
    """All cases in the same steps, with drafts of every kind and without any; in seven turns each
    case meets each kind."""
    ids, cases = PARTS[part]["input_ids"], PARTS[part]["generations"]
    allowed = PARTS[part].get("allowed_ids")
    model: Any = Restricted(tiny_model, allowed) if allowed else tiny_model
    pages = [sequence(ids, case, tokenizer) for case in cases]
    for number, (page, case) in enumerate(zip(pages, cases, strict=True), turn):
        if rule := RULES[number % len(RULES)]:
            page.drafter = Scripted(rule, case["output_ids"])  # type: ignore[assignment]

    generate(ModelRunner(model, num_tokens=4096), pages)

    for page, case in zip(pages, cases, strict=True):
        assert_equal_while_safe(page.output_ids, case)


PROMPT = "no image at all"


def asked(number: int = 1, prompt: str = PROMPT, layer: Many[str] = (), **params: Any) -> Request:
    params.setdefault("max_tokens", 60)
    image = Image.new("RGB", (1, 1))
    return Request(number, image, prompt, "tiny", SamplingParams(**params), tuple(layer))


@dataclass
class Scripts:
    """Makes drafters of one rule, for pages that all write the same."""

    rule: Rule
    truth: list[int]
    made: list[Scripted] = field(default_factory=list)

    def drafter(self, text_layer: Many[str]) -> Drafter:
        self.made.append(Scripted(self.rule, self.truth))
        made: Any = self.made[-1]
        return made


def done(events: list[Event]) -> Done:
    [one] = [event for event in events if isinstance(event, Done)]
    return one


@pytest.fixture(scope="module")
def written(tiny_model: DeepseekOcr, tokenizer: Tokenizer) -> Done:
    """What the page of `asked` has without drafts."""
    runtime = plain_runtime(tiny_model, tokenizer)
    return done([*runtime.generate(asked())])


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_drawn_tokens_are_the_same_with_drafts(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, temperature: float
) -> None:
    page = asked(temperature=temperature, seed=3, no_repeat=NoRepeat(3))
    without = done([*plain_runtime(tiny_model, tokenizer).generate(page)])
    scripts = Scripts(right_at_first, without.output_ids)

    found = done([*plain_runtime(tiny_model, tokenizer, drafting=scripts).generate(page)])

    assert found.output_ids == without.output_ids
    assert found.logprobs == pytest.approx(without.logprobs, abs=2e-4)
    assert found.num_accepted > 20 and found.num_drafted > found.num_accepted


@pytest.mark.parametrize("rule", [all_right, right_at_first, all_wrong])
def test_pages_with_drafts_that_outgrow_the_cache_have_the_same_tokens(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, written: Done, rule: Rule
) -> None:
    """Prompts of 5 tokens and 60 more, five blocks each: 8 blocks are less than two pages need."""
    scripts = Scripts(rule, written.output_ids)
    runtime = plain_runtime(tiny_model, tokenizer, drafting=scripts, limits=Limits(max_num_seqs=3))
    allocator = runtime.scheduler.allocator
    allocator.allocate(allocator.num_free - 8)
    for number in (1, 2, 3):
        runtime.submit(asked(number))

    found = outputs(run(runtime))

    assert found == dict.fromkeys((1, 2, 3), written.output_ids)
    assert runtime.load.preemptions and allocator.num_free == 8


def started_page(tokenizer: Tokenizer) -> tuple[Scheduler, Sequence]:
    """A page with its prompt of 10 tokens in the cache, whose output counts from 0."""
    scheduler = Scheduler(BlockAllocator(8, block_size=4), Limits())
    drafter: Any = Scripted(all_right, [*range(50)])
    page = Sequence([7] * 10, SamplingParams(), 50, tokenizer.special, drafter=drafter)
    scheduler.add(page)
    scheduler.start_encoding()
    for step in (scheduler.schedule(), scheduler.schedule()):
        assert step is not None
        if step.chunks:
            page.append(0, -0.1)
        scheduler.finish_step(step)
    return scheduler, page


def test_a_page_cancelled_with_a_draft_in_flight_frees_its_blocks(tokenizer: Tokenizer) -> None:
    scheduler, page = started_page(tokenizer)
    step = scheduler.schedule()
    assert step is not None and step.chunks[0].drafts == (1, 2, 3, 4, 5, 6, 7, 8)

    scheduler.drop(page)

    assert scheduler.allocator.num_free == 8 - 5 and scheduler.schedule() is None
    scheduler.finish_step(step)
    assert scheduler.allocator.num_free == 8 and scheduler.num_running == 0


def test_positions_and_blocks_of_rejected_drafts_are_given_back(tokenizer: Tokenizer) -> None:
    scheduler, page = started_page(tokenizer)
    step = scheduler.schedule()
    assert step is not None
    for token in (1, 2, 99):
        page.append(token, -0.1)

    scheduler.finish_step(step)

    assert page.num_cached == 10 + 3
    assert len(page.block_table) == 4 == 8 - scheduler.allocator.num_free


def test_a_draft_takes_no_block_that_another_page_needs(tokenizer: Tokenizer) -> None:
    scheduler, _ = started_page(tokenizer)
    scheduler.allocator.allocate(4)
    step = scheduler.schedule()
    assert step is not None and step.chunks[0].drafts == ()


def test_the_device_tables_follow_what_was_accepted(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, written: Done
) -> None:
    """Steps with a draft and steps without take turns; the latter are sampled from the tables."""
    scripts = Scripts(changing, written.output_ids)
    runtime = graph_runtime(
        tiny_model,
        tokenizer,
        plain_steps,
        drafting=scripts,
        lookahead=0,
        limits=Limits(max_num_seqs=3),
    )
    for number in (1, 2, 3):
        runtime.submit(asked(number, max_tokens=60 - number))

    found = outputs(run(runtime))

    assert found == {number: written.output_ids[: 60 - number] for number in (1, 2, 3)}
    assert any(scripts.made[0].drafts) and () in scripts.made[0].drafts


@dataclass
class Writing:
    """A model that writes these tokens, whatever it reads; `passes` has the tokens of each pass."""

    model: DeepseekOcr
    text: Many[int]
    num_prompt: int
    passes: list[int] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def forward(self, batch: Batch, cache: KVCache) -> Tensor:
        self.passes.append(batch.num_tokens)
        return batch.positions.float()[:, None]

    def logits(self, hidden: Tensor) -> Tensor:
        scores = torch.zeros(len(hidden), self.model.spec.decoder.vocab_size)
        for row, position in enumerate(hidden[:, 0].int().tolist()):
            scores[row, self.text[position + 1 - self.num_prompt]] = 9.0
        return scores


def write(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, text: Many[int], drafting: Any, **asking: Any
) -> tuple[Event, list[int]]:
    """The last event of a page that writes this text, and the tokens of each pass."""
    num_prompt = 1 + len(tokenizer.encode(PROMPT))
    model: Any = Writing(tiny_model, [*text, *[tokenizer.special.eos] * 40], num_prompt)
    asking.setdefault("max_tokens", None)
    events = [*plain_runtime(model, tokenizer, drafting=drafting).generate(asked(**asking))]
    return events[-1], model.passes


def test_an_end_inside_a_draft_ends_the_page(tiny_model: DeepseekOcr, tokenizer: Tokenizer) -> None:
    text = [*range(500, 512)]
    scripts = Scripts(all_right, [*text, tokenizer.special.eos, 7, 7, 7, 7])

    event, passes = write(tiny_model, tokenizer, text, scripts)

    assert isinstance(event, Done)
    assert (event.output_ids, event.finish_reason) == (text, "stop")
    assert passes[1:] == [9, 8]


def test_the_length_limit_inside_a_draft_ends_the_page(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer
) -> None:
    """A draft is no longer than what may be written: with a limit of 12 the second has two."""
    text = [*range(500, 540)]
    event, passes = write(tiny_model, tokenizer, text, Scripts(all_right, text), max_tokens=12)
    assert isinstance(event, Done)
    assert (event.output_ids, event.finish_reason) == (text[:12], "length")
    assert passes[1:] == [9, 2]


def test_the_no_repeat_rule_holds_inside_a_draft(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer
) -> None:
    """The draft repeats an n-gram whose first copy lies in the same draft."""
    text = [500, 501, 502, 503, 501, 502, 503, 504]
    event, _ = write(
        tiny_model, tokenizer, text, Scripts(all_right, text), no_repeat=NoRepeat(3), max_tokens=8
    )
    without, _ = write(tiny_model, tokenizer, text, None, no_repeat=NoRepeat(3), max_tokens=8)
    assert isinstance(event, Done) and isinstance(without, Done)
    assert event.output_ids == without.output_ids != text


def test_a_repetition_inside_a_draft_ends_the_page_where_it_begins(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer
) -> None:
    text = [*range(500, 540), *[601, 602, 603] * 300]
    without, _ = write(tiny_model, tokenizer, text, None)
    event, passes = write(tiny_model, tokenizer, text, Scripts(all_right, text))
    assert isinstance(event, Done) and isinstance(without, Done)
    assert event.finish_reason == without.finish_reason == "repetition"
    assert (event.output_ids, event.text_ends) == (without.output_ids, without.text_ends)
    assert len(event.logprobs) == len(event.output_ids) and len(passes) < 60


def test_scores_that_are_no_numbers_inside_a_draft_fail_the_page(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, scores = [*range(500, 540)], Writing.logits

    def with_a_gap(self: Writing, hidden: Tensor) -> Tensor:
        found = scores(self, hidden)
        found[hidden[:, 0].int() == self.num_prompt + 5] = float("nan")
        return found

    monkeypatch.setattr(Writing, "logits", with_a_gap)
    event, _ = write(tiny_model, tokenizer, text, Scripts(all_right, text))
    assert isinstance(event, Failed) and "not numbers" in event.message


LINES = [
    "The committee met on the third of March in the old town hall, and all",
    "members but one were present when the chairman opened the meeting. He",
    "read the report of the treasurer, which was approved without a vote, and",
    "turned to the question of the bridge, whose repair had been put off twice.",
]


def test_a_page_that_writes_its_text_layer_needs_few_passes(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer
) -> None:
    """Without a label and a box, as one paragraph: most drafts are right to their end."""
    text = tokenizer.encode(" ".join(LINES))

    event, passes = write(tiny_model, tokenizer, text, Drafting(tokenizer), layer=LINES)

    assert isinstance(event, Done) and event.output_ids == text
    assert len(passes) < len(text) / 4
    assert event.num_drafted >= event.num_accepted >= len(text) * 3 // 4


def test_a_foreign_text_layer_changes_nothing(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, written: Done
) -> None:
    runtime = plain_runtime(tiny_model, tokenizer, drafting=Drafting(tokenizer))
    found = done([*runtime.generate(asked(layer=[*LINES, tokenizer.decode(written.output_ids)]))])
    assert found.output_ids == written.output_ids
    assert runtime.load.drafted == found.num_drafted
    assert runtime.load.accepted == found.num_accepted


def test_another_familys_pages_have_the_same_tokens_with_drafts(
    ocr2_model: DeepseekOcr2, tokenizer: Tokenizer
) -> None:
    model: Any = ocr2_model
    without = done([*plain_runtime(model, tokenizer).generate(asked(max_tokens=30))])
    scripts = Scripts(right_at_first, without.output_ids)
    found = plain_runtime(model, tokenizer, drafting=scripts).generate(asked(max_tokens=30))
    assert done([*found]).output_ids == without.output_ids


@pytest.mark.gpu
@pytest.mark.parametrize("turn", range(len(RULES)))
def test_kernels_with_drafts_become_the_released_codes_tokens(
    tiny_checkpoint: Path, tokenizer: Tokenizer, turn: int
) -> None:
    model: Any = load_model(
        tiny_checkpoint,
        device=torch.device("cuda"),
        dtype=torch.float32,
        attention="sdpa",
        kernels=True,
    )
    special = replace(tokenizer.special, eos=-1)
    runner = GraphRunner(model, num_tokens=4096, max_num_seqs=16, special=special)
    cases = [one for one in DECODER["generations"] if "whitelist" not in one["params"]]
    pages = [sequence(DECODER["input_ids"], case, tokenizer) for case in cases]
    for number, (page, case) in enumerate(zip(pages, cases, strict=True), turn):
        if rule := RULES[number % len(RULES)]:
            page.drafter = Scripted(rule, case["output_ids"])  # type: ignore[assignment]

    generate(runner, pages)

    for page, case in zip(pages, cases, strict=True):
        assert_equal_while_safe(page.output_ids, case)


def test_drafts_in_flight_are_bounded(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, written: Done
) -> None:
    scripts = Scripts(all_right, written.output_ids)
    limits = Limits(max_num_seqs=3, max_draft_tokens=10)
    runtime = plain_runtime(tiny_model, tokenizer, drafting=scripts, limits=limits)
    for number in (1, 2, 3):
        runtime.submit(asked(number))
    assert outputs(run(runtime)) == dict.fromkeys((1, 2, 3), written.output_ids)


def test_a_sequence_has_no_draft_while_its_newest_token_is_sampled(tokenizer: Tokenizer) -> None:
    drafter: Any = Scripted(all_right, [*range(50)])
    special = replace(tokenizer.special, eos=-1)
    one = Sequence([0], SamplingParams(), 20, special, drafter=drafter, output_ids=[0, 1])
    assert one.draft(4) == (2, 3, 4, 5)
    one.num_pending = 1
    assert one.draft(4) == ()


@pytest.mark.parametrize(
    ("setting", "dtype", "expected"),
    [
        ("off", torch.float32, False),
        ("exact", torch.float32, True),
        ("exact", torch.bfloat16, False),
        ("fast", torch.bfloat16, True),
    ],
)
def test_exact_drafts_need_float32(setting: DraftsName, dtype: torch.dtype, expected: bool) -> None:
    assert drafts_in(setting, dtype) is expected


def device_runtime(model: Any, tokenizer: Tokenizer) -> Runtime:
    """One that looks up drafts in its device's tables, a step ahead."""
    drafting = Drafting(tokenizer)
    return graph_runtime(
        *(model, tokenizer, plain_draft_steps),
        drafting=drafting,
        grammar=drafting.grammar,
        limits=Limits(max_num_seqs=3, max_draft_tokens=0, max_ahead=MAX_DRAFT),
    )


@pytest.mark.parametrize("waits", [False, True])
def test_drafts_of_the_device_change_no_token(
    tiny_model: DeepseekOcr,
    tokenizer: Tokenizer,
    written: Done,
    monkeypatch: pytest.MonkeyPatch,
    waits: bool,
) -> None:
    """Pages that know their text, half of it, none, or another one, which wait for the steps in
    flight or not."""
    truth = tokenizer.decode(written.output_ids)
    layers = ([truth], [truth[: len(truth) // 2]], [], [truth[::-1]])
    runtime = device_runtime(tiny_model, tokenizer)
    monkeypatch.setattr(runtime, "_waits", lambda: waits)
    for number, layer in enumerate(layers):
        runtime.submit(asked(number, layer=layer, max_tokens=60 - number))

    found = outputs(run(runtime))

    assert found == {number: written.output_ids[: 60 - number] for number in range(len(layers))}
    assert runtime.load.accepted > 30


def test_drafts_of_the_device_that_outgrow_the_cache_change_no_token(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, written: Done
) -> None:
    """Pages of 5 blocks each have 8; a page that is preempted goes on with what it has written."""
    truth = tokenizer.decode(written.output_ids)
    runtime = device_runtime(tiny_model, tokenizer)
    allocator = runtime.scheduler.allocator
    allocator.allocate(allocator.num_free - 8)
    for number in (1, 2, 3):
        runtime.submit(asked(number, layer=[truth]))

    found = outputs(run(runtime))

    assert found == dict.fromkeys((1, 2, 3), written.output_ids)
    assert runtime.load.preemptions and runtime.load.accepted and allocator.num_free == 8


def write_on_device(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, text: Many[int], **asking: Any
) -> tuple[Done, RuntimeLoad]:
    """A page that writes this text, which is its text layer too."""
    num_prompt = 1 + len(tokenizer.encode(PROMPT))
    model: Any = Writing(tiny_model, [*text, *[tokenizer.special.eos] * 40], num_prompt)
    runtime = device_runtime(model, tokenizer)
    layer = [tokenizer.decode([*text])]
    return done([*runtime.generate(asked(layer=layer, **asking))]), runtime.load


@pytest.mark.parametrize("limit", [None, 30])
def test_the_device_ends_a_page_inside_a_draft(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer, limit: int | None
) -> None:
    text = tokenizer.encode(" ".join(LINES))
    found, load = write_on_device(tiny_model, tokenizer, text, max_tokens=limit)
    assert (found.output_ids, found.finish_reason) == (text[:limit], "length" if limit else "stop")
    assert load.accepted > len(text[:limit]) // 2
    assert (found.num_drafted, found.num_accepted) == (load.drafted, load.accepted)


def test_the_device_finds_a_repetition_inside_drafts(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer
) -> None:
    text = [*range(500, 540), *[601, 602, 603] * 300]
    without, _ = write(tiny_model, tokenizer, text, None)
    found, load = write_on_device(tiny_model, tokenizer, text, max_tokens=None)
    assert isinstance(without, Done) and found.finish_reason == "repetition"
    assert (found.output_ids, found.text_ends) == (without.output_ids, without.text_ends)
    assert load.accepted > len(found.output_ids) // 2
