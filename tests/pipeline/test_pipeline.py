import asyncio
import logging
from dataclasses import replace

import pytest

from dsocr.engines.base import OnText
from dsocr.errors import BadImage, BadRequest, DiskFull, UnsupportedMode, UnsupportedTask
from dsocr.pipeline.events import (
    BlockClosed,
    PageDone,
    PageEvent,
    PageReset,
    PageStarted,
    TextDelta,
)
from dsocr.pipeline.page_ranges import page_indices
from dsocr.pipeline.pipeline import Pipeline
from dsocr.types import OcrOptions, PageImage, PageResult
from tests.fakes import OPTIONS, FakeEngine, FakeSource
from tests.waiting import DEADLINE_SECONDS, until


def numbered(count: int, prefix: str = "p") -> FakeSource:
    return FakeSource([[f"{prefix}{number}"] for number in range(count)])


async def test_pages_are_in_order_however_long_each_takes() -> None:
    source = FakeSource([["@slow=0.02", "a"], ["b"], ["@slow=0.01", "c"], ["d"]])
    document = await Pipeline(FakeEngine(max_concurrency=3)).run(source, OPTIONS)
    assert [page.markdown for page in document.pages] == ["a", "b", "c", "d"]
    assert [page.index for page in document.pages] == [0, 1, 2, 3]
    assert (document.name, document.engine, document.model) == ("fake.pdf", "fake", "fake-1")
    assert document.options is OPTIONS


async def test_a_page_that_cannot_be_rendered_keeps_its_place() -> None:
    source = FakeSource([["a"], BadImage("The image is cut short."), ["c"]])
    document = await Pipeline(FakeEngine()).run(source, OPTIONS)
    first, broken, last = document.pages
    assert (first.markdown, last.markdown) == ("a", "c")
    assert broken.error is not None
    assert (broken.index, broken.error.code) == (1, "bad_image")
    assert broken.error.message == "The image is cut short."
    assert broken.finish_reason == "error"


async def test_a_page_that_crashes_the_engine_keeps_its_place_and_its_size() -> None:
    document = await Pipeline(FakeEngine()).run(FakeSource([["@crash"], ["b"]]), OPTIONS)
    crashed, other = document.pages
    assert crashed.error is not None
    assert (crashed.error.code, crashed.error.retryable) == ("engine_crash", True)
    assert (crashed.width, crashed.height) == (60, 80)
    assert other.markdown == "b"


async def test_a_bug_fails_its_page_alone_and_leaves_a_traceback_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        document = await Pipeline(FakeEngine()).run(FakeSource([["@oom"], ["b"]]), OPTIONS)
    broken, other = document.pages
    assert broken.error is not None
    assert broken.error.code == "internal"
    assert "ordered" not in broken.error.message
    assert "MemoryError: as ordered" in caplog.text
    assert other.markdown == "b"


async def test_selected_pages_keep_their_order_and_their_indices() -> None:
    document = await Pipeline(FakeEngine()).run(numbered(9), OPTIONS, pages=[7, 2])
    assert [(page.index, page.markdown) for page in document.pages] == [(7, "p7"), (2, "p2")]


@pytest.mark.parametrize("pages", [[0, 3], [-1]])
async def test_a_missing_page_is_refused_before_any_page_is_recognized(
    pages: list[int],
) -> None:
    engine = FakeEngine()
    with pytest.raises(BadRequest):
        await Pipeline(engine).run(numbered(3), OPTIONS, pages=pages)
    assert engine.read == []


async def test_an_unsupported_task_or_mode_is_refused_before_any_page_is_recognized() -> None:
    engine = FakeEngine()
    describe = type(OPTIONS)(task="describe", mode="gundam", prompt="<image>\nDescribe.")
    with pytest.raises(UnsupportedTask, match="markdown"):
        await Pipeline(engine).run(numbered(1), describe)
    odd = type(OPTIONS)(task="markdown", mode="huge", prompt="<image>")  # type: ignore[arg-type]
    with pytest.raises(UnsupportedMode, match="gundam"):
        await Pipeline(engine).run(numbered(1), odd)
    assert engine.read == []


async def test_the_engine_is_kept_busy_and_never_overfilled() -> None:
    engine = FakeEngine(max_concurrency=3, seconds=0.001)
    pipeline = Pipeline(engine)
    await asyncio.gather(*(pipeline.run(numbered(10), OPTIONS) for _ in range(4)))
    assert engine.most_running == 3


@pytest.mark.parametrize(("max_concurrency", "at_most"), [(1, 3), (2, 4), (8, 15)])
async def test_page_images_in_memory_do_not_grow_with_the_document(
    max_concurrency: int, at_most: int
) -> None:
    source = numbered(3000)
    engine = FakeEngine(max_concurrency=max_concurrency)
    document = await Pipeline(engine).run(source, OPTIONS)
    assert len(document.pages) == 3000
    assert source.most_alive <= at_most


async def test_page_images_in_memory_take_no_more_bytes_than_allowed() -> None:
    source, engine = FakeSource([["@hang"]] * 30), FakeEngine(max_concurrency=50)
    pipeline = Pipeline(engine, max_image_bytes=10 * 3 * 60 * 80)
    running = asyncio.ensure_future(pipeline.run(source, OPTIONS))
    await until(lambda: source.most_alive >= 10)
    await settle()
    assert source.most_alive == 10
    await cancel(running)


async def test_a_page_larger_than_all_images_may_be_is_read_alone() -> None:
    source, engine = numbered(20), FakeEngine(max_concurrency=5)
    document = await Pipeline(engine, max_image_bytes=1).run(source, OPTIONS)
    assert [page.markdown for page in document.pages] == [f"p{number}" for number in range(20)]
    assert source.most_alive == 1


@pytest.mark.parametrize(("max_concurrency", "rendered"), [(1, 3), (2, 4), (8, 15)])
async def test_as_many_pages_are_rendered_ahead_of_the_engine_as_it_works_on(
    max_concurrency: int, rendered: int
) -> None:
    source = FakeSource([["@hang"]] * 30)
    engine = FakeEngine(max_concurrency=max_concurrency)
    running = asyncio.ensure_future(Pipeline(engine).run(source, OPTIONS))
    await until(lambda: len(source.dpi_asked) >= rendered)
    await settle()
    assert len(source.dpi_asked) == rendered
    await cancel(running)


class SlowFirstPage(FakeSource):
    """Renders its first page only once `others` pages have been rendered."""

    others = 2

    async def render_page(self, index: int, *, dpi: float) -> PageImage:
        if index == 0:
            await until(lambda: len(self.dpi_asked) == self.others)
        return await super().render_page(index, dpi=dpi)


async def test_pages_are_recognized_in_order_whichever_is_rendered_first() -> None:
    events: list[PageEvent] = []
    engine = FakeEngine(max_concurrency=1)
    source = SlowFirstPage([["a"], ["b"], BadImage("cut"), ["d"]])
    await Pipeline(engine).run(source, OPTIONS, on_event=events.append)
    assert engine.read == ["a", "b", "d"]
    started = [event.index for event in events if isinstance(event, PageStarted)]
    assert sorted(started) == [0, 1, 2, 3]


async def test_many_documents_share_a_bounded_number_of_page_images() -> None:
    sources = [FakeSource([["@hang"]]) for _ in range(20)]
    pipeline = Pipeline(FakeEngine(max_concurrency=2))
    runs = [asyncio.ensure_future(pipeline.run(source, OPTIONS)) for source in sources]
    await settle()
    assert sum(source.most_alive for source in sources) == 5
    await cancel(*runs)


async def test_the_source_chooses_the_resolution_unless_it_is_given() -> None:
    source = numbered(1)
    pipeline = Pipeline(FakeEngine())
    await pipeline.run(source, OPTIONS)
    await pipeline.run(source, OPTIONS, dpi=300)
    assert source.dpi_asked == [None, 300]


async def test_cancelling_leaves_nothing_running_and_frees_every_slot() -> None:
    engine = FakeEngine(max_concurrency=2)
    pipeline = Pipeline(engine)
    stuck = FakeSource([["@hang"]] * 5)
    running = asyncio.ensure_future(pipeline.run(stuck, OPTIONS))
    await settle()
    assert engine.running == 2
    await cancel(running)
    assert engine.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    document = await asyncio.wait_for(pipeline.run(numbered(5), OPTIONS), DEADLINE_SECONDS)
    assert len(document.pages) == 5


async def test_a_single_page_goes_next_while_whole_documents_wait() -> None:
    engine = FakeEngine(max_concurrency=1)
    pipeline = Pipeline(engine)
    books = [
        asyncio.ensure_future(pipeline.run(numbered(30, f"book{book}-"), OPTIONS))
        for book in range(4)
    ]
    while len(engine.read) < 10:
        await asyncio.sleep(0)
    begun = len(engine.read)
    await pipeline.run(FakeSource([["single"]]), OPTIONS)
    assert engine.read.index("single") <= begun + 3
    await asyncio.gather(*books)


async def test_two_long_documents_are_served_in_turns() -> None:
    engine = FakeEngine(max_concurrency=1)
    pipeline = Pipeline(engine)
    runs = (pipeline.run(numbered(20, prefix), OPTIONS) for prefix in ("a", "b"))
    await asyncio.gather(*runs)
    middle = "".join(name[0] for name in engine.read[4:36])
    assert "aaa" not in middle
    assert "bbb" not in middle


@pytest.mark.parametrize("streams", [True, False])
async def test_events_of_a_page_come_in_order_and_add_up_to_its_result(streams: bool) -> None:
    events: list[PageEvent] = []
    source = FakeSource([["one", "two"], BadImage("cut"), ["@crash"]])
    document = await Pipeline(FakeEngine(streams=streams)).run(
        source, OPTIONS, on_event=events.append
    )

    def of(index: int) -> list[PageEvent]:
        return [e for e in events if (e.page if isinstance(e, PageDone) else e).index == index]

    good = of(0)
    assert good[0] == PageStarted(0, 60, 80)
    assert good[-1] == PageDone(document.pages[0])
    text = "".join(event.text for event in good if isinstance(event, TextDelta))
    assert text == document.pages[0].raw
    closed = [event.block.text.strip() for event in good if isinstance(event, BlockClosed)]
    assert closed == ["one", "two"]
    assert of(1) == [PageStarted(1), PageDone(document.pages[1])]
    assert of(2) == [PageStarted(2, 60, 80), PageDone(document.pages[2])]


class ChangesItsText(FakeEngine):
    """Streams text that its result does not have, as after a crash in between."""

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        assert on_text is not None
        on_text("<|ref|>text<|/ref|><|det|>[[0, 0, 9, 9]]<|/det|>\nbegun and")
        return await super().recognize(page, options)


async def test_a_result_with_other_text_than_was_streamed_resets_the_page() -> None:
    events: list[PageEvent] = []
    document = await Pipeline(ChangesItsText()).run(
        FakeSource([["one", "two"]]), OPTIONS, on_event=events.append
    )

    (reset,) = [at for at, event in enumerate(events) if isinstance(event, PageReset)]
    text = "".join(event.text for event in events[reset:] if isinstance(event, TextDelta))
    closed = [event.block.text for event in events[reset:] if isinstance(event, BlockClosed)]
    assert text == document.pages[0].raw
    assert closed == ["one", "two"]


async def test_a_listener_that_cannot_store_a_page_ends_the_run() -> None:
    engine = FakeEngine()

    def store(event: PageEvent) -> None:
        if isinstance(event, PageDone):
            raise DiskFull

    with pytest.raises(DiskFull):
        await Pipeline(engine).run(FakeSource([["a"], ["@hang"]]), OPTIONS, on_event=store)
    assert engine.running == 0


async def test_a_document_without_pages_is_a_document() -> None:
    document = await Pipeline(FakeEngine()).run(FakeSource([]), OPTIONS)
    assert document.pages == ()


@pytest.mark.parametrize(
    ("text", "indices"),
    [
        ("1", [0]),
        ("1-3,7", [0, 1, 2, 6]),
        (" 2 , 4 - 5 ", [1, 3, 4]),
        ("8-", [7, 8, 9]),
        ("7,1-3", [6, 0, 1, 2]),
        ("2,1-3,2", [1, 0, 2]),
    ],
)
def test_page_ranges_are_parsed(text: str, indices: list[int]) -> None:
    assert page_indices(text, 10) == indices


@pytest.mark.parametrize(
    "text",
    ["", "x", "0", "11", "3-1", "1,,2", "1-11", "-3", "1-2-3", "1.5", "9" * 5000, "1-999999999"],
)
def test_invalid_page_ranges_are_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="pages"):
        page_indices(text, 10)


@pytest.mark.parametrize(
    "text", ["1-99999999999", "99999999999", "99999999999-", "2,1-99999999999"]
)
def test_a_page_far_beyond_the_end_is_reported_as_missing(text: str) -> None:
    with pytest.raises(BadRequest, match="there is no page 99999999999; the document has 10"):
        page_indices(text, 10)


async def settle() -> None:
    """Lets everything run that can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def cancel(*runs: "asyncio.Future[object]") -> None:
    for running in runs:
        running.cancel()
    await asyncio.gather(*runs, return_exceptions=True)


async def test_background_pages_are_passed_on_and_not_kept() -> None:
    passed_on: list[tuple[int, str]] = []

    async def keep(page: PageResult) -> None:
        await asyncio.sleep(0)
        passed_on.append((page.index, page.markdown))

    pipeline = Pipeline(FakeEngine())
    await pipeline.run_in_background(numbered(9), OPTIONS, keep, pages=[7, 2, 5], owner="a")
    assert sorted(passed_on) == [(2, "p2"), (5, "p5"), (7, "p7")]


async def test_slow_storage_slows_down_recognition() -> None:
    engine, stored = FakeEngine(max_concurrency=2), asyncio.Event()

    async def keep(page: PageResult) -> None:
        await stored.wait()

    running = asyncio.ensure_future(
        Pipeline(engine).run_in_background(numbered(30), OPTIONS, keep, pages=range(30), owner="a")
    )
    await settle()
    assert len(engine.read) == 4
    stored.set()
    await running
    assert len(engine.read) == 30


async def test_a_page_that_cannot_be_stored_ends_the_run() -> None:
    async def keep(page: PageResult) -> None:
        raise DiskFull

    engine = FakeEngine()
    source = FakeSource([["a"], ["@hang"]])
    with pytest.raises(DiskFull):
        await Pipeline(engine).run_in_background(source, OPTIONS, keep, pages=[0, 1], owner="a")
    assert engine.running == 0


async def test_a_foreground_document_goes_before_background_ones() -> None:
    engine = FakeEngine(max_concurrency=1, seconds=0.001)
    pipeline = Pipeline(engine)

    async def keep(page: PageResult) -> None: ...

    books = [
        asyncio.ensure_future(
            pipeline.run_in_background(
                numbered(30, owner), OPTIONS, keep, pages=range(30), owner=owner
            )
        )
        for owner in ("a", "b")
    ]
    while len(engine.read) < 10:
        await asyncio.sleep(0)
    begun = len(engine.read)
    await pipeline.run(numbered(5, "me"), OPTIONS)
    mine = [place for place, name in enumerate(engine.read) if name.startswith("me")]
    assert mine[0] - begun <= 3
    assert mine[-1] - begun <= 3 + 2 * 5  # of 50 pages that waited
    await asyncio.gather(*books)
    owners = "".join(name[0] for name in engine.read if name[0] in "ab")
    assert "aaa" not in owners[4:50] and "bbb" not in owners[4:50]


@pytest.mark.parametrize("max_concurrency", [1, 2, 3, 4])
async def test_an_owner_of_many_documents_gets_no_more_than_one_with_a_single_document(
    max_concurrency: int,
) -> None:
    engine = FakeEngine(max_concurrency=max_concurrency, seconds=0.001)
    pipeline = Pipeline(engine)

    async def keep(page: PageResult) -> None: ...

    books = {"b": "b"} | {f"a{number}": "a" for number in range(7)}
    running = [
        pipeline.run_in_background(numbered(50, name), OPTIONS, keep, pages=range(50), owner=owner)
        for name, owner in books.items()
    ]
    await asyncio.gather(*running)
    pages_of_one = [place for place, name in enumerate(engine.read) if name.startswith("b")]
    assert 0.4 < 50 / (1 + pages_of_one[-1]) < 0.6


async def test_a_document_uses_what_an_engine_gains_while_it_is_read() -> None:
    engine = FakeEngine(max_concurrency=1)
    source = FakeSource([["@slow=0.05"], *[["@hang"]] * 6])
    run = asyncio.create_task(Pipeline(engine).run(source, OPTIONS))
    await until(lambda: engine.running == 1)
    engine.info = replace(engine.info, max_concurrency=4)

    await until(lambda: engine.running == 4)

    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert engine.most_running == 4
