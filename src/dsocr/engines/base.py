"""The interface of an engine, which recognizes pages. Knows no engine by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Protocol, runtime_checkable

from dsocr.types import Mode, OcrOptions, PageImage, PageResult, Task

OnText = Callable[[str], None]
"""Receives new raw text while a page is recognized; the pieces add up to `PageResult.raw`."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is, where it runs and what it supports."""

    name: str
    model: str
    device: str
    tasks: tuple[Task, ...]
    modes: tuple[Mode, ...]
    streams: bool
    max_concurrency: int
    """Pages in flight that keep the engine busy; the pipeline sends no more at a time."""
    dpi: int = 144
    """Pixels per inch at which PDF pages are best rendered for it."""
    supports_no_repeat: bool = False
    """Whether it applies `no_repeat_ngram`."""
    details: tuple[tuple[str, str], ...] = ()
    """Further facts for people, such as ("attention", "sdpa")."""


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters and present load of an engine, for metrics."""

    restarts: Mapping[str, int] = field(default_factory=dict)
    """Lost processes since the start, by cause: `crash` or `stall`."""
    num_retries: int = 0
    """Pages that were sent again after a process was lost."""
    num_running: int = 0
    """Pages in flight that the engine has started."""
    num_waiting: int = 0
    """Pages that wait in front of the engine or in its queue."""
    load: Mapping[str, float] = field(default_factory=dict)
    """What the process reports of itself, if anything: `cache_used` (share of the KV cache, 0-1),
    and the counters `preemptions` and `out_of_memory` since the process started."""


@runtime_checkable
class ReportsStats(Protocol):
    """An engine that has figures for metrics. Optional: an `Engine` need not."""

    def stats(self) -> EngineStats:
        """Does not wait for the engine."""


def merge_stats(parts: Iterable[EngineStats]) -> EngineStats:
    """Sums of several engines; `cache_used` is their mean."""
    parts = list(parts)
    restarts: Counter[str] = Counter()
    loads: dict[str, list[float]] = {}
    for part in parts:
        restarts.update(part.restarts)
        for name, value in part.load.items():
            loads.setdefault(name, []).append(value)
    return EngineStats(
        restarts=dict(restarts),
        num_retries=sum(part.num_retries for part in parts),
        num_running=sum(part.num_running for part in parts),
        num_waiting=sum(part.num_waiting for part in parts),
        load={
            name: fmean(values) if name == "cache_used" else sum(values)
            for name, values in loads.items()
        },
    )


class Engine(Protocol):
    """Recognizes pages; many `recognize` calls may be in flight, and the engine batches them."""

    @property
    def info(self) -> EngineInfo: ...

    @property
    def unhealthy_reason(self) -> str:
        """Why no page can be recognized now, although it was started; empty when pages can be.
        `recognize` calls wait meanwhile until the engine has recovered."""

    async def start(self) -> None:
        """Loads what is needed; returns when the first page can be recognized. Raises `DsocrError`
        when it cannot start; it may be called again."""

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        """One page's result, with the index and size of `page`. Raises `DsocrError` for what a user
        can cause or meet. Cancelling frees what the page used."""

    async def close(self) -> None:
        """Ends the engine's processes; pages in flight fail. Calling it twice is no error."""
