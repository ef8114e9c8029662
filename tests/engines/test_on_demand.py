"""An engine that is unloaded while it has no pages."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from dsocr.engines.on_demand import OnDemandEngine
from dsocr.errors import EngineUnavailable
from dsocr.types import PageImage
from tests.engines.ppocr import typeset
from tests.fakes import OPTIONS, FakeEngine

PAGE: PageImage = replace(
    typeset.page(("one",)), text_lines=tuple(typeset.layer(("one",))), dpi=144.0
)


class Engines:
    """Makes fake engines and keeps them."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.made: list[FakeEngine] = []
        self.seconds = seconds

    def __call__(self) -> FakeEngine:
        self.made.append(FakeEngine(seconds=self.seconds))
        return self.made[-1]

    @property
    def started(self) -> list[bool]:
        return [engine.started and not engine.closed for engine in self.made]


async def put_away(engine: OnDemandEngine) -> None:
    while engine.is_running:
        await asyncio.sleep(0.001)


async def test_an_idle_engine_is_closed_and_the_next_page_starts_another() -> None:
    engines = Engines()
    engine = OnDemandEngine(engines, 0.001)
    await engine.start()
    await put_away(engine)

    first = engines.made[0]
    while not first.closed:
        await asyncio.sleep(0.001)
    result = await engine.recognize(PAGE, OPTIONS)

    assert result.markdown == "one"
    assert not first.read and engines.made[1].read == ["one"]
    await engine.close()


async def test_an_engine_with_pages_is_not_closed() -> None:
    engines = Engines(seconds=0.05)
    engine = OnDemandEngine(engines, 0.0)
    results = await asyncio.gather(*(engine.recognize(PAGE, OPTIONS) for _ in range(3)))

    assert [result.markdown for result in results] == ["one"] * 3
    assert engines.made[0].read == ["one"] * 3
    await engine.close()


async def test_pages_that_come_while_it_starts_share_one_start() -> None:
    engines = Engines()
    engine = OnDemandEngine(engines, 60)
    await asyncio.gather(*(engine.recognize(PAGE, OPTIONS) for _ in range(5)))

    assert len(engines.made) == 1 and engine.is_running
    await engine.close()


async def test_a_start_that_fails_fails_its_page_and_the_next_page_tries_again() -> None:
    class FailsOnce(FakeEngine):
        failures = 1

        async def start(self) -> None:
            if FailsOnce.failures:
                FailsOnce.failures -= 1
                raise EngineUnavailable("no memory is free")
            await super().start()

    engine = OnDemandEngine(FailsOnce, 60)
    with pytest.raises(EngineUnavailable, match="no memory"):
        await engine.recognize(PAGE, OPTIONS)

    assert (await engine.recognize(PAGE, OPTIONS)).markdown == "one"
    await engine.close()


async def test_a_closed_engine_starts_no_more() -> None:
    engines = Engines()
    engine = OnDemandEngine(engines, 60)
    await engine.close()

    with pytest.raises(EngineUnavailable):
        await engine.recognize(PAGE, OPTIONS)
    assert engines.started == [False]


async def test_it_tells_what_it_ran_while_it_is_put_away() -> None:
    engines = Engines()
    engine = OnDemandEngine(engines, 0.001)
    await engine.start()
    engines.made[0].info = replace(engines.made[0].info, max_concurrency=9)
    await put_away(engine)

    assert engine.info.max_concurrency == 9
    assert engine.unhealthy_reason == "" and engine.stats().running == 0
    await engine.close()
