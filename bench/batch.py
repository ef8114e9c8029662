"""Cost of `dsocr batch` beside the engine, and time to plan many files.

    python -m bench.batch overhead [--pages 200] [--engine-pages 4] [--turns 3]
    python -m bench.batch plan [--files 100000]

`overhead` reads the same images by the pipeline alone and through a workspace, in turns, with an
engine that answers at once with a dense page. The difference in CPU time of the process is what the
workspace costs. It is compared with the embedded engine's CPU time for such pages in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from bench.exports import LINES, WORDS, page_result
from bench.pages.synthetic import HEIGHT, WIDTH, page_picture
from dsocr.batch.workspace.layout import BatchOptions, write_options
from dsocr.batch.workspace.planner import plan_documents
from dsocr.batch.workspace.sources import find_files
from dsocr.batch.workspace.stores.store import open_store
from dsocr.batch.workspace.worker import Counts, RunConfig, run_worker
from dsocr.engines.base import EngineInfo, OnText
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.ppocr.engine import PpocrEngine
from dsocr.engines.selection import EngineSelection
from dsocr.host import EngineHost, HostConfig
from dsocr.pages.source import open_document
from dsocr.pipeline.workers import run_workers
from dsocr.process.inflight import Suspicion
from dsocr.types import OcrOptions, PageImage, PageResult
from tests.fakes import OPTIONS, FakeEngine

IN_FLIGHT = 8


class DensePages(FakeEngine):
    """Answers each page at once with 40 lines and 10 blocks."""

    async def recognize(
        self,
        page: PageImage,
        options: OcrOptions,
        *,
        on_text: OnText | None = None,
        suspicion: Suspicion | None = None,
    ) -> PageResult:
        return replace(page_result(page.index, has_figure=True), width=page.width)


class Silent:
    """Shows nothing of a worker."""

    def engine_ready(self, info: EngineInfo, selection: EngineSelection) -> None: ...

    def page_done(self, counts: Counts) -> None: ...

    def document_done(self, counts: Counts) -> None: ...

    def failed(self, message: str) -> None:
        raise RuntimeError(message)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("overhead", "plan"))
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--engine-pages", type=int, default=4)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--files", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if given.what == "plan":
            measure_plan(Path(name), given.files)
        else:
            asyncio.run(measure_overhead(Path(name), given))


def measure_plan(folder: Path, number: int) -> None:
    """Files of equal size, so that all are hashed, in folders of 1,000."""
    for at in range(number):
        place = folder / "in" / f"{at // 1000:04}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{at:06}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"%01000d" % at)
    began, busy = time.perf_counter(), time.process_time()
    store = open_store(str(folder / "work"))
    write_options(store, BatchOptions(OPTIONS))
    planned = plan_documents(store, find_files([str(folder / "in")]))
    assert planned.documents == number
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    print(f"{number:,} files planned in {seconds:.1f} s, {cpu:.1f} CPU seconds")


async def measure_overhead(folder: Path, given: argparse.Namespace) -> None:
    (folder / "in").mkdir()
    for at in range(given.pages):
        page_picture(at % 50).resize((300, 400)).save(folder / "in" / f"{at:05}.png")
    alone, workspace = [], []
    for turn in range(given.turns):
        alone.append(await _cpu_of(lambda host: _read_alone(host, folder / "in")))
        place = folder / f"work{turn}"
        workspace.append(await _cpu_of(lambda host: _read_batch(host, folder / "in", place)))  # noqa: B023
    engine = await _engine_cpu(given.engine_pages)
    of_page = [1000 * statistics.median(some) / given.pages for some in (alone, workspace)]
    cost = of_page[1] - of_page[0]
    print(f"the pipeline alone: {of_page[0]:.2f} CPU ms a page")
    print(f"through a workspace, with its plan: {of_page[1]:.2f}, {cost:.2f} more")
    print(f"the embedded engine alone: {engine:.0f} CPU ms a page")
    print(f"the workspace's share of the engine's time: {cost / engine:.2%}")


async def _cpu_of(read: Callable[[EngineHost], Awaitable[None]]) -> float:
    config = HostConfig("ppocr", {"ppocr": PpocrConfig()})
    host = EngineHost(config, create_engine=lambda *_: DensePages(max_concurrency=IN_FLIGHT))
    await host.start_once()
    try:
        busy = time.process_time()
        await read(host)
        return time.process_time() - busy
    finally:
        await host.close()


async def _read_alone(host: EngineHost, folder: Path) -> None:
    pipeline, _ = await host.pipeline(0)
    left = iter(sorted(folder.iterdir()))

    async def drop(result: PageResult) -> None: ...

    async def read_next() -> bool:
        path = next(left, None)
        if path is None:
            return False
        async with await open_document(path, name=path.name, sandbox=host.sandbox) as source:
            await pipeline.run_in_background(source, OPTIONS, drop, pages=[0], owner=path.name)
        return True

    await run_workers(read_next, lambda: IN_FLIGHT + 1)


async def _read_batch(host: EngineHost, folder: Path, work: Path) -> None:
    store = open_store(str(work))
    write_options(store, BatchOptions(OPTIONS))
    plan_documents(store, find_files([str(folder)]))
    await run_worker(store, host, RunConfig(), Silent())


async def _engine_cpu(number: int) -> float:
    """CPU milliseconds of the embedded engine, a process of its own, for a page of text."""
    start = await _child_cpu(0)
    return 1000 * (await _child_cpu(number) - start) / number


async def _child_cpu(number: int) -> float:
    """CPU seconds of an engine from its start to its end, with so many pages after a first one."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    engine = PpocrEngine(PpocrConfig())
    await engine.start()
    for at in range(number + 1):
        await engine.recognize(_text_page(at), OPTIONS)
    await engine.close()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _text_page(number: int) -> PageImage:
    """40 lines of words in one font."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    font = ImageFont.load_default(22)
    for at in range(LINES):
        text = f"{WORDS} {number} {at}"
        ImageDraw.Draw(picture).text((80, 60 + at * 36), text, "black", font)
    return PageImage(number, picture, WIDTH, HEIGHT)


if __name__ == "__main__":
    main()
