"""The interface of an engine: a page image in, a page result out. Knows no engine by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dsocr.engines.stats import EngineStats
from dsocr.types import Mode, OcrOptions, PageImage, PageResult, Task

OnText = Callable[[str], None]
"""Receives new raw text while a page is recognized; the pieces add up to `PageResult.raw`."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is, where it runs and what it can do."""

    name: str
    model: str
    device: str
    tasks: tuple[Task, ...]
    modes: tuple[Mode, ...]
    streams: bool
    max_concurrency: int
    """Pages worth keeping in flight; more only wait in the engine's own queue."""
    dpi: int = 144
    """Pixels per inch at which PDF pages are rendered for it."""
    supports_no_repeat: bool = False
    """Whether it honours `no_repeat_ngram`."""
    details: tuple[tuple[str, str], ...] = ()
    """More facts for people, such as ("attention", "sdpa")."""


class Engine(Protocol):
    """Many `recognize` calls may be in flight; the engine batches them itself.

    `recognize` raises `DsocrError` for errors that a user can meet. Cancelling it frees its slot.
    """

    @property
    def info(self) -> EngineInfo: ...

    @property
    def unhealthy_reason(self) -> str:
        """Why a started engine cannot recognize pages at present; empty when it can. Pages that are
        handed over meanwhile wait until it is restarted."""

    def stats(self) -> EngineStats: ...

    async def start(self) -> None:
        """Loads the model; returns when the first page can be recognized."""

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult: ...

    async def close(self) -> None: ...
