"""The interface of an engine, which recognizes pages. Knows no engine by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from dsocr.engines.stats import EngineStats
from dsocr.process.inflight import Suspicion
from dsocr.process.progress import StartProgress
from dsocr.types import Mode, OcrOptions, PageImage, PageResult, Task

OnText = Callable[[str], None]
"""Receives new raw text while a page is recognized; the pieces add up to `PageResult.raw`."""


@dataclass(frozen=True, slots=True)
class ModeSpec:
    """One mode as `/api/modes` shows it; sizes are pixels of the square views."""

    key: Mode
    label: str
    description: str
    base_size: int
    """Side of the global view."""
    image_size: int
    """Side of a local tile, or of the only view where `crop_mode` is off."""
    crop_mode: bool
    test_compress: bool
    speed: str
    quality: str
    vision_tokens: tuple[int, ...]
    """Of a page: one number, or the fewest and the most where it may have tiles."""


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an engine is, where it runs and what it supports."""

    name: str
    model: str
    device: str
    tasks: tuple[Task, ...]
    modes: Mapping[Mode, ModeSpec]
    """What `/api/modes` lists. `gundam`, the default of a request, is among them."""
    streams: bool
    """Whether text is sent while a page is recognized, rather than at its end."""
    max_concurrency: int
    """Pages in flight that keep the engine busy; the pipeline sends no more at a time."""
    supports_no_repeat: bool = False
    """Whether it applies `no_repeat_ngram`."""
    details: tuple[tuple[str, str], ...] = ()
    """Further facts for people, such as ("attention", "sdpa")."""


class Engine(Protocol):
    """Recognizes pages; many `recognize` calls may be in flight, and the engine batches them."""

    @property
    def info(self) -> EngineInfo: ...

    @property
    def unhealthy_reason(self) -> str:
        """Why no page can be recognized now, although it was started; empty when pages can be.
        `recognize` calls wait meanwhile until the engine has recovered."""

    @property
    def start_progress(self) -> StartProgress | None:
        """How far its start or restart is; None when it is not starting, or does not say."""

    def stats(self) -> EngineStats:
        """For metrics. Does not wait for the engine."""

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


class PoolMember(Engine, Protocol):
    """An engine that shares its pages with others of the same model."""

    async def recognize(
        self,
        page: PageImage,
        options: OcrOptions,
        *,
        on_text: OnText | None = None,
        suspicion: Suspicion | None = None,
    ) -> PageResult:
        """Raises `WorkerLost` if its process is lost: another member recognizes the page, and gets
        the error's `suspicion`, as does an engine that starts no process and needs none."""
