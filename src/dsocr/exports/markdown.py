"""A document as one markdown text."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import BinaryIO

from dsocr.exports import Assets
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


def write(document: Document, out: BinaryIO, assets: Assets | None = None) -> None:
    """UTF-8; figures are links to files that the zip export has."""
    for number, page in enumerate(document.pages):
        out.write(((PAGE_BREAK if number else "") + page_text(page)).encode())
    out.write(b"\n")
