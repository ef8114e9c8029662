"""What a replica runs in the tests: the fake engine, whose process can be found and killed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from dsocr.engines.base import OnText
from dsocr.types import OcrOptions, PageImage, PageResult
from tests.fakes import FakeEngine

HOLD = "hold"
"""While this file exists no page ends."""


class KillableEngine(FakeEngine):
    """Writes a file named by its process for each page that it begins, and removes it at the end,
    also where the page is cancelled."""

    def __init__(self, folder: Path) -> None:
        super().__init__(max_concurrency=8)
        self._folder = folder

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None, **rest: Any
    ) -> PageResult:
        mark = self._folder / f"{page.index}-{os.getpid()}"
        mark.touch()
        try:
            if on_text is not None:
                on_text("<|ref|>text")
            while (self._folder / HOLD).exists():
                await asyncio.sleep(0.02)
            return await super().recognize(page, options, on_text=None, **rest)
        finally:
            mark.unlink()


def create(folder: str) -> KillableEngine:
    return KillableEngine(Path(folder))
