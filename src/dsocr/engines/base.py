"""What an engine is: the pluggable thing that reads a page. Knows no engine by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dsocr.types import Mode, OcrOptions, PageImage, PageResult, Task

OnText = Callable[[str], None]
"""Receives new raw text while a page is read; the pieces add up to `PageResult.raw`."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine's face: what it is, where it runs, what it can be asked."""

    name: str
    model: str
    device: str
    tasks: tuple[Task, ...]
    modes: tuple[Mode, ...]
    streams: bool
    max_concurrency: int
    """Pages worth keeping in flight; more only wait behind the engine's own door."""
    dpi: int = 144
    """Pixels per inch at which PDF pages suit it best."""
    supports_no_repeat: bool = False
    """Whether `no_repeat_ngram` means anything to it."""
    details: tuple[tuple[str, str], ...] = ()
    """What a person may want to know beside it, such as ("attention", "sdpa")."""


class Engine(Protocol):
    """Many `recognize` calls may be in flight; how they are batched is the engine's own affair.

    `recognize` raises `DsocrError` for what a user can meet; cancelling it frees its place.
    """

    @property
    def info(self) -> EngineInfo: ...

    @property
    def unhealthy_reason(self) -> str:
        """Why nothing can be read just now, though it was started; empty when it can. What is
        asked meanwhile waits for it to heal."""

    async def start(self) -> None:
        """Loads what is needed to read; returns when the first page can be read."""

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult: ...

    async def close(self) -> None: ...
