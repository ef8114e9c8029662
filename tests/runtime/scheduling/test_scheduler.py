"""The scheduler: any mix of pages, limits and cancellations, on a runner that checks the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dsocr.runtime.cache.batch import PageViews
from dsocr.runtime.cache.block_allocator import BlockAllocator
from dsocr.runtime.events import Done, Event, Started
from dsocr.runtime.loop import Runtime
from dsocr.runtime.scheduling.inputs import Prepared, Request
from dsocr.runtime.scheduling.scheduler import Limits, Scheduler
from dsocr.runtime.scheduling.sequence import SamplingParams, Sequence
from dsocr.runtime.text.tokenizer import SpecialTokens
from tests.runtime.fake_runner import EOS, FakeRunner, token_of
from tests.runtime.reading import outputs

CONTEXT, BLOCK = 64, 4
SPECIAL = SpecialTokens(bos=0, eos=EOS, image=2, cells=frozenset())
SIDE = 40
"""Of a view: 1,600 pixels, which count as two prompt tokens."""


class Letters:
    """A tokenizer: every token is one letter."""

    def join_bytes(self, tokens: list[int]) -> bytes:
        return bytes(97 + token % 26 for token in tokens)

    def text_ends(self, tokens: list[int]) -> list[int]:
        return [*range(1, len(tokens) + 1)]


@dataclass(frozen=True)
class Page:
    """A page to come: its prompt's length, its answer's, its views, after how many steps it comes
    and after how many it is cancelled, its drafts."""

    prompt: int
    answer: int
    views: int = 1
    comes: int = 0
    cancelled: int | None = None
    drafts: int = 0
    """Tokens of each draft; of every third one the last is wrong."""


@dataclass
class FakeDrafter:
    number: int
    page: Page
    num_drafted: int = 0
    num_accepted: int = 0

    def propose(self, output_ids: list[int], most: int) -> tuple[int, ...]:
        places = range(len(output_ids), len(output_ids) + min(most, self.page.drafts))
        drafts = [token_of(self.number, place) for place in places]
        if drafts and len(output_ids) % 3 == 0:
            drafts[-1] += 1
        return tuple(drafts)

    def record(self, drafted: int, accepted: int) -> None:
        self.num_drafted += drafted
        self.num_accepted += accepted


@dataclass
class FakeProcessor:
    pages: list[Page]
    tokenizer: Any = None

    def __call__(self, request: Request) -> Prepared:
        page = self.pages[request.request_id]
        views = None
        if page.views:
            tiles = torch.zeros(page.views - 1, SIDE, SIDE, 3, dtype=torch.uint8)
            views = PageViews(torch.zeros(SIDE, SIDE, 3, dtype=torch.uint8), tiles)
        max_new_tokens = CONTEXT - page.prompt
        return request, Sequence(
            *([7] * page.prompt, request.params, max_new_tokens, SPECIAL, request.request_id),
            views,
            drafter=FakeDrafter(request.request_id, page) if page.drafts else None,  # type: ignore[arg-type]
        )


def request(number: int) -> Request:
    return Request(number, Image.new("RGB", (1, 1)), "", "tiny", SamplingParams())


def fake_runtime(
    pages: list[Page], limits: Limits, *, blocks: int, lookahead: int, deferred: bool = False
) -> tuple[Runtime, FakeRunner]:
    lengths = {number: page.answer for number, page in enumerate(pages)}
    allocator = BlockAllocator(blocks, block_size=BLOCK)
    runner = FakeRunner(allocator, lengths, deferred, limits.window)
    processor: Any = FakeProcessor(pages, Letters())
    return Runtime(runner, processor, limits=limits, lookahead=lookahead), runner


def play(pages: list[Page], runtime: Runtime) -> list[Event]:
    """Submits and cancels as the pages say, until nothing is left to do."""
    events: list[Event] = []
    clock = 0
    while runtime.has_work or any(page.comes >= clock for page in pages):
        for number, page in enumerate(pages):
            if page.comes == clock:
                runtime.submit(request(number))
            if page.cancelled is not None and page.comes + page.cancelled == clock:
                runtime.cancel(number)
        events += runtime.step()
        clock += 1
        assert clock < 5000, "a page starves"
    return events


PAGES = st.lists(
    st.builds(
        Page,
        prompt=st.integers(1, CONTEXT - 1),
        answer=st.integers(0, 40),
        views=st.integers(0, 3),
        drafts=st.sampled_from([0, 0, 1, 3, 9]),
        comes=st.integers(0, 30),
        cancelled=st.none() | st.none() | st.integers(0, 30),
    ),
    max_size=12,
)
LIMITS = st.builds(
    Limits,
    max_num_seqs=st.integers(1, 5),
    max_prefill_tokens=st.integers(1, 80),
    max_encode_pixels=st.integers(1, 5 * SIDE * SIDE),
    prefill_share=st.floats(0.05, 1),
    gather_rows=st.integers(1, 20),
    window=st.none() | st.integers(1, 12),
    max_draft_tokens=st.integers(0, 20),
)


@settings(max_examples=250, deadline=None)
@given(PAGES, LIMITS, st.integers(CONTEXT // BLOCK, 60), st.integers(0, 1), st.booleans())
def test_any_mix_of_pages_is_read_within_the_limits(
    pages: list[Page], limits: Limits, blocks: int, lookahead: int, deferred: bool
) -> None:
    runtime, runner = fake_runtime(
        pages, limits, blocks=blocks, lookahead=lookahead, deferred=deferred
    )

    events = play(pages, runtime)

    got = outputs(events)
    done = [event.request_id for event in events if isinstance(event, Done)]
    assert len(done) == len(set(done))
    for number, page in enumerate(pages):
        length = min(page.answer, CONTEXT - page.prompt)
        if number in got:
            assert got[number] == [token_of(number, place) for place in range(length)]
        else:
            assert page.cancelled is not None
    started = [event.request_id for event in events if isinstance(event, Started)]
    assert len(started) == len(set(started))
    assert runtime.scheduler.allocator.num_free == blocks
    for step in runner.steps:
        others = step.chunks[step.num_decodes :]
        prompts = sum(chunk.length for chunk in others if not chunk.drafts)
        pixels = [one.views.num_pixels for one in step.to_encode if one.views is not None]
        assert len(step.chunks) <= limits.max_num_seqs
        assert prompts <= limits.max_prefill_tokens
        assert sum(len(chunk.drafts) for chunk in others) <= limits.max_draft_tokens
        assert len(pixels) <= 1 or sum(pixels) <= limits.max_encode_pixels


@settings(max_examples=60, deadline=None)
@given(PAGES, LIMITS, st.integers(CONTEXT // BLOCK, 60))
def test_lookahead_changes_no_token(pages: list[Page], limits: Limits, blocks: int) -> None:
    got = []
    stay = [Page(page.prompt, page.answer, page.views, page.comes) for page in pages]
    for lookahead in (0, 1):
        runtime, _ = fake_runtime(stay, limits, blocks=blocks, lookahead=lookahead)
        got.append(outputs(play(stay, runtime)))
    assert got[0] == got[1] and len(got[0]) == len(pages)


@pytest.mark.parametrize("lookahead", [0, 1])
def test_a_step_that_cannot_even_be_launched_is_launched_in_parts(lookahead: int) -> None:
    pages = [Page(prompt=30, answer=20, comes=number) for number in range(8)]
    limits = Limits(max_num_seqs=8, max_prefill_tokens=40)
    got = []
    for most in (None, 33):
        runtime, runner = fake_runtime(pages, limits, blocks=128, lookahead=lookahead)
        runner.most = most
        got.append(outputs(play(pages, runtime)))

    assert got[0] == got[1] and len(got[0]) == 8
    assert runtime.load.out_of_memory > 0


def test_every_decoding_page_is_in_every_step() -> None:
    pages = [Page(prompt=10, answer=20, comes=number) for number in range(8)]
    runtime, runner = fake_runtime(
        pages, Limits(max_num_seqs=4, max_prefill_tokens=3), blocks=64, lookahead=0
    )

    play(pages, runtime)

    for number in range(8):
        at = [
            index
            for index, step in enumerate(runner.steps)
            for chunk in step.chunks[: step.num_decodes]
            if chunk.sequence.request_id == number
        ]
        assert at == list(range(at[0], at[0] + 20))


def test_pages_start_in_the_order_of_arrival() -> None:
    pages = [Page(prompt=5 + 9 * (number % 5), answer=number % 7) for number in range(12)]
    runtime, _ = fake_runtime(pages, Limits(max_num_seqs=3), blocks=20, lookahead=1)

    events = play(pages, runtime)

    assert [one.request_id for one in events if isinstance(one, Started)] == list(range(12))


@pytest.mark.parametrize("share", [0.25, 1])
def test_while_pages_decode_others_are_prefilled_at_the_configured_share(share: float) -> None:
    limits = Limits(max_num_seqs=8, max_prefill_tokens=8, prefill_share=share)
    pages = [Page(prompt=1, answer=60), *(Page(prompt=40, answer=1) for _ in range(12))]
    runtime, runner = fake_runtime(pages, limits, blocks=200, lookahead=0)

    play(pages, runtime)

    busy = [step for step in runner.steps if step.num_decodes]
    spent = sum(
        sum(chunk.length for chunk in step.chunks[step.num_decodes :])
        + sum(SIDE * SIDE / limits.pixels_per_token for _ in step.to_encode)
        for step in busy[:40]
    )
    assert spent == pytest.approx(40 * 8 * share, rel=0.15)


def test_at_most_one_group_is_encoded_ahead_of_free_slots() -> None:
    limits = Limits(max_num_seqs=3, max_encode_pixels=2 * SIDE * SIDE)
    pages = [Page(prompt=4, answer=20 + number % 7) for number in range(50)]
    runtime, _ = fake_runtime(pages, limits, blocks=64, lookahead=1)
    for number in range(50):
        runtime.submit(request(number))
    most = 0
    while runtime.has_work:
        runtime.step()
        most = max(most, runtime.load.running)
    assert most == 3 + 2


@pytest.mark.parametrize(("gather_rows", "rounds"), [(1, [4]), (4, [2, 2]), (32, [1, 1, 1, 1])])
def test_the_more_pages_decode_the_longer_others_are_gathered(
    gather_rows: int, rounds: list[int]
) -> None:
    limits = Limits(max_num_seqs=20, gather_rows=gather_rows)
    writing = [Page(prompt=4, answer=50) for _ in range(16)]
    pages = [*writing, *(Page(prompt=4, answer=5, comes=20 + 3 * number) for number in range(4))]
    runtime, runner = fake_runtime(pages, limits, blocks=400, lookahead=0)

    play(pages, runtime)

    assert [len(step.to_encode) for step in runner.steps[10:] if step.to_encode] == rounds


def test_slots_that_become_free_one_by_one_are_filled_a_few_at_a_time() -> None:
    limits = Limits(max_num_seqs=16, gather_rows=2)
    pages = [Page(prompt=4, answer=20 + number) for number in range(16)]
    pages += [Page(prompt=4, answer=40) for _ in range(8)]
    runtime, runner = fake_runtime(pages, limits, blocks=400, lookahead=0)

    play(pages, runtime)

    busy = [len(step.chunks) - step.num_decodes for step in runner.steps[10:] if step.num_decodes]
    assert [count for count in busy if count] == [4, 4]


def test_without_decoding_pages_prefill_has_the_full_budget() -> None:
    limits = Limits(max_num_seqs=4, max_prefill_tokens=8, prefill_share=0.05)
    pages = [Page(prompt=60, answer=1) for _ in range(2)]
    runtime, runner = fake_runtime(pages, limits, blocks=64, lookahead=0)

    play(pages, runtime)

    sizes = [sum(chunk.length for chunk in step.chunks) for step in runner.steps if step.chunks]
    assert sizes[:7] == [8] * 7


@pytest.mark.parametrize("deferred", [False, True])
def test_the_youngest_is_preempted_and_resumes_before_newer_ones(deferred: bool) -> None:
    pages = [Page(prompt=8, answer=40) for _ in range(8)]
    limits = Limits(max_num_seqs=6)
    runtime, _ = fake_runtime(
        pages, limits, blocks=CONTEXT // BLOCK, lookahead=1, deferred=deferred
    )

    events = play(pages, runtime)

    assert runtime.load.preemptions > 0
    assert [one.request_id for one in events if isinstance(one, Done)] == list(range(8))


@pytest.mark.parametrize("lookahead", [0, 1])
def test_with_a_window_a_page_keeps_the_blocks_of_its_prompt_and_of_the_window(
    lookahead: int,
) -> None:
    """However long its output: more pages are in the cache than without."""
    pages = [Page(prompt=6, answer=50) for _ in range(5)]
    preemptions = []
    for window in (None, 8):
        limits = Limits(max_num_seqs=5, window=window)
        runtime, _ = fake_runtime(pages, limits, blocks=5 * 6, lookahead=lookahead)
        for number in range(5):
            runtime.submit(request(number))
        most = 0
        while runtime.has_work:
            runtime.step()
            active = runtime.scheduler._active
            held = [sum(block >= 0 for block in one.block_table) for one in active]
            most = max(most, *held, 0)
        preemptions.append(runtime.load.preemptions)
        # of the prompt, of the window, begun or ending in it, and of the step ahead
        assert most >= 14 if window is None else most <= 2 + 8 // BLOCK + 1 + lookahead
    assert preemptions[0] > 0 == preemptions[1]


def test_blocks_of_a_page_cancelled_in_flight_are_free_once_its_step_is_collected() -> None:
    allocator = BlockAllocator(16, block_size=BLOCK)
    scheduler = Scheduler(allocator, Limits())
    page = Sequence([7] * 10, SamplingParams(), 50, SPECIAL)
    scheduler.add(page)
    scheduler.start_encoding()
    in_flight = [step for step in (scheduler.schedule(), scheduler.schedule()) if step is not None]
    assert allocator.num_free == 16 - 3

    scheduler.drop(page)

    assert allocator.num_free == 16 - 3 and scheduler.schedule() is None
    for step in in_flight:
        scheduler.finish_step(step)
    assert allocator.num_free == 16 and scheduler.num_running == 0
