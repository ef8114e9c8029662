"""A document as JSON: its text, and its pages in the shape of `dsocr.schema`."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from dsocr.exports import Assets
from dsocr.exports.markdown import PAGE_BREAK, page_text
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.schema import DOCUMENT_SCHEMA, serialize_page
from dsocr.types import Document


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """UTF-8, indented: the whole text, and `pages` in order, each with its `fileName`.

    Written page by page, so that memory does not grow with the document.
    """
    head = {
        "schema": DOCUMENT_SCHEMA,
        "fileName": document.name,
        "engine": document.engine,
        "model": document.model,
        "mode": document.mode,
        "prompt": document.options.prompt,
    }
    out.write(_to_text(head).removesuffix("\n}").encode() + b',\n  "text": "')
    for number, page in enumerate(document.pages):
        encoded = _to_text((PAGE_BREAK if number else "") + page_text(page))
        out.write(encoded[1:-1].encode())  # without the quotes: a part of a longer string
    out.write(b'",\n  "pages": [')
    names = document.page_names or (document.name,) * len(document.pages)
    for number, (page, name) in enumerate(zip(document.pages, names, strict=True)):
        item = _to_text({**serialize_page(page), "fileName": name}).replace("\n", "\n    ")
        out.write((",\n    " if number else "\n    ").encode() + item.encode())
    out.write(b"\n  ]\n}\n" if document.pages else b"]\n}\n")


def _to_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
