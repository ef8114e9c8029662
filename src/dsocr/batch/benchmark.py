"""Measures the throughput and the latency of an engine."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from dsocr.engines.base import Engine
from dsocr.types import OcrOptions, PageImage


@dataclass(frozen=True, slots=True)
class BenchmarkRow:
    """One measurement. Includes the start, when fewer pages are in flight, and the end."""

    in_flight: int
    pages: int
    seconds: float
    tokens: int
    page_seconds: float
    """Median seconds per page, including its wait."""
    slowest: float
    """Seconds of the slowest page."""
    accepted: int
    """Of the tokens, those that were drafted."""
    first_text: float | None
    """Median seconds to a page's first text; None if the engine sends no text before the end."""


async def measure(
    engine: Engine, options: OcrOptions, images: Iterator[PageImage], *, in_flight: int, pages: int
) -> BenchmarkRow:
    """Recognizes `pages` pages, `in_flight` at a time."""
    waiting = iter([next(images) for _ in range(pages)])
    first_texts: list[float] = []
    durations: list[float] = []
    tokens = accepted = 0
    began = time.perf_counter()

    async def recognize(page: PageImage) -> None:
        nonlocal tokens, accepted
        start, is_first = time.perf_counter(), True

        def on_text(text: str) -> None:
            nonlocal is_first
            if is_first:
                is_first = False
                first_texts.append(time.perf_counter() - start)

        result = await engine.recognize(page, options, on_text=on_text)
        tokens += result.usage.completion_tokens
        accepted += result.usage.accepted_tokens
        durations.append(time.perf_counter() - start)

    async def work() -> None:
        for page in waiting:
            await recognize(page)

    await asyncio.gather(*(work() for _ in range(in_flight)))
    return BenchmarkRow(
        *(in_flight, pages, time.perf_counter() - began, tokens),
        page_seconds=statistics.median(durations),
        slowest=max(durations),
        accepted=accepted,
        first_text=statistics.median(first_texts) if first_texts else None,
    )
