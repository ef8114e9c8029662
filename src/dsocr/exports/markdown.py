"""A document as one markdown text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from html import escape
from typing import BinaryIO

from dsocr.exports import Assets
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.types import Document, PageResult

PAGE_BREAK = "\n\n---\n\n"
"""Between two pages. A rule shows as a break in every markdown viewer, which neither a form feed
nor the authors' `<--- Page Split --->` does."""


def join_pages(texts: Iterable[str]) -> str:
    """One text of the pages' texts; an empty page keeps its place."""
    return PAGE_BREAK.join(texts)


def page_text(page: PageResult) -> str:
    """The page's markdown, or a line that says why there is none."""
    if page.error is None:
        return page.markdown
    return f"*Page {page.index + 1} could not be read: {escape(page.error.message)}*"


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """UTF-8; figures are links to files that the zip export has, or images inside the text."""
    if options.frontmatter:
        out.write(front_matter(document).encode())
    for number, page in enumerate(document.pages):
        text = page_text(page)
        if options.figures == "embedded":
            text = _with_embedded_figures(page, text, assets)
        out.write(((page_break(page, options) if number else "") + text).encode())
    out.write(b"\n")


def page_break(page: PageResult, options: ExportOptions) -> str:
    """What stands before a page that is not the first."""
    if options.breaks == "comment":
        return f"\n\n<!-- page {page.index + 1} -->\n\n"
    return PAGE_BREAK if options.breaks == "rule" else "\n\n"


def front_matter(document: Document) -> str:
    """YAML; JSON strings are strings of YAML."""
    values = {
        "title": document.name,
        "pages": len(document.pages),
        "engine": document.engine,
        "model": document.model,
    }
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return "---\n" + "\n".join(lines) + "\n---\n\n"


def _with_embedded_figures(page: PageResult, text: str, assets: Assets | None) -> str:
    from dsocr.exports.figures import crop_figures  # needs the image library

    for path, content in crop_figures(page, assets).items():
        data = base64.b64encode(content).decode()
        text = text.replace(f"]({path})", f"](data:image/jpeg;base64,{data})")
    return text
