"""The events of a document while its pages are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dsocr.types import Block, PageResult


@dataclass(frozen=True, slots=True)
class PageStarted:
    """An engine begins to read this page. Pixels; 0 when the page could not be rendered."""

    index: int
    width: int = 0
    height: int = 0


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
    """The page is read again: what was told of it so far is void."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class PageDone:
    """The page as it will stand in the document: read, or failed."""

    page: PageResult


PageEvent = PageStarted | TextDelta | BlockClosed | PageReset | PageDone
OnEvent = Callable[[PageEvent], None]
