"""One worker of a batch as a process of its own, with the fake engine; started by the tests.

python -m tests.batch.workspace.worker_process WORKSPACE [SECONDS_A_PAGE]

A page with the line `@kill` ends the process at once, as the kernel does when memory is short.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from dsocr.batch.workspace.stores.store import open_store
from dsocr.batch.workspace.worker import Counts, RunConfig, run_worker
from dsocr.engines.base import EngineInfo, OnText
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.engines.selection import EngineSelection
from dsocr.host import EngineHost, HostConfig
from dsocr.process.inflight import Suspicion
from dsocr.types import OcrOptions, PageImage, PageResult
from tests.fakes import FakeEngine, commands_of


class KillableEngine(FakeEngine):
    async def recognize(
        self,
        page: PageImage,
        options: OcrOptions,
        *,
        on_text: OnText | None = None,
        suspicion: Suspicion | None = None,
    ) -> PageResult:
        if any(line.text == "@kill" for line in commands_of(page)):
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().recognize(page, options, on_text=on_text, suspicion=suspicion)


class PageLines:
    """Writes a line for each page that is done, so that a test can wait for some."""

    def engine_ready(self, info: EngineInfo, selection: EngineSelection) -> None: ...

    def page_done(self, counts: Counts) -> None:
        print("page", flush=True)

    def document_done(self, counts: Counts) -> None: ...

    def failed(self, message: str) -> None: ...


async def main(workspace: str, seconds: float) -> None:
    config = HostConfig("ppocr", {"ppocr": PpocrConfig()})
    engine = KillableEngine(max_concurrency=4, seconds=seconds)
    host = EngineHost(config, create_engine=lambda name, config: engine)
    await host.start_once()
    try:
        await run_worker(open_store(workspace), host, RunConfig(), PageLines())
    finally:
        await host.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 0.0))
