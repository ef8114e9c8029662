"""The native engine with pages of a fixed number of tokens, and a trace of each page's time.

Random weights end no page by themselves, so every page ends at `DSOCR_BENCH_TOKENS`. To the service
such a page is complete: nothing of it is read again. `bench.service.launch` registers this engine.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path

from dsocr.engines.base import OnText
from dsocr.engines.deepseek.native import NativeEngine
from dsocr.process.inflight import Suspicion
from dsocr.runtime.config import RuntimeConfig
from dsocr.types import OcrOptions, PageImage, PageResult

TOKENS = "DSOCR_BENCH_TOKENS"
WORKER = "DSOCR_BENCH_WORKER"
"""`module:function` of the engine's process."""
TRACE = "DSOCR_BENCH_TRACE"
"""A file that gets a line of JSON for each page; unset: no trace."""


class Trace:
    """Appends lines to a file. Times are of the monotonic clock, which all processes share."""

    def __init__(self, path: str | None) -> None:
        self._file = Path(path).open("a", buffering=1) if path else None  # noqa: SIM115
        self._rendered: dict[int, tuple[str, float, float]] = {}

    def rendered(self, page: PageImage, name: str, began: float) -> None:
        """A page's image is there; `name` is its document's, `began` when it was asked for."""
        self._rendered[id(page)] = (name, began, time.monotonic())

    def recognized(self, page: PageImage, began: float) -> None:
        """The engine is done with a page that it was given at `began`."""
        image = self._rendered.pop(id(page), ("", began, began))
        self._write([*image, began, time.monotonic()])

    def ready(self, max_pages: int) -> None:
        """The engine has started and asks for so many pages."""
        self._write({"max_pages": max_pages})

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _write(self, line: object) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")


trace = Trace(os.environ.get(TRACE))


class FixedLengthEngine(NativeEngine):
    """Ends every page after the same number of tokens."""

    def __init__(self, config: RuntimeConfig) -> None:
        super().__init__(config, worker=os.environ[WORKER])
        self._tokens = int(os.environ[TOKENS])

    async def start(self) -> None:
        await super().start()
        trace.ready(self.info.max_concurrency)

    async def recognize(
        self,
        page: PageImage,
        options: OcrOptions,
        *,
        on_text: OnText | None = None,
        suspicion: Suspicion | None = None,
    ) -> PageResult:
        began = time.monotonic()
        fixed = dataclasses.replace(options, max_tokens=self._tokens)
        try:
            result = await super().recognize(page, fixed, on_text=on_text, suspicion=suspicion)
        finally:
            trace.recognized(page, began)
        assert result.usage.completion_tokens == self._tokens, result.finish_reason
        return dataclasses.replace(result, finish_reason="stop")
