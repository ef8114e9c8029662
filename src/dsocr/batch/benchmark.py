"""How fast an engine reads."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from dsocr.engines.base import Engine
from dsocr.types import OcrOptions, PageImage


@dataclass(frozen=True, slots=True)
class Reading:
    """So many pages read, so many at a time; ramp and drain are in it."""

    in_flight: int
    pages: int
    seconds: float
    tokens: int
    page_seconds: float
    """Of a page, its wait included: the median."""
    slowest: float
    """Of the page that took longest."""
    first_text: float | None
    """Seconds until a page's first text, the median; None where an engine tells none before the
    end."""


async def measure(
    engine: Engine, options: OcrOptions, made: Iterator[PageImage], *, in_flight: int, pages: int
) -> Reading:
    """Reads so many pages, so many at a time."""
    waiting = iter([next(made) for _ in range(pages)])
    firsts: list[float] = []
    took: list[float] = []
    tokens = 0
    began = time.perf_counter()

    async def read(page: PageImage) -> None:
        nonlocal tokens
        start, silent = time.perf_counter(), True

        def hear(text: str) -> None:
            nonlocal silent
            if silent:
                silent = False
                firsts.append(time.perf_counter() - start)

        result = await engine.recognize(page, options, on_text=hear)
        tokens += result.usage.completion_tokens
        took.append(time.perf_counter() - start)

    async def one_after_another() -> None:
        for page in waiting:
            await read(page)

    await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
    return Reading(
        *(in_flight, pages, time.perf_counter() - began, tokens),
        page_seconds=statistics.median(took),
        slowest=max(took),
        first_text=statistics.median(firsts) if firsts else None,
    )
