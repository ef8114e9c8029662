"""The answer of `/api/ocr` and its events. A page's own shape is `exports.json`'s."""

from __future__ import annotations

from typing import Any

from dsocr.exports.markdown import join_pages, page_text
from dsocr.pipeline.events import (
    BlockClosed,
    PageDone,
    PageEvent,
    PageReset,
    PageStarted,
    TextDelta,
)
from dsocr.schema import serialize_block, serialize_page
from dsocr.types import Document

RAW_PAGE_BREAK = "\n<--- Page Split --->\n"
"""What the authors' own PDF script writes between the raw outputs of two pages."""


def ocr_answer(
    document: Document, *, file_name: str, file_size: int, milliseconds: float, request_id: str
) -> dict[str, Any]:
    """The seven promised keys, and what stands beside them."""
    pages = [serialize_page(page) for page in document.pages]
    return {
        "mode": document.options.mode,
        "prompt": document.options.prompt,
        "text": join_pages(page_text(page) for page in document.pages),
        "rawText": RAW_PAGE_BREAK.join(page.raw for page in document.pages),
        "durationMs": round(milliseconds, 1),
        "fileName": file_name,
        "fileSize": file_size,
        "engine": document.engine,
        "model": document.model,
        "layout": pages[0]["layout"],
        "pages": pages,
        "requestId": request_id,
    }


class EventWire:
    """Names and data of the events of one reading; knows what a block needs of its page."""

    def __init__(self, num_pages: int) -> None:
        self._num_pages = num_pages
        self._sizes: dict[int, tuple[int, int]] = {}
        self._num_blocks: dict[int, int] = {}

    def of(self, event: PageEvent) -> tuple[str, dict[str, Any]]:
        if isinstance(event, PageDone):
            return "page_done", serialize_page(event.page)
        data: dict[str, Any] = {"pageIndex": event.index}
        if isinstance(event, PageStarted):
            self._sizes[event.index] = (event.width, event.height)
            size = {"width": event.width, "height": event.height}
            return "page", data | size | {"pagesTotal": self._num_pages}
        if isinstance(event, TextDelta):
            return "delta", data | {"text": event.text}
        if isinstance(event, BlockClosed):
            return "block", data | {"block": self._block(event)}
        assert isinstance(event, PageReset)
        self._num_blocks.pop(event.index, None)
        return "page_reset", data | {"reason": event.reason}

    def _block(self, event: BlockClosed) -> dict[str, Any]:
        number = self._num_blocks.get(event.index, 0)
        self._num_blocks[event.index] = number + 1
        return serialize_block(event.block, number, *self._sizes[event.index])
