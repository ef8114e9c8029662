"""Results under their wire names: the one place that knows them. The server speaks through it."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from dsocr.exports import Assets
from dsocr.exports.markdown import PAGE_BREAK, page_text
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


def write(document: Document, out: BinaryIO, assets: Assets | None = None) -> None:
    """UTF-8, indented for people: the whole text, and `pages` in order, each with its `fileName`.

    Written page by page: what is in memory does not grow with the document.
    """
    head = {
        "fileName": document.name,
        "engine": document.engine,
        "model": document.model,
        "mode": document.options.mode,
        "prompt": document.options.prompt,
    }
    out.write(_to_text(head).removesuffix("\n}").encode() + b',\n  "text": "')
    for number, page in enumerate(document.pages):
        said = _to_text((PAGE_BREAK if number else "") + page_text(page))
        out.write(said[1:-1].encode())  # a piece of a longer string
    out.write(b'",\n  "pages": [')
    names = document.page_names or (document.name,) * len(document.pages)
    for number, (page, name) in enumerate(zip(document.pages, names, strict=True)):
        item = _to_text({**page_to_wire(page), "fileName": name}).replace("\n", "\n    ")
        out.write((",\n    " if number else "\n    ").encode() + item.encode())
    out.write(b"\n  ]\n}\n" if document.pages else b"]\n}\n")


def _to_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
