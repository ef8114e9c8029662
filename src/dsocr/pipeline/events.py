"""Events of a document while its pages are processed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dsocr.types import Block, PageResult


@dataclass(frozen=True, slots=True)
class PageStarted:
    """A page is given to an engine. Sizes in pixels; 0 when the page could not be rendered."""

    index: int
    width: int = 0
    height: int = 0
    dpi: float | None = field(default=None, compare=False)
    """Pixels per inch; None where the file has no resolution."""
    rotation: int = 0
    """Degrees clockwise by which the page was turned."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """New raw text of a page."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class BlockClosed:
    """A block of a page is complete, with its boxes."""

    index: int
    block: Block


@dataclass(frozen=True, slots=True)
class PageReset:
    """The page is recognized again: its earlier text and blocks no longer hold."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class PageDone:
    """The page as it is in the document: recognized, or failed."""

    page: PageResult


PageEvent = PageStarted | TextDelta | BlockClosed | PageReset | PageDone
OnEvent = Callable[[PageEvent], None]
