"""The whole runtime on the tiny checkpoint: a page image in, its text in events out."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import struct
from typing import Any

import pytest
import torch
from PIL import Image

from dsocr.runtime.events import Done, Event, Failed, Started, Text
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.scheduler import Limits
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.prompt import prompt_ids
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.types import NoRepeat
from tests.runtime.goldens import golden_mode, golden_page
from tests.runtime.reading import plain_runtime
from tests.runtime.reference import golden

pytestmark = pytest.mark.usefixtures("one_thread")

TINY = "tiny"
PAGE = Image.new("RGB", (300, 200), "white")
GUARDS = {"window_3_12": NoRepeat(3, 12), "hf_no_repeat_20": NoRepeat(20)}
E2E = [
    # the other half of the tokens is compared through the whole stack, in test_native_stack.py
    pytest.param(
        case,
        form,
        id=f"{case['image'][:3]}-{case['mode']}-{form}",
        marks=[pytest.mark.slow] if form == "hf_no_repeat_20" else [],
    )
    for case in golden("e2e")["cases"]
    for form in GUARDS
]


@pytest.fixture
def runtime(tiny_model: DeepseekOcr, tokenizer: Tokenizer) -> Runtime:
    return plain_runtime(tiny_model, tokenizer)


def request(number: int = 1, *, prompt: str = "<image>\nFree OCR.", **params: Any) -> Request:
    params.setdefault("max_tokens", 8)
    return Request(number, PAGE, prompt, TINY, SamplingParams(**params))


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def run(runtime: Runtime) -> list[Event]:
    events: list[Event] = []
    while runtime.has_work:
        events += runtime.step()
    return events


@pytest.mark.parametrize(("case", "form"), E2E)
def test_images_become_the_released_codes_tokens(
    runtime: Runtime,
    tiny_model: DeepseekOcr,
    tokenizer: Tokenizer,
    case: dict[str, Any],
    form: str,
) -> None:
    image = golden_page(case["image"])
    count = tiny_model.num_image_tokens(tiny_model.prepare(image, golden_mode(case)))
    ids = prompt_ids(tokenizer, case["prompt"], num_image_tokens=count)
    digest = hashlib.sha256(struct.pack(f"<{len(ids)}q", *ids)).hexdigest()
    assert digest == case["sha256_input_ids_int64le"]

    expected = case[form]
    params = SamplingParams(max_tokens=expected["max_new_tokens"], no_repeat=GUARDS[form])
    events = list(runtime.generate(Request(1, image, case["prompt"], golden_mode(case), params)))
    done = events[-1]
    assert isinstance(done, Done)
    safe = expected["safe_prefix_len"]
    assert done.output_ids[:safe] == expected["output_ids"][:safe]
    assert text(events) == tokenizer.decode(done.output_ids)
    assert done.num_prompt_tokens == case["n_input_ids"]


def test_a_page_starts_emits_text_and_ends(runtime: Runtime) -> None:
    events = list(runtime.generate(request()))

    assert isinstance(events[0], Started)
    done = events[-1]
    assert isinstance(done, Done) and done.finish_reason == "length"
    assert len(done.output_ids) == len(done.logprobs) == len(done.text_ends) == 8
    assert done.text_ends[-1] <= len(text(events))
    assert all(logprob <= 0 for logprob in done.logprobs)


def test_text_of_several_steps_is_taken_at_once(
    tiny_model: DeepseekOcr, tokenizer: Tokenizer
) -> None:
    limits = Limits(max_num_seqs=2)
    step_by_step, in_runs = (plain_runtime(tiny_model, tokenizer, limits=limits) for _ in "ab")
    for runtime in (step_by_step, in_runs):
        runtime.submit(request(1, max_tokens=30))
        runtime.submit(request(2, max_tokens=40))
    expected, events, taken = run(step_by_step), [], 0
    for number in itertools.count():
        if not in_runs.has_work:
            break
        advanced = in_runs.advance()
        assert not any(isinstance(one, Text) for one in advanced) or any(
            isinstance(one, Done) for one in advanced
        )
        texts = in_runs.take_text() if number % 7 == 6 else []
        taken += len(texts)
        events += advanced + texts

    assert taken and not in_runs.take_text()
    for page in (1, 2):
        assert text([one for one in events if one.request_id == page]) == text(
            [one for one in expected if one.request_id == page]
        )
    assert [one for one in events if isinstance(one, Done)] == [
        one for one in expected if isinstance(one, Done)
    ]
    for page in (1, 2):
        [last] = [one for one in reversed(events) if one.request_id == page][:1]
        assert isinstance(last, Done)


def test_pages_run_in_the_order_of_arrival(runtime: Runtime) -> None:
    for number in (3, 1, 2):
        runtime.submit(request(number))

    done = [event.request_id for event in run(runtime) if isinstance(event, Done)]

    assert done == [3, 1, 2]


@pytest.fixture
def crowded(tiny_model: DeepseekOcr, tokenizer: Tokenizer) -> Runtime:
    """Three places, but of the whole cache only 20 blocks are left to them."""
    runtime = plain_runtime(tiny_model, tokenizer, limits=Limits(max_num_seqs=3))
    allocator = runtime.scheduler.allocator
    allocator.allocate(allocator.num_free - 20)
    return runtime


def test_pages_that_outgrow_the_cache_are_resumed_with_the_same_tokens(
    runtime: Runtime, crowded: Runtime
) -> None:
    outputs = []
    for each in (runtime, crowded):
        for number in (1, 2, 3):
            each.submit(request(number, max_tokens=60, no_repeat=NoRepeat(3, 12)))
        events = run(each)
        outputs.append({one.request_id: one.output_ids for one in events if isinstance(one, Done)})

    assert crowded.load.preemptions and len(outputs[0]) == 3
    assert outputs[1] == outputs[0]
    assert crowded.scheduler.allocator.num_free == 20


def test_cancelling_a_preempted_page_forgets_it(crowded: Runtime) -> None:
    for number in (1, 2, 3):
        crowded.submit(request(number, max_tokens=60))
    while not crowded.load.preemptions:
        crowded.step()

    for number in (1, 2, 3):
        crowded.cancel(number)

    assert not crowded.has_work
    assert crowded.scheduler.allocator.num_free == 20


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_cancelling_frees_every_block(runtime: Runtime, steps: int) -> None:
    free = runtime.scheduler.allocator.num_free
    runtime.submit(request(1))
    runtime.submit(request(2))
    for _ in range(steps):
        runtime.step()

    runtime.cancel(1)
    runtime.cancel(2)

    assert not runtime.has_work
    assert runtime.scheduler.allocator.num_free == free
    runtime.cancel(1)  # a page that is gone is no mistake


def test_a_reader_that_stops_listening_cancels_its_page(runtime: Runtime) -> None:
    free = runtime.scheduler.allocator.num_free
    events = runtime.generate(request())
    next(events)
    events.close()  # type: ignore[attr-defined]

    assert not runtime.has_work
    assert runtime.scheduler.allocator.num_free == free


def test_an_ended_page_keeps_no_blocks(runtime: Runtime) -> None:
    free = runtime.scheduler.allocator.num_free
    run_through = list(runtime.generate(request()))
    assert run_through and runtime.scheduler.allocator.num_free == free


def test_what_does_not_fit_fails_with_the_numbers_and_the_next_page_is_read(
    runtime: Runtime,
) -> None:
    runtime.submit(request(1, prompt="<image>" + "word, " * 5000))
    runtime.submit(request(2))

    events = run(runtime)

    [failed] = [event for event in events if isinstance(event, Failed)]
    assert (failed.request_id, failed.code) == (1, "context_too_long")
    assert "8192" in failed.message
    assert [event.request_id for event in events if isinstance(event, Done)] == [2]


def test_two_images_in_one_prompt_are_a_bad_request(runtime: Runtime) -> None:
    [_, failed] = list(runtime.generate(request(prompt="<image><image>")))
    assert isinstance(failed, Failed) and failed.code == "bad_request"


def test_an_image_that_cannot_be_prepared_fails_its_page_alone(runtime: Runtime) -> None:
    """The process would else die of a page that nobody could suspect: it was not begun."""
    runtime.submit(dataclasses.replace(request(1), mode="no such mode"))
    runtime.submit(request(2))

    events = run(runtime)

    [failed] = [event for event in events if isinstance(event, Failed)]
    assert (failed.request_id, failed.code) == (1, "engine_crash")
    assert [event.request_id for event in events if isinstance(event, Done)] == [2]


def test_a_prompt_without_an_image_reads_no_image(runtime: Runtime) -> None:
    done = list(runtime.generate(request(prompt="no image at all")))[-1]
    assert isinstance(done, Done)
    assert (done.num_image_tokens, done.num_prompt_tokens) == (0, 5)


def test_the_answer_stops_where_the_context_ends(runtime: Runtime) -> None:
    words = "word " * 8100  # a token each
    done = list(runtime.generate(request(prompt=words, max_tokens=None)))[-1]
    assert isinstance(done, Done)
    assert done.finish_reason == "length"
    assert done.num_prompt_tokens + len(done.output_ids) == 8192


def test_a_device_error_is_raised(
    runtime: Runtime, tiny_model: DeepseekOcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(*_: Any) -> Any:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(tiny_model, "forward", forward)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        list(runtime.generate(request()))


def test_a_page_that_repeats_itself_ends_where_it_began_to(
    runtime: Runtime,
    tiny_model: DeepseekOcr,
    tokenizer: Tokenizer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    phrase = tokenizer.encode(" again and again")
    turn = 0

    def only_the_phrase(hidden: torch.Tensor) -> torch.Tensor:
        nonlocal turn
        scores = torch.zeros(len(hidden), tokenizer.vocab_size)
        scores[:, phrase[turn % len(phrase)]] = 9.0
        turn += 1
        return scores

    monkeypatch.setattr(tiny_model, "logits", only_the_phrase)
    events = list(runtime.generate(request(max_tokens=900)))

    done = events[-1]
    assert isinstance(done, Done) and done.finish_reason == "repetition"
    assert turn <= 400
    assert done.output_ids == phrase
    assert len(done.logprobs) == len(done.text_ends) == len(phrase)
    assert text(events)[: done.text_ends[-1]] == " again and again"
    assert not runtime.has_work


def test_repetition_detection_can_be_turned_off(
    runtime: Runtime, tiny_model: DeepseekOcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = torch.zeros(1, 9)
    scores[0, 7] = 9.0
    monkeypatch.setattr(tiny_model, "logits", lambda hidden: scores.clone())
    done = list(runtime.generate(request(max_tokens=420, detect_repetition=False)))[-1]
    assert isinstance(done, Done)
    assert (done.finish_reason, done.output_ids) == ("length", [7] * 420)
