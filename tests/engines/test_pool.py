"""The engine pool: where a page goes, and what happens when a member cannot take it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dsocr.engines import pool
from dsocr.engines.base import OnText
from dsocr.engines.pool import EnginePool
from dsocr.errors import EngineCrashed, EngineUnavailable
from dsocr.types import OcrOptions, PageImage, PageResult
from tests.fakes import OPTIONS, FakeEngine, page_image


class Member(FakeEngine):
    """A fake engine that can be unhealthy, held, or fail after some text."""

    def __init__(self, *, max_concurrency: int = 2) -> None:
        super().__init__(max_concurrency=max_concurrency)
        self.unhealthy_reason = ""
        self.start_errors = 0
        """How many starts fail."""
        self.fails_after: str | None = None
        """Text that is streamed before the engine becomes unavailable."""
        self.error: type[EngineUnavailable] | type[EngineCrashed] = EngineUnavailable
        self.held: asyncio.Event | None = None

    async def start(self) -> None:
        if self.start_errors:
            self.start_errors -= 1
            raise EngineUnavailable("no such device")
        await super().start()

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        if self.fails_after is not None:
            if on_text is not None and self.fails_after:
                on_text(self.fails_after)
            raise self.error("the engine is down")
        if self.held is not None:
            self.running += 1
            try:
                await self.held.wait()
            finally:
                self.running -= 1
        return await super().recognize(page, options, on_text=on_text)


def reads(member: Member) -> int:
    return len(member.read)


async def started(*members: Member) -> EnginePool:
    engines = EnginePool(members)
    await engines.start()
    for member in engines._members:
        if member.starting is not None and not member.engine.start_errors:  # type: ignore[attr-defined]
            await member.starting
    return engines


async def test_pages_go_to_the_member_with_the_least_outstanding_work() -> None:
    small, large = Member(max_concurrency=1), Member(max_concurrency=3)
    engines = await started(small, large)
    small.held = large.held = asyncio.Event()
    reading = [
        asyncio.ensure_future(engines.recognize(page_image(["a"]), OPTIONS)) for _ in range(8)
    ]
    await asyncio.sleep(0)
    assert (small.running, large.running) == (2, 6)
    small.held.set()
    await asyncio.gather(*reading)


async def test_an_unhealthy_member_is_skipped() -> None:
    sick, healthy = Member(), Member()
    engines = await started(sick, healthy)
    sick.unhealthy_reason = "it is restarted"
    for _ in range(4):
        await engines.recognize(page_image(["a"]), OPTIONS)
    assert (reads(sick), reads(healthy)) == (0, 4)
    assert engines.unhealthy_reason == ""


async def test_the_pool_is_unhealthy_when_every_member_is() -> None:
    one, other = Member(), Member()
    engines = await started(one, other)
    one.unhealthy_reason, other.unhealthy_reason = "crashed", "stalled"
    assert engines.unhealthy_reason == "crashed, stalled"
    await engines.recognize(page_image(["a"]), OPTIONS)  # members restart themselves: it waits
    assert reads(one) + reads(other) == 1


async def test_a_page_of_an_unavailable_member_is_recognized_once_more_on_another() -> None:
    down, up = Member(), Member()
    engines = await started(down, up)
    down.fails_after = ""
    result = await engines.recognize(page_image(["a"]), OPTIONS)
    assert (result.markdown, reads(up), engines.stats().retries) == ("a", 1, 1)


async def test_a_page_that_a_second_member_fails_is_an_error() -> None:
    members = [Member(), Member(), Member()]
    engines = await started(*members)
    for member in members:
        member.fails_after = ""
    with pytest.raises(EngineUnavailable):
        await engines.recognize(page_image(["a"]), OPTIONS)
    assert engines.stats().retries == 1


async def test_a_page_that_crashes_a_member_is_not_given_to_another() -> None:
    crashing, other = Member(), Member()
    engines = await started(crashing, other)
    crashing.fails_after, crashing.error = "", EngineCrashed
    with pytest.raises(EngineCrashed):
        await engines.recognize(page_image(["a"]), OPTIONS)
    assert reads(other) == 0


async def test_streamed_text_is_not_repeated_by_the_second_member() -> None:
    down, up = Member(), Member()
    engines = await started(down, up)
    expected = (await up.recognize(page_image(["some words"]), OPTIONS)).raw
    down.fails_after = expected[:5]
    pieces: list[str] = []
    result = await engines.recognize(page_image(["some words"]), OPTIONS, on_text=pieces.append)
    assert "".join(pieces) == result.raw == expected


async def test_a_cancelled_page_frees_its_member() -> None:
    member, other = Member(), Member()
    engines = await started(member, other)
    member.held = other.held = asyncio.Event()
    reading = asyncio.ensure_future(engines.recognize(page_image(["a"]), OPTIONS))
    await asyncio.sleep(0)
    assert engines.stats().running == 1
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert engines.stats().running == 0
    assert [one.num_outstanding for one in engines._members] == [0, 0]


async def test_one_started_member_is_enough_and_the_other_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "RESTART_SECONDS", 0.001)
    late, early = Member(max_concurrency=4), Member()
    late.start_errors = 3
    engines = EnginePool([late, early])
    await engines.start()
    assert engines.unhealthy_reason == "" and early.started
    starting = engines._members[0].starting
    assert starting is not None
    await asyncio.wait_for(starting, 60)
    assert late.started and engines.info.max_concurrency == 6
    await engines.close()
    assert late.closed and early.closed


async def test_no_member_that_starts_is_the_first_ones_error() -> None:
    one, other = Member(), Member()
    one.start_errors = other.start_errors = 1
    with pytest.raises(EngineUnavailable, match="no such device"):
        await EnginePool([one, other]).start()


async def test_the_pool_can_do_what_all_members_can() -> None:
    one, other = Member(), Member()
    one.info = replace(one.info, device="cuda:0", supports_no_repeat=True)
    other.info = replace(other.info, device="cuda:1", tasks=("text", "markdown"), streams=False)
    info = (await started(one, other)).info
    assert info.tasks == ("markdown", "text")
    assert (info.device, info.streams, info.supports_no_repeat) == ("cuda:0, cuda:1", False, False)
    assert dict(info.details)["engines"] == "2 of 2"
