"""A document as JSON lines: a line a page, each in the shape of `dsocr.schema`."""

from __future__ import annotations

import json
from typing import BinaryIO

from dsocr.exports import Assets
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.schema import serialize_page
from dsocr.types import Document


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """UTF-8; the pages in order, each with its `fileName`."""
    names = document.page_names or (document.name,) * len(document.pages)
    for page, name in zip(document.pages, names, strict=True):
        values = {"fileName": name, **serialize_page(page)}
        line = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        out.write(line.encode() + b"\n")
