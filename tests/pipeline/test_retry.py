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

WITH_NO_REPEAT = dataclasses.replace(OPTIONS, no_repeat_ngram=NoRepeat(30, 90))
ALL = ["tighter_guard", "mode_base", "without_grounding", "halves"]

Cures = Callable[[PageImage, OcrOptions], bool]


def with_strict_no_repeat(page: PageImage, options: OcrOptions) -> bool:
    return options.no_repeat_ngram == retry.STRICT_NO_REPEAT


def in_base(page: PageImage, options: OcrOptions) -> bool:
    return options.mode == "base"


def as_text(page: PageImage, options: OcrOptions) -> bool:
    return options.task == "text"


def in_halves(page: PageImage, options: OcrOptions) -> bool:
    return page.height < 80


def never(page: PageImage, options: OcrOptions) -> bool:
    return False


class IncompleteEngine(FakeEngine):
    """Completes a page where `cures` says so, else truncates it; records every attempt."""

    def __init__(self, cures: Cures, *, reason: FinishReason = "repetition") -> None:
        super().__init__()
        self.info = dataclasses.replace(self.info, supports_no_repeat=True)
        self.attempts: list[tuple[PageImage, OcrOptions]] = []
        self._cures, self._reason = cures, reason

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        self.attempts.append((page, options))
        result = await super().recognize(page, options, on_text=on_text)
        usage = Usage(completion_tokens=10, seconds=1.0)
        reason = "stop" if self._cures(page, options) else self._reason
        return dataclasses.replace(result, finish_reason=reason, usage=usage)


async def read(
    engine: FakeEngine, options: OcrOptions = WITH_NO_REPEAT, *, retry: bool = True
) -> PageResult:
    source = FakeSource([["first line", "second line", "third line", "last line"]])
    document = await Pipeline(engine, retry=retry).run(source, options)
    return document.pages[0]


def tries(result: PageResult) -> list[str]:
    """Names of the retries, in order."""
    attempts = [flag.removeprefix("tried:") for flag in result.flags if flag.startswith("tried:")]
    assert attempts[0].startswith("as_asked=")
    return [one.partition("=")[0] for one in attempts[1:]]


@pytest.mark.parametrize("reason", ["repetition", "length"])
@pytest.mark.parametrize(
    ("cures", "step"),
    [
        (with_strict_no_repeat, "tighter_guard"),
        (in_base, "mode_base"),
        (as_text, "without_grounding"),
        (in_halves, "halves"),
    ],
)
async def test_retries_end_with_the_first_complete_result(
    cures: Cures, step: str, reason: FinishReason
) -> None:
    result = await read(IncompleteEngine(cures, reason=reason))
    assert result.finish_reason == "stop"
    assert tries(result) == ALL[: ALL.index(step) + 1]
    assert result.flags[-2:] == (f"tried:{step}=stop", f"kept:{step}")
    assert f"tried:as_asked={reason}" in result.flags


async def test_each_step_changes_one_thing() -> None:
    engine = IncompleteEngine(never)
    await read(engine)
    _, guard, mode, plain, upper, lower = (options for _, options in engine.attempts)
    assert guard == dataclasses.replace(WITH_NO_REPEAT, no_repeat_ngram=retry.STRICT_NO_REPEAT)
    assert mode == dataclasses.replace(WITH_NO_REPEAT, mode="base")
    assert plain == dataclasses.replace(WITH_NO_REPEAT, task="text", prompt="<image>\nFree OCR.")
    assert upper == lower == WITH_NO_REPEAT


async def test_a_page_that_no_step_completes_is_retried_a_bounded_number_of_times_and_flagged() -> (
    None
):
    engine = IncompleteEngine(never)
    result = await read(engine)
    assert len(engine.attempts) == 1 + 3 + 2
    assert result.finish_reason == "repetition"
    assert result.flags[0] == "repetition"
    assert tries(result) == ALL
    assert result.flags[-1] == "kept:as_asked"
    assert (result.usage.completion_tokens, result.usage.seconds) == (60, 6.0)


@pytest.mark.parametrize("reason", ["repetition", "length"])
async def test_without_retries_a_page_is_recognized_once_and_flagged(reason: FinishReason) -> None:
    engine = IncompleteEngine(never, reason=reason)
    result = await read(engine, retry=False)
    assert len(engine.attempts) == 1
    assert result.flags == (reason,)


async def test_a_complete_page_is_not_retried() -> None:
    engine = IncompleteEngine(lambda page, options: True)
    result = await read(engine)
    assert len(engine.attempts) == 1
    assert result.flags == ()


async def test_a_page_that_reaches_the_max_tokens_of_its_request_is_not_retried() -> None:
    engine = IncompleteEngine(never, reason="length")
    result = await read(engine, dataclasses.replace(WITH_NO_REPEAT, max_tokens=10))
    assert len(engine.attempts) == 1
    assert (result.finish_reason, result.flags) == ("length", ("length",))


class WordCountEngine(IncompleteEngine):
    """Returns a number of different words that depends on mode and task."""

    def __init__(self, words: dict[str, int], cures: Cures) -> None:
        super().__init__(cures)
        self._words = words

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        result = await super().recognize(page, options)
        count = self._words[options.mode if options.task == "markdown" else "plain"]
        return dataclasses.replace(result, markdown=" ".join(f"word{n}" for n in range(count)))


async def test_of_incomplete_results_the_one_with_most_text_is_kept() -> None:
    result = await read(WordCountEngine({"gundam": 50, "base": 90, "plain": 70}, never), OPTIONS)
    assert result.flags[-1] == "kept:mode_base"


async def test_a_complete_result_that_lost_most_of_the_text_is_not_kept() -> None:
    result = await read(
        WordCountEngine({"gundam": 90, "base": 3, "plain": 80}, in_base_or_text), OPTIONS
    )
    assert "tried:mode_base=stop" in result.flags
    assert (result.finish_reason, result.flags[-1]) == ("stop", "kept:without_grounding")


def in_base_or_text(page: PageImage, options: OcrOptions) -> bool:
    return in_base(page, options) or as_text(page, options)


async def test_repeated_text_counts_once() -> None:
    class Repeats(IncompleteEngine):
        async def recognize(
            self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
        ) -> PageResult:
            result = await super().recognize(page, options)
            markdown = (
                "and again " * 500 if options.mode == "base" else "a few plain words of the page"
            )
            return dataclasses.replace(result, markdown=markdown)

    result = await read(Repeats(never))
    assert "kept:mode_base" not in result.flags


def names(options: OcrOptions, page: PageImage | None = None, **info: object) -> list[str]:
    known: EngineInfo = dataclasses.replace(FakeEngine().info, **info)  # type: ignore[arg-type]
    steps = retry.retry_steps(page or page_image(["a"]), options, known)
    return [step.name for step in steps]


def test_only_steps_that_the_engine_supports_are_tried() -> None:
    assert names(WITH_NO_REPEAT, supports_no_repeat=True) == ALL
    assert names(WITH_NO_REPEAT) == ALL[1:]
    assert names(WITH_NO_REPEAT, modes=("gundam",)) == ["without_grounding", "halves"]
    assert names(WITH_NO_REPEAT, tasks=("markdown",)) == ["mode_base", "halves"]


def test_a_strict_no_repeat_is_not_loosened() -> None:
    def tried(no_repeat: NoRepeat | None) -> list[str]:
        return names(
            dataclasses.replace(OPTIONS, no_repeat_ngram=no_repeat), supports_no_repeat=True
        )[:1]

    for loose in (None, NoRepeat(30, 90), NoRepeat(20, 50), NoRepeat(35)):
        assert tried(loose) == ["tighter_guard"]
    for tight in (NoRepeat(20), NoRepeat(10, 500), retry.STRICT_NO_REPEAT):
        assert tried(tight) == ["mode_base"]


def test_a_custom_prompt_is_not_tried_on_halves() -> None:
    custom = dataclasses.replace(OPTIONS, task="custom", prompt="<image>\nWho signed this?")
    assert names(custom) == ["mode_base"]
    text = dataclasses.replace(OPTIONS, task="text", prompt="<image>\nFree OCR.")
    assert names(text) == ["mode_base", "halves"]


def test_a_page_below_the_minimum_height_is_not_split() -> None:
    low = dataclasses.replace(page_image(["a"]), height=40)
    assert "halves" not in names(OPTIONS, low)


async def test_lines_are_kept_when_a_page_is_recognized_in_halves() -> None:
    class WithLines(IncompleteEngine):
        async def recognize(
            self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
        ) -> PageResult:
            result = await super().recognize(page, options, on_text=on_text)
            return dataclasses.replace(result, lines=page.text_lines or ())

    whole = await read(WithLines(lambda page, options: True))
    halves = await read(WithLines(in_halves))

    assert halves.flags[-1] == "kept:halves"
    assert [line.text for line in halves.lines] == [line.text for line in whole.lines]
    for line, expected in zip(halves.lines, whole.lines, strict=True):
        assert line.box.y1 == pytest.approx(expected.box.y1)


async def test_the_best_result_so_far_is_kept_when_time_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(retry, "time", SimpleNamespace(monotonic=clock))
    up = clock.now + retry.MIN_SECONDS

    class Slow(IncompleteEngine):
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


async def test_an_engine_crash_in_a_retry_keeps_the_earlier_result() -> None:
    class Crashes(IncompleteEngine):
        async def recognize(
            self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
        ) -> PageResult:
            if options.mode == "base":
                raise EngineCrashed
            return await super().recognize(page, options)

    result = await read(Crashes(never))
    assert result.error is None and result.markdown.startswith("first line")
    assert result.flags[-2:] == ("tried:mode_base=engine_crash", "kept:as_asked")


async def test_cancelling_ends_a_retry() -> None:
    class Hangs(IncompleteEngine):
        async def recognize(
            self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
        ) -> PageResult:
            if options.mode == "base":
                await asyncio.Event().wait()
            return await super().recognize(page, options)

    engine = Hangs(never)
    reading = asyncio.ensure_future(read(engine))
    while len(engine.attempts) < 2:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert engine.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("cures", [never, in_base, in_halves])
async def test_page_reset_precedes_the_text_of_a_retry(cures: Cures) -> None:
    events: list[PageEvent] = []
    source = FakeSource([["one", "two", "three", "four"]])
    document = await Pipeline(IncompleteEngine(cures)).run(
        source, WITH_NO_REPEAT, on_event=events.append
    )

    resets = [at for at, event in enumerate(events) if isinstance(event, PageReset)]
    assert len(resets) >= 2
    reason = events[resets[0]]
    assert isinstance(reason, PageReset) and "tighter_guard" in reason.reason
    last = "".join(one.text for one in events[resets[-1] :] if isinstance(one, TextDelta))
    assert last == document.pages[0].raw
    assert events[-1] == PageDone(document.pages[0])
