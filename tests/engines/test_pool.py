"""An engine pool of fakes that fail, stream and hang on command."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from dsocr.engines import pool as pool_module
from dsocr.engines import pool_member
from dsocr.engines.base import OnText
from dsocr.engines.pool import EnginePool
from dsocr.engines.stats import EngineStats, WorkerState
from dsocr.errors import BadCheckpoint, EngineCrashed, EngineUnavailable, QueueFull
from dsocr.pipeline.events import PageDone, PageEvent, PageReset, TextDelta
from dsocr.pipeline.pipeline import Pipeline
from dsocr.process.inflight import Suspicion, WorkerLost
from dsocr.types import OcrOptions, PageImage, PageResult
from tests.fakes import OPTIONS, FakeEngine, FakeSource, page_image
from tests.waiting import DEADLINE_SECONDS

HANG, WORDS = ["@hang"], ["one", "two", "three"]


class Member(FakeEngine):
    """A fake engine whose start and pages can be made to fail."""

    def __init__(
        self,
        *,
        max_concurrency: int = 2,
        start_errors: list[Exception] | None = None,
        page_error: Exception | None = None,
        streams_first: str = "",
    ) -> None:
        super().__init__(max_concurrency=max_concurrency)
        self.unhealthy_reason = ""
        self.start_errors = start_errors or []
        self.page_error = page_error
        self.streams_first = streams_first
        self.can_fail = asyncio.Event()
        self.can_fail.set()
        self.on_failure: Callable[[], None] = lambda: None
        """Called before a page's error is raised."""
        self.suspicions: list[Suspicion | None] = []
        """Of each page it was sent."""
        self.can_start = asyncio.Event()
        self.can_start.set()

    async def start(self) -> None:
        await self.can_start.wait()
        if self.start_errors:
            raise self.start_errors.pop(0)
        await super().start()

    async def recognize(
        self,
        page: PageImage,
        options: OcrOptions,
        *,
        on_text: OnText | None = None,
        suspicion: Suspicion | None = None,
    ) -> PageResult:
        self.suspicions.append(suspicion)
        if self.page_error is not None:
            self.read.append("failed")
            if on_text is not None and self.streams_first:
                on_text(self.streams_first)
            error = self.page_error
            await self.can_fail.wait()
            self.on_failure()
            raise error
        return await super().recognize(page, options, on_text=on_text)


class Streams(Member):
    """Has the listener of its last page."""

    on_text: OnText | None = None

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None, **rest: Any
    ) -> PageResult:
        self.on_text = on_text
        return await super().recognize(page, options, on_text=on_text, **rest)


async def until(condition: Callable[[], bool]) -> None:
    async def wait() -> None:
        while not condition():
            await asyncio.sleep(0)

    await asyncio.wait_for(wait(), DEADLINE_SECONDS)


async def started(*members: Member) -> EnginePool:
    pool = EnginePool(members)
    await pool.start()
    await until(lambda: all(member.started for member in members))
    return pool


def test_a_pool_without_members_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        EnginePool([])


def test_info_is_what_all_members_support_and_their_pages_together() -> None:
    first, second = Member(max_concurrency=3), Member(max_concurrency=5)
    first.info = dataclasses.replace(
        first.info, device="cuda:0", supports_no_repeat=True, details=(("dtype", "bfloat16"),)
    )
    second.info = dataclasses.replace(
        second.info,
        device="cuda:1",
        tasks=("ocr", "markdown"),
        modes={key: second.info.modes[key] for key in ("base", "gundam")},
        details=(("dtype", "bfloat16"), ("weights", "other")),
    )
    info = EnginePool([first, second]).info

    assert (info.name, info.model, info.device) == ("fake", "fake-1", "cuda:0, cuda:1")
    assert (info.tasks, tuple(info.modes)) == (("markdown", "ocr"), ("gundam", "base"))
    assert info.max_concurrency == 8
    assert not info.supports_no_repeat
    assert info.details == (("dtype", "bfloat16"), ("engines", "2 of 2 ready"))


async def test_pages_go_to_the_member_with_the_least_work_for_its_size() -> None:
    small, large = Member(max_concurrency=1), Member(max_concurrency=3)
    pool = await started(small, large)
    pages = [asyncio.create_task(pool.recognize(page_image(HANG), OPTIONS)) for _ in range(8)]
    await until(lambda: small.running + large.running == 8)

    assert (small.running, large.running) == (2, 6)
    for page in pages:
        page.cancel()
    await asyncio.gather(*pages, return_exceptions=True)


async def test_cancelling_frees_the_member() -> None:
    first, second = Member(), Member()
    pool = await started(first, second)
    pages = [asyncio.create_task(pool.recognize(page_image(HANG), OPTIONS)) for _ in range(4)]
    await until(lambda: first.running == second.running == 2)
    for page in pages:
        page.cancel()
    await asyncio.gather(*pages, return_exceptions=True)

    assert first.running == second.running == 0
    await asyncio.gather(*(pool.recognize(page_image(WORDS), OPTIONS) for _ in range(2)))
    assert len(first.read) == len(second.read) == 3


async def test_an_unhealthy_member_gets_no_pages_and_counts_for_none() -> None:
    first, second = Member(max_concurrency=3), Member(max_concurrency=5)
    pool = await started(first, second)
    first.unhealthy_reason = "The engine's process ended; it is started again."

    await asyncio.gather(*(pool.recognize(page_image(WORDS), OPTIONS) for _ in range(3)))

    assert (len(first.read), len(second.read)) == (0, 3)
    assert pool.info.max_concurrency == 5
    assert pool.unhealthy_reason == ""
    second.unhealthy_reason = "The engine is down."
    assert pool.unhealthy_reason == f"{first.unhealthy_reason} The engine is down."
    assert pool.info.max_concurrency == 8
    await pool.recognize(page_image(WORDS), OPTIONS)  # waits at a member for its recovery


@pytest.mark.parametrize("error", [EngineUnavailable("down"), QueueFull()])
async def test_a_page_of_an_unavailable_member_is_recognized_by_another(error: Exception) -> None:
    first, second = Member(page_error=error), Member()
    pool = await started(first, second)

    result = await pool.recognize(page_image(WORDS, index=7), OPTIONS)

    assert (result.index, result.markdown) == (7, "one\n\ntwo\n\nthree")
    assert (first.read, second.read) == (["failed"], ["one"])
    assert pool.stats().retries == 1


async def test_a_page_is_sent_to_one_other_member_only() -> None:
    members = [Member(page_error=EngineUnavailable(f"down: {number}")) for number in range(3)]
    pool = await started(*members)

    with pytest.raises(EngineUnavailable, match="down: 1"):
        await pool.recognize(page_image(WORDS), OPTIONS)
    assert [len(member.read) for member in members] == [1, 1, 0]


async def test_a_page_that_crashes_its_member_is_not_sent_to_another() -> None:
    first, second = Member(page_error=EngineCrashed()), Member()
    pool = await started(first, second)

    with pytest.raises(EngineCrashed):
        await pool.recognize(page_image(WORDS), OPTIONS)
    assert second.read == []


async def test_a_page_of_a_lost_worker_goes_to_another_with_its_suspicion() -> None:
    suspicion = Suspicion(1, True, 70)
    first, second = Member(page_error=WorkerLost(suspicion)), Member()
    pool = await started(first, second)
    first.on_failure = lambda: setattr(first, "unhealthy_reason", "it is started again")

    result = await pool.recognize(page_image(WORDS, index=7), OPTIONS)

    assert result.index == 7
    assert (first.read, second.read) == (["failed"], ["one"])
    assert second.suspicions == [suspicion]


async def lost_together(
    first: Member, second: Member, count: int
) -> tuple[EnginePool, list[asyncio.Task[PageResult]]]:
    """A pool, and pages that hang: the worker of `first` was lost with all of them in flight."""
    first.page_error = WorkerLost(Suspicion(1, True, 70))
    first.on_failure = lambda: setattr(first, "unhealthy_reason", "it is started again")
    first.can_fail.clear()
    pool = await started(first, second)
    second.unhealthy_reason = "it is started, too"
    pages = [asyncio.create_task(pool.recognize(page_image(HANG), OPTIONS)) for _ in range(count)]
    await until(lambda: len(first.read) == count)
    second.unhealthy_reason = ""
    first.can_fail.set()
    await until(lambda: second.running > 0)
    return pool, pages


async def cancelled(*pages: asyncio.Task[PageResult]) -> None:
    for page in pages:
        page.cancel()
    await asyncio.gather(*pages, return_exceptions=True)


async def test_a_member_gets_one_suspect_at_a_time_and_other_pages_beside_it() -> None:
    first, second = Member(), Member()
    pool, suspects = await lost_together(first, second, 3)
    assert second.running == 1
    other = asyncio.create_task(pool.recognize(page_image(HANG), OPTIONS))
    await until(lambda: second.running == 2)
    assert [one.is_suspect for one in second.suspicions] == [True, False]

    suspects[0].cancel()
    await until(lambda: len(second.read) == 3)
    assert second.running == 2
    first.unhealthy_reason, first.page_error = "", None
    suspects[1].cancel()
    await until(lambda: len(second.read) == 4)
    assert len(first.read) == 3  # no page goes back to where it was lost
    await cancelled(*suspects, other)


@pytest.mark.parametrize("error", [WorkerLost(Suspicion()), EngineCrashed()])
async def test_a_member_that_failed_gets_one_page_at_a_time_until_one_succeeds(
    error: Exception,
) -> None:
    first, second = Member(page_error=error, max_concurrency=9), Member(max_concurrency=9)
    pool = await started(first, second)
    await asyncio.gather(pool.recognize(page_image(WORDS), OPTIONS), return_exceptions=True)
    first.page_error = None
    before = len(first.read)
    pages = [asyncio.create_task(pool.recognize(page_image(HANG), OPTIONS)) for _ in range(5)]
    await until(lambda: first.running + second.running == 5)
    assert (first.running, second.running) == (1, 4)
    await cancelled(*pages)

    await pool.recognize(page_image(WORDS), OPTIONS)
    assert len(first.read) == before + 2
    pages = [asyncio.create_task(pool.recognize(page_image(HANG), OPTIONS)) for _ in range(6)]
    await until(lambda: first.running + second.running == 6)
    assert (first.running, second.running) == (3, 3)
    await cancelled(*pages)


async def test_a_suspect_lets_the_next_one_go_once_its_text_is_longer_than_before() -> None:
    first, second = Member(), Streams()
    _, suspects = await lost_together(first, second, 2)
    assert second.on_text is not None and len(second.read) == 1

    second.on_text("x" * 69)
    await asyncio.sleep(0)
    assert len(second.read) == 1
    second.on_text("x")
    await until(lambda: len(second.read) == 2)

    assert second.running == 2
    await cancelled(*suspects)


async def test_closing_ends_the_wait_of_suspects() -> None:
    first, second = Member(), Member()
    pool, suspects = await lost_together(first, second, 3)

    await pool.close()

    for waiting in suspects[1:]:
        with pytest.raises(EngineUnavailable, match="shut down"):
            await waiting
    await cancelled(suspects[0])
    assert len(second.read) == 1


async def test_a_page_whose_workers_are_lost_goes_back_to_a_member_that_has_recovered() -> None:
    first, second = Member(page_error=WorkerLost(Suspicion())), Member()
    second.page_error = WorkerLost(Suspicion(1))
    pool = await started(first, second)

    def first_lost() -> None:
        first.unhealthy_reason, second.unhealthy_reason = "it is started again", ""
        first.page_error = None

    def second_lost() -> None:
        second.unhealthy_reason, first.unhealthy_reason = "it is started again", ""

    first.on_failure, second.on_failure = first_lost, second_lost

    await pool.recognize(page_image(WORDS), OPTIONS)

    assert (first.read, second.read) == (["failed", "one"], ["failed"])
    assert first.suspicions[-1] == Suspicion(1)


async def test_a_page_at_an_unhealthy_member_goes_to_the_first_that_recovers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_module, "RECOVERY_POLL_SECONDS", 0.0)
    first, second = Member(), Member()
    pool = await started(first, second)
    first.unhealthy_reason = second.unhealthy_reason = "it is started again"
    reading = asyncio.create_task(pool.recognize(page_image(HANG), OPTIONS))
    await until(lambda: first.running == 1)

    second.unhealthy_reason = ""
    await until(lambda: second.running == 1)

    assert first.running == 0
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert second.running == 0


async def test_a_page_of_a_closed_pool_is_not_sent_again() -> None:
    first, second = Member(page_error=WorkerLost(Suspicion())), Member()
    pool = await started(first, second)
    await pool.close()

    with pytest.raises(EngineUnavailable):
        await pool.recognize(page_image(WORDS), OPTIONS)
    assert second.read == []


async def test_workers_are_starting_ready_or_failed() -> None:
    failing, slow, good = Member(start_errors=[EngineUnavailable("busy")]), Member(), Member()
    for member, device in ((failing, "cuda:0"), (slow, "cuda:1"), (good, "cuda:2")):
        member.info = dataclasses.replace(member.info, device=device)
    slow.can_start.clear()
    pool = EnginePool([failing, slow, good])
    await pool.start()
    await until(lambda: good.started and pool.stats().workers[0].unhealthy_reason == "busy")
    reading = asyncio.create_task(pool.recognize(page_image(HANG), OPTIONS))
    await until(lambda: good.running == 1)

    assert pool.stats().workers == (
        WorkerState("cuda:0", "failed", "busy"),
        WorkerState("cuda:1", "starting", "The engine is starting."),
        WorkerState("cuda:2", "ready", pages=1),
    )
    slow.can_start.set()
    await until(lambda: pool.stats().workers[1].state == "ready")
    good.unhealthy_reason = "it is started again"
    assert pool.stats().workers[2].state == "starting"
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await pool.close()


async def test_without_another_healthy_member_the_error_is_raised() -> None:
    first, second = Member(page_error=EngineUnavailable("down")), Member()
    pool = await started(first, second)
    second.unhealthy_reason = "down too"

    with pytest.raises(EngineUnavailable, match="down"):
        await pool.recognize(page_image(WORDS), OPTIONS)
    assert second.read == []


async def test_text_that_the_second_member_repeats_is_streamed_once() -> None:
    whole = (await FakeEngine().recognize(page_image(WORDS), OPTIONS)).raw
    first = Member(page_error=EngineUnavailable("down"), streams_first=whole[:20])
    pool = await started(first, Member())
    pieces: list[str] = []

    result = await pool.recognize(page_image(WORDS), OPTIONS, on_text=pieces.append)

    assert pieces[0] == whole[:20]
    assert "".join(pieces) == result.raw == whole


async def test_other_text_of_the_second_member_resets_the_page_in_the_pipeline() -> None:
    first = Member(page_error=EngineUnavailable("down"), streams_first="something else")
    pool = await started(first, Member())
    events: list[PageEvent] = []

    document = await Pipeline(pool).run(FakeSource([WORDS]), OPTIONS, on_event=events.append)

    (reset,) = [at for at, event in enumerate(events) if isinstance(event, PageReset)]
    text = "".join(event.text for event in events[reset:] if isinstance(event, TextDelta))
    assert text == document.pages[0].raw
    assert events[-1] == PageDone(document.pages[0])


async def test_start_returns_with_the_first_member_and_others_join_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool_member, "RESTART_SECONDS", 0.0)
    failing, slow, good = Member(start_errors=[EngineUnavailable("busy")] * 3), Member(), Member()
    slow.can_start.clear()
    failing.can_start.clear()
    pool = EnginePool([failing, slow, good])

    await pool.start()

    assert pool.info.max_concurrency == good.info.max_concurrency
    assert dict(pool.info.details)["engines"] == "1 of 3 ready"
    await pool.recognize(page_image(WORDS), OPTIONS)
    assert good.read == ["one"]
    slow.can_start.set()
    failing.can_start.set()
    await until(lambda: dict(pool.info.details)["engines"] == "3 of 3 ready")
    assert failing.start_errors == []
    await pool.close()


async def test_start_fails_when_no_member_starts_and_may_be_repeated() -> None:
    first = Member(start_errors=[BadCheckpoint("no weights")])
    second = Member(start_errors=[EngineUnavailable("busy")])
    pool = EnginePool([first, second])

    with pytest.raises(BadCheckpoint, match="no weights"):
        await pool.start()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert pool.unhealthy_reason == "no weights busy"

    await pool.start()
    await until(lambda: first.started and second.started)
    assert pool.unhealthy_reason == ""
    await pool.close()


async def test_cancelling_the_start_leaves_nothing_running() -> None:
    member = Member()
    member.can_start.clear()
    pool = EnginePool([member])
    starting = asyncio.create_task(pool.start())
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)

    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_stats_are_the_sums_of_the_members() -> None:
    class Reporting(Member):
        def stats(self) -> EngineStats:
            load = {"cache_used": float(self.info.max_concurrency > 2), "preemptions": 4.0}
            return EngineStats(3, 5, {"crash": 1}, 2, load)

    pool = EnginePool([Reporting(max_concurrency=2), Reporting(max_concurrency=3)])

    load = {"cache_used": 0.5, "preemptions": 8.0}
    workers = (WorkerState("cpu", "ready", restarts=1),) * 2
    assert pool.stats() == EngineStats(6, 10, {"crash": 2}, 4, load, workers)


async def test_closing_closes_all_members_and_ends_their_starts() -> None:
    good, slow = Member(), Member()
    slow.can_start.clear()
    pool = EnginePool([good, slow])
    await pool.start()

    await pool.close()

    assert good.closed and slow.closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_member_that_takes_longer_for_a_page_gets_fewer_where_durations_count() -> None:
    slow, fast = Member(max_concurrency=8), Member(max_concurrency=8)
    pool = EnginePool([slow, fast], by_duration=True)
    await pool.start()
    for member, seconds in zip(pool._members, (5.0, 1.0), strict=True):
        member.add_duration(seconds)
    reading = [
        asyncio.ensure_future(pool.recognize(page_image(HANG, index=number), OPTIONS))
        for number in range(6)
    ]
    await until(lambda: slow.running + fast.running == 6)

    assert (slow.running, fast.running) == (1, 5)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    await pool.close()
