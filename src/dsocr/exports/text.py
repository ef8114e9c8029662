"""A document as plain text: no markup, cells parted by tabs, formulas as LaTeX."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import BinaryIO

from dsocr.exports import Assets
from dsocr.exports.markdown import page_text
from dsocr.exports.markup import to_safe_html
from dsocr.types import Document

PAGE_BREAK = "\n\f"
"""Between two pages: the form feed that plain-text tools know."""

MAX_SPAN = 100
"""Rows or columns; what claims to reach further is a mistake of the model."""

_PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "pre", "table"}
_LINES = {"li", "tr", "br", "hr", "caption"}


def write(document: Document, out: BinaryIO, assets: Assets | None = None) -> None:
    """UTF-8; the pages in order, parted by form feeds."""
    for number, page in enumerate(document.pages):
        out.write(((PAGE_BREAK if number else "") + plain(page_text(page))).encode())
    out.write(b"\n")


def plain(markdown: str) -> str:
    """What a person would read aloud of it."""
    reader = _Reader()
    reader.feed(to_safe_html(markdown))
    reader.close()
    return reader.text()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._newlines = 0  # owed before the next words
        self._column = 0  # where the next cell of the row stands, if none from above does
        self._tabs = 0  # written in the row so far
        self._taken: dict[int, int] = {}  # column -> rows that a cell above still reaches into
        self._between_cells = False
        self._preformatted = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th"):
            self._cell(dict(attrs))
            return
        if tag == "table":
            self._taken = {}
        if tag == "tr":
            self._column, self._tabs, self._between_cells = 0, 0, True
        self._preformatted = self._preformatted or tag == "pre"
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self._end_row()
        self._preformatted = self._preformatted and tag != "pre"
        self._between_cells = tag in ("td", "th") or self._between_cells and tag != "table"
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._between_cells:
            return
        # White space between two tags that break the line is layout of the HTML.
        words = data if self._preformatted or not self._newlines else data.lstrip()
        if words:
            self._write(words)

    def text(self) -> str:
        lines = "".join(self._parts).split("\n")
        return "\n".join(line.rstrip() for line in lines).strip("\n")

    def _cell(self, attributes: dict[str, str | None]) -> None:
        """Tabs up to the cell's column: past the cells before it and those reaching down."""
        self._between_cells = False
        while self._taken.get(self._column):
            self._taken[self._column] -= 1
            self._column += 1
        if self._column:
            self._write("\t" * (self._column - self._tabs))
            self._tabs = self._column
        for _ in range(_span(attributes.get("colspan"))):
            self._taken[self._column] = _span(attributes.get("rowspan")) - 1
            self._column += 1

    def _end_row(self) -> None:
        for column, rows in self._taken.items():
            if column >= self._column and rows:
                self._taken[column] = rows - 1

    def _write(self, words: str) -> None:
        self._parts += ["\n" * self._newlines, words]
        self._newlines = 0

    def _break(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self._newlines = 2
        elif tag in _LINES:
            self._newlines = max(self._newlines, 1)


def _span(value: str | None) -> int:
    if not value or not value.isdecimal():
        return 1
    return min(MAX_SPAN, max(1, int(value[:9])))  # Python refuses numbers of thousands of digits
