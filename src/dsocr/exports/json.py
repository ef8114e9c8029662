"""Results under their wire names: the one place that knows them. The server speaks through it."""

from __future__ import annotations

import json
from typing import Any

from dsocr.exports import Assets
from dsocr.exports.markdown import join_pages, page_text
from dsocr.types import Block, Document, PageFailure, PageResult

Wire = dict[str, Any]
"""What becomes a JSON object."""


def block_to_wire(block: Block, id: int, width: int, height: int) -> Wire:
    """A layout item; `absolute` is whole pixels of the upright page, `normalized` 0-1."""
    return {
        "id": id,
        "label": block.label,
        "text": block.text,
        "confidence": block.confidence,
        "boxes": [
            {
                "index": index,
                "absolute": list(box.pixels(width, height)),
                "normalized": [round(side, 6) for side in (box.x0, box.y0, box.x1, box.y1)],
            }
            for index, box in enumerate(block.boxes)
        ],
    }


def layout_to_wire(page: PageResult) -> Wire:
    """The page's size in pixels and its blocks; an item's id is its place in reading order."""
    return {
        "width": page.width,
        "height": page.height,
        "items": [
            block_to_wire(block, id, page.width, page.height)
            for id, block in enumerate(page.blocks)
        ],
    }


def failure_to_wire(failure: PageFailure) -> Wire:
    return {"code": failure.code, "message": failure.message, "retryable": failure.retryable}


def page_to_wire(page: PageResult) -> Wire:
    """An item of `pages` in the answer of `/api/ocr`."""
    return {
        "pageIndex": page.index,
        "text": page.markdown,
        "rawText": page.raw,
        "layout": layout_to_wire(page),
        "durationMs": round(page.usage.seconds * 1000, 1),
        "finishReason": page.finish_reason,
        "flags": list(page.flags),
        "error": failure_to_wire(page.error) if page.error else None,
    }


def document_to_wire(document: Document) -> Wire:
    """The JSON export: the whole text, and `pages` in order, each with its `fileName`."""
    names = document.page_names or (document.name,) * len(document.pages)
    return {
        "fileName": document.name,
        "engine": document.engine,
        "model": document.model,
        "mode": document.options.mode,
        "prompt": document.options.prompt,
        "text": join_pages(map(page_text, document.pages)),
        "pages": [
            {**page_to_wire(page), "fileName": name}
            for page, name in zip(document.pages, names, strict=True)
        ],
    }


def render(document: Document, assets: Assets | None = None) -> bytes:
    """UTF-8, indented for people."""
    return (json.dumps(document_to_wire(document), ensure_ascii=False, indent=2) + "\n").encode()
