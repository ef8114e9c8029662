"""The engine `remote` on stand-ins: what three servers give more than one, and with one failing.

`python -m bench.pool` needs no GPU. Each stand-in is a process of its own, reads `SLOTS` pages at a
time and takes `SECONDS` for one, so that what is measured is the pool and not the servers.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import quantiles

from PIL import Image

from dsocr.engines.base import Engine
from dsocr.engines.deepseek.remote.config import RemoteConfig
from dsocr.engines.deepseek.remote.engine import create_engine
from dsocr.errors import DsocrError
from dsocr.types import OcrOptions, PageImage
from tests.engines.deepseek.remote.stand_in import StandIn

SLOTS = 4
SECONDS = 1.0
SLOW_SECONDS = 5.0
PAGES = 500
OPTIONS = OcrOptions(
    "markdown", "gundam", "<image>\n<|grounding|>Convert the document to markdown."
)


@dataclass(frozen=True, slots=True)
class Run:
    """What happened to the pages of one run."""

    num_read: int
    seconds: float
    durations: tuple[float, ...]
    """Of each page that was read."""

    @property
    def pages_per_second(self) -> float:
        return self.num_read / self.seconds

    @property
    def p95(self) -> float:
        return quantiles(self.durations, n=20)[-1]


async def _serve(port: int, seconds: float) -> None:
    server = StandIn(port=port, seconds=seconds, slots=SLOTS, piece=64)
    await server.start()
    await asyncio.Event().wait()


def _run_server(port: int, seconds: float) -> None:
    asyncio.run(_serve(port, seconds))


@contextmanager
def servers(seconds: Sequence[float]) -> Iterator[tuple[list[int], list[int]]]:
    """Ports and process ids of stand-ins that take so long for a page each."""
    spawn = multiprocessing.get_context("spawn")
    ports = [_free_port() for _ in seconds]
    processes = [
        spawn.Process(target=_run_server, args=pair) for pair in zip(ports, seconds, strict=True)
    ]
    for process in processes:
        process.start()
    try:
        yield ports, [process.pid or 0 for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.join()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def measure(
    ports: Sequence[int], pages: int, *, on_page: Callable[[int], None] = lambda done: None
) -> Run:
    """Reads so many pages, as many at a time as all servers have slots for. `on_page` is called
    with the number of pages that are done."""
    urls = tuple(f"http://127.0.0.1:{port}/v1" for port in ports)
    engine = create_engine(RemoteConfig(urls, max_concurrency=2 * SLOTS, probe_seconds=1))
    await _start(engine, len(ports))
    durations: list[float] = []
    slots = asyncio.Semaphore(SLOTS * len(ports))

    async def read(number: int) -> None:
        async with slots:
            began = time.monotonic()
            try:
                await engine.recognize(_page(number), OPTIONS)
            except DsocrError as error:
                print(f"page {number}: {error.code}")
                return
            durations.append(time.monotonic() - began)
            on_page(len(durations))

    began = time.monotonic()
    await asyncio.gather(*map(read, range(pages)))
    seconds = time.monotonic() - began
    await engine.close()
    return Run(len(durations), seconds, tuple(durations))


async def _start(engine: Engine, count: int) -> None:
    """Waits for all servers."""
    while True:
        try:
            await engine.start()
            break
        except DsocrError:
            await asyncio.sleep(0.2)
    while sum(worker.state == "ready" for worker in engine.stats().workers) < count:
        await asyncio.sleep(0.2)


def _page(number: int) -> PageImage:
    return PageImage(number, Image.new("RGB", (320, 240), "white"), 320, 240)


def run(times: Sequence[float], pages: int, *, kill_at: int | None = None) -> Run:
    """`kill_at`: the first server is killed once so many pages are done."""
    with servers(times) as (ports, processes):

        def on_page(done: int) -> None:
            if done == kill_at:
                os.kill(processes[0], signal.SIGKILL)

        return asyncio.run(measure(ports, pages, on_page=on_page))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=PAGES)
    pages = parser.parse_args().pages
    rows = {
        "one server": run([SECONDS], pages // 3),
        "three servers": run([SECONDS] * 3, pages),
        "three, one killed after 50 pages": run([SECONDS] * 3, pages, kill_at=50),
        "three, one takes 5 s for a page": run([SLOW_SECONDS, SECONDS, SECONDS], pages),
    }
    one, healthy = rows["one server"], rows["three servers"]
    print("| servers | pages/s | times one | answered | p95 s | times healthy |\n|" + " --- |" * 6)
    for name, row in rows.items():
        total = pages // 3 if row is one else pages
        times = row.pages_per_second / one.pages_per_second
        print(
            f"| {name} | {row.pages_per_second:.1f} | {times:.2f} | {row.num_read / total:.1%} "
            f"| {row.p95:.2f} | {row.p95 / healthy.p95:.2f} |"
        )


if __name__ == "__main__":
    main()
