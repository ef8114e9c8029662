"""The contract of every engine. A new engine is tested by one line in `ENGINES`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import get_args

import pytest
import pytest_asyncio

from dsocr.config import Settings
from dsocr.engines.base import Engine
from dsocr.engines.deepseek.grounding import parse
from dsocr.engines.deepseek.remote.config import RemoteConfig
from dsocr.engines.deepseek.remote.engine import create_engine as create_remote
from dsocr.engines.pool import EnginePool
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.ppocr.engine import PpocrEngine
from dsocr.errors import UnsupportedTask
from dsocr.types import OcrOptions, PageImage, Task
from tests.engines.ppocr import typeset
from tests.fakes import OPTIONS, FakeEngine
from tests.served import served

pytestmark = pytest.mark.asyncio(loop_scope="module")  # one started engine for its tests

ENGINES: dict[str, Callable[[], Engine]] = {
    "embedded": lambda: PpocrEngine(PpocrConfig()),
    "fake": lambda: FakeEngine(seconds=0.1),
    "pool": lambda: EnginePool([FakeEngine(seconds=0.1), FakeEngine(seconds=0.1)]),
}
SLOW = ["remote"]
"""With `--slow`: pages that another service reads, with an engine of its own."""
FAST: OcrOptions = replace(OPTIONS, mode="small")


@pytest.fixture(
    scope="module",
    params=[*ENGINES, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)],
)
def make_engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Engine]]:
    if request.param in ENGINES:
        yield ENGINES[request.param]
        return
    settings = Settings(runs_dir=tmp_path_factory.mktemp("other"), engine="ppocr")
    with served(settings, PpocrEngine(PpocrConfig())) as port:
        yield lambda: create_remote(RemoteConfig((f"http://127.0.0.1:{port}/v1",)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(make_engine: Callable[[], Engine]) -> AsyncIterator[Engine]:
    engine = make_engine()
    await engine.start()
    yield engine
    await engine.close()


def page(lines: tuple[str, ...] = typeset.FOX, *, index: int = 0) -> PageImage:
    """The same text in its pixels and in its text layer."""
    return replace(
        typeset.page(lines, index=index), text_lines=tuple(typeset.layer(lines)), dpi=144.0
    )


async def test_info_is_available_before_start(make_engine: Callable[[], Engine]) -> None:
    info = make_engine().info

    assert info.name and info.model and info.device
    assert "markdown" in info.tasks and "gundam" in info.modes
    assert info.max_concurrency >= 1


async def test_a_page_keeps_its_place_and_its_size(engine: Engine) -> None:
    result = await engine.recognize(page(index=7), FAST)

    assert (result.index, result.width, result.height) == (7, 760, 420)
    assert result.error is None and result.finish_reason == "stop"
    assert typeset.FOX[0] in result.markdown


async def test_pages_in_flight_together_each_get_their_own_result(engine: Engine) -> None:
    pages = [page((f"This is page number {number}",), index=number) for number in range(6)]

    results = await asyncio.gather(*(engine.recognize(one, FAST) for one in pages))

    assert [result.index for result in results] == list(range(6))
    for number, result in enumerate(results):
        assert f"number {number}" in result.markdown


async def test_boxes_are_fractions_of_the_page_in_order(engine: Engine) -> None:
    result = await engine.recognize(page(), FAST)

    boxes = [box for block in result.blocks for box in block.boxes]
    assert boxes
    for box in boxes:
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 <= box.y0 < box.y1 <= 1


async def test_raw_text_parses_to_the_blocks(engine: Engine) -> None:
    result = await engine.recognize(page(), FAST)

    parsed = parse(result.raw)
    assert [block.label for block in parsed] == [block.label for block in result.blocks]
    assert [block.text for block in parsed] == [block.text for block in result.blocks]


async def test_streamed_pieces_add_up_to_the_raw_text(engine: Engine) -> None:
    pieces: list[str] = []

    result = await engine.recognize(page(), FAST, on_text=pieces.append)

    assert "".join(pieces) == result.raw != ""


async def test_a_cancelled_page_does_not_affect_the_others(engine: Engine) -> None:
    pages = [page((f"This is page number {number}",), index=number) for number in range(4)]
    reading = [asyncio.ensure_future(engine.recognize(one, FAST)) for one in pages]
    for _ in range(10):  # long enough to be sent; engines with a process are not done by then
        await asyncio.sleep(0)

    was_cancelled = {number: reading[number].cancel() for number in (0, 2)}  # False: it was done
    results = await asyncio.gather(*reading, return_exceptions=True)

    for number, expected in was_cancelled.items():
        assert isinstance(results[number], asyncio.CancelledError) is expected
    for number in (1, 3):
        result = results[number]
        assert not isinstance(result, BaseException)
        assert f"number {number}" in result.markdown


async def test_unsupported_tasks_are_refused(engine: Engine) -> None:
    unsupported = [task for task in get_args(Task) if task not in engine.info.tasks]

    for task in unsupported:
        with pytest.raises(UnsupportedTask):
            await engine.recognize(page(), replace(FAST, task=task))


async def test_closing_twice_is_no_error(make_engine: Callable[[], Engine]) -> None:
    engine = make_engine()
    await engine.start()
    await engine.close()
    await engine.close()
