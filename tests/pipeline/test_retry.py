from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from dsocr.engines.base import EngineInfo, OnText
from dsocr.errors import EngineCrashed
from dsocr.pipeline import retry
from dsocr.pipeline.events import PageDone, PageEvent, PageReset, TextDelta
from dsocr.pipeline.pipeline import Pipeline
from dsocr.types import FinishReason, NoRepeat, OcrOptions, PageImage, PageResult, Usage
from tests.fakes import OPTIONS, FakeEngine, FakeSource, page_image
from tests.waiting import DEADLINE_SECONDS, Clock

GUARDED = dataclasses.replace(OPTIONS, no_repeat_ngram=NoRepeat(30, 90))
ALL = ["tighter_guard", "mode_base", "without_grounding", "halves"]

Cures = Callable[[PageImage, OcrOptions], bool]


def in_tight_guard(page: PageImage, options: OcrOptions) -> bool:
    return options.no_repeat_ngram == retry.TIGHT_GUARD


def in_base(page: PageImage, options: OcrOptions) -> bool:
    return options.mode == "base"


def as_text(page: PageImage, options: OcrOptions) -> bool:
    return options.task == "text"


def in_halves(page: PageImage, options: OcrOptions) -> bool:
    return page.height < 80


def never(page: PageImage, options: OcrOptions) -> bool:
    return False


class Stumbles(FakeEngine):
    """Reads a page to its end where `cures` says so, else cuts it; remembers how it was asked."""

    def __init__(self, cures: Cures, *, reason: FinishReason = "repetition") -> None:
        super().__init__()
        self.info = dataclasses.replace(self.info, supports_no_repeat=True)
        self.asked: list[tuple[PageImage, OcrOptions]] = []
        self._cures, self._reason = cures, reason

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        self.asked.append((page, options))
        result = await super().recognize(page, options, on_text=on_text)
        usage = Usage(completion_tokens=10, seconds=1.0)
        reason = "stop" if self._cures(page, options) else self._reason
        return dataclasses.replace(result, finish_reason=reason, usage=usage)


async def read(
    engine: FakeEngine, options: OcrOptions = GUARDED, *, retry: bool = True
) -> PageResult:
    source = FakeSource([["first line", "second line", "third line", "last line"]])
    document = await Pipeline(engine, retry=retry).read(source, options)
    return document.pages[0]


def tries(result: PageResult) -> list[str]:
    """Names of the retries, in order."""
    told = [flag.removeprefix("tried:") for flag in result.flags if flag.startswith("tried:")]
    assert told[0].startswith("as_asked=")
    return [one.partition("=")[0] for one in told[1:]]


@pytest.mark.parametrize("reason", ["repetition", "length"])
@pytest.mark.parametrize(
    ("cures", "step"),
    [
        (in_tight_guard, "tighter_guard"),
        (in_base, "mode_base"),
        (as_text, "without_grounding"),
        (in_halves, "halves"),
    ],
)
async def test_the_first_way_that_reads_the_page_to_its_end_is_the_last_one_tried(
    cures: Cures, step: str, reason: FinishReason
) -> None:
    result = await read(Stumbles(cures, reason=reason))
    assert result.finish_reason == "stop"
    assert tries(result) == ALL[: ALL.index(step) + 1]
    assert result.flags[-2:] == (f"tried:{step}=stop", f"kept:{step}")
    assert f"tried:as_asked={reason}" in result.flags


async def test_each_step_changes_one_thing() -> None:
    engine = Stumbles(never)
    await read(engine)
    _, guard, mode, plain, upper, lower = (options for _, options in engine.asked)
    assert guard == dataclasses.replace(GUARDED, no_repeat_ngram=retry.TIGHT_GUARD)
    assert mode == dataclasses.replace(GUARDED, mode="base")
    assert plain == dataclasses.replace(GUARDED, task="text", prompt="<image>\nFree OCR.")
    assert upper == lower == GUARDED


async def test_a_page_that_no_way_helps_is_read_a_bounded_number_of_times_and_says_so() -> None:
    engine = Stumbles(never)
    result = await read(engine)
    assert len(engine.asked) == 1 + 3 + 2
    assert result.finish_reason == "repetition"
    assert result.flags[0] == "repetition"
    assert tries(result) == ALL
    assert result.flags[-1] == "kept:as_asked"
    assert (result.usage.completion_tokens, result.usage.seconds) == (60, 6.0)


@pytest.mark.parametrize("reason", ["repetition", "length"])
async def test_switched_off_a_page_is_read_once_and_still_flagged(reason: FinishReason) -> None:
    engine = Stumbles(never, reason=reason)
    result = await read(engine, retry=False)
    assert len(engine.asked) == 1
    assert result.flags == (reason,)


async def test_a_page_read_to_its_end_is_not_read_again() -> None:
    engine = Stumbles(lambda page, options: True)
    result = await read(engine)
    assert len(engine.asked) == 1
    assert result.flags == ()


async def test_a_limit_that_the_request_set_itself_is_no_reason_to_read_again() -> None:
    engine = Stumbles(never, reason="length")
    result = await read(engine, dataclasses.replace(GUARDED, max_tokens=10))
    assert len(engine.asked) == 1
    assert (result.finish_reason, result.flags) == ("length", ("length",))


class SaysMore(Stumbles):
    """Says so many different words, by how it is asked."""

    def __init__(self, words: dict[str, int], cures: Cures) -> None:
        super().__init__(cures)
        self._words = words

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        result = await super().recognize(page, options)
        count = self._words[options.mode if options.task == "markdown" else "plain"]
        return dataclasses.replace(result, markdown=" ".join(f"word{n}" for n in range(count)))


async def test_of_cut_readings_the_one_that_says_most_is_kept() -> None:
    result = await read(SaysMore({"gundam": 50, "base": 90, "plain": 70}, never), OPTIONS)
    assert result.flags[-1] == "kept:mode_base"


async def test_an_end_that_comes_at_once_is_not_the_page() -> None:
    result = await read(SaysMore({"gundam": 90, "base": 3, "plain": 80}, in_base_or_text), OPTIONS)
    assert "tried:mode_base=stop" in result.flags
    assert (result.finish_reason, result.flags[-1]) == ("stop", "kept:without_grounding")


def in_base_or_text(page: PageImage, options: OcrOptions) -> bool:
    return in_base(page, options) or as_text(page, options)


async def test_what_is_said_over_and_over_counts_once() -> None:
    class Drones(Stumbles):
        async def recognize(
            self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
        ) -> PageResult:
            result = await super().recognize(page, options)
            says = "and again " * 500 if options.mode == "base" else "a few plain words of the page"
            return dataclasses.replace(result, markdown=says)

    result = await read(Drones(never))
    assert "kept:mode_base" not in result.flags


def names(options: OcrOptions, page: PageImage | None = None, **info: object) -> list[str]:
    known: EngineInfo = dataclasses.replace(FakeEngine().info, **info)  # type: ignore[arg-type]
    steps = retry.steps_for(page or page_image(["a"]), options, known)
    return [step.name for step in steps]


def test_only_what_the_engine_can_do_is_tried() -> None:
    assert names(GUARDED, supports_no_repeat=True) == ALL
    assert names(GUARDED) == ALL[1:]
    assert names(GUARDED, modes=("gundam",)) == ["without_grounding", "halves"]
    assert names(GUARDED, tasks=("markdown",)) == ["mode_base", "halves"]


def test_a_guard_that_is_tight_already_is_not_loosened() -> None:
    def tried(guard: NoRepeat | None) -> list[str]:
        return names(dataclasses.replace(OPTIONS, no_repeat_ngram=guard), supports_no_repeat=True)[
            :1
        ]

    for loose in (None, NoRepeat(30, 90), NoRepeat(20, 50), NoRepeat(35)):
        assert tried(loose) == ["tighter_guard"]
    for tight in (NoRepeat(20), NoRepeat(10, 500), retry.TIGHT_GUARD):
        assert tried(tight) == ["mode_base"]


def test_a_question_about_a_page_is_not_asked_of_its_halves() -> None:
    question = dataclasses.replace(OPTIONS, task="custom", prompt="<image>\nWho signed this?")
    assert names(question) == ["mode_base"]
    text = dataclasses.replace(OPTIONS, task="text", prompt="<image>\nFree OCR.")
    assert names(text) == ["mode_base", "halves"]


def test_a_page_too_low_to_be_cut_is_not_cut() -> None:
    low = dataclasses.replace(page_image(["a"]), height=40)
    assert "halves" not in names(OPTIONS, low)


async def test_when_time_is_up_the_best_so_far_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(retry, "time", SimpleNamespace(monotonic=clock))
    up = clock.now + retry.MIN_SECONDS

    class Slow(Stumbles):
        async def recognize(
            self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
        ) -> PageResult:
            if options.mode == "base":
                clock.now = up - 0.1
            if options.task == "text":
                await asyncio.Event().wait()
            result = await super().recognize(page, options)
            return dataclasses.replace(result, usage=Usage())

    engine = Slow(never)
    result = await asyncio.wait_for(read(engine), DEADLINE_SECONDS)
    assert tries(result) == ALL[:3]
    assert result.flags[-2:] == ("tried:without_grounding=timeout", "kept:as_asked")
    assert result.markdown and engine.running == 0


async def test_an_engine_that_dies_over_a_retry_costs_only_the_retry() -> None:
    class Dies(Stumbles):
        async def recognize(
            self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
        ) -> PageResult:
            if options.mode == "base":
                raise EngineCrashed
            return await super().recognize(page, options)

    result = await read(Dies(never))
    assert result.error is None and result.markdown.startswith("first line")
    assert result.flags[-2:] == ("tried:mode_base=engine_crash", "kept:as_asked")


async def test_cancelling_ends_a_retry_at_once() -> None:
    class Hangs(Stumbles):
        async def recognize(
            self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
        ) -> PageResult:
            if options.mode == "base":
                await asyncio.Event().wait()
            return await super().recognize(page, options)

    engine = Hangs(never)
    reading = asyncio.ensure_future(read(engine))
    while len(engine.asked) < 2:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert engine.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("cures", [never, in_base, in_halves])
async def test_a_listener_is_told_to_drop_what_a_retry_replaces(cures: Cures) -> None:
    events: list[PageEvent] = []
    source = FakeSource([["one", "two", "three", "four"]])
    document = await Pipeline(Stumbles(cures)).read(source, GUARDED, on_event=events.append)

    resets = [at for at, event in enumerate(events) if isinstance(event, PageReset)]
    assert len(resets) >= 2
    reason = events[resets[0]]
    assert isinstance(reason, PageReset) and "tighter_guard" in reason.reason
    last = "".join(one.text for one in events[resets[-1] :] if isinstance(one, TextDelta))
    assert last == document.pages[0].raw
    assert events[-1] == PageDone(document.pages[0])
