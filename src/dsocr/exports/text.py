"""A document as plain text: no markup but the numbers of lists, cells separated by tabs, formulas
as LaTeX."""

from __future__ import annotations

import re
from typing import BinaryIO

from dsocr.exports import Assets
from dsocr.exports.markdown import page_text
from dsocr.exports.markup.footnotes import footnotes_as_text
from dsocr.exports.markup.safe_html import MAX_FORMULA, MAX_PAGE, to_safe_html
from dsocr.exports.markup.tags import SafeHtmlReader
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.exports.tables.grid import Grid, GridBuilder, GridCell
from dsocr.exports.tables.plain_tables import whole_table
from dsocr.types import Document

PAGE_BREAK = "\n\f"
"""Between two pages: the form feed that plain-text tools know."""

_SIMPLE = re.compile(
    r"#{1,6} (?P<heading>[^\\<>&*_`#\[\]|~!$\x00-\x1f\x7f]*)"
    rf"|(?P<formula>\\\[(?:[^\\\[\]<>&\x00-\x1f]|\\[a-zA-Z{{}}]){{1,{MAX_FORMULA}}}\\\])"
)
"""A heading without other markup, or a formula of one line: no parser changes them."""
_PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "pre", "table"}
_LINES = {"li", "br", "hr"}
_LISTS = {"ul", "ol"}


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """UTF-8; the pages in order, separated by form feeds, or by an empty line (`breaks=none`)."""
    between = "\n\n" if options.breaks == "none" else PAGE_BREAK
    for number, page in enumerate(document.pages):
        text = plain(footnotes_as_text(page_text(page)))
        out.write(((between if number else "") + text).encode())
    out.write(b"\n")


def plain(markdown: str) -> str:
    """The text of a markdown page: its words without markup."""
    if found := _SIMPLE.fullmatch(markdown):
        return (found["formula"] or found["heading"]).strip()
    table = whole_table(markdown) if markdown.startswith("<table>") else None
    if table is not None and len(markdown) <= MAX_PAGE:
        return _trimmed(grid_text(table))
    reader = _TextReader()
    reader.feed(to_safe_html(markdown))
    return reader.text()


class _TextReader(SafeHtmlReader):
    """Collects the text of safe HTML. A table is built as a grid and written row by row."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._newlines = 0  # to write before the next words
        self._table: GridBuilder | None = None
        self._table_depth = 0
        self._preformatted = False
        self._lists: list[int | None] = []
        """The open lists: the number of the next item, None for a list with bullets."""
        self._marker = ""  # to write before the next words

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._start_table()
        elif self._table is not None:
            if self._table_depth == 1:
                self._table.start_tag(tag, attrs)
        else:
            self._preformatted = self._preformatted or tag == "pre"
            self._break(tag)
            if tag in _LISTS:
                self._lists.append(_first_number(attrs) if tag == "ol" else None)
            elif tag == "li":
                self._number_item()

    def handle_endtag(self, tag: str) -> None:
        if tag == "table":
            self._end_table()
        elif self._table is not None:
            if self._table_depth == 1:
                self._table.end_tag(tag)
        else:
            self._preformatted = self._preformatted and tag != "pre"
            if tag in _LISTS and self._lists:
                self._lists.pop()
            self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._table is not None:
            self._table.data(data)
            return
        # White space between two tags that break the line is layout of the HTML.
        words = data if self._preformatted or not self._newlines else data.lstrip()
        if words:
            self._write(words)

    def text(self) -> str:
        return _trimmed("".join(self._parts))

    def _start_table(self) -> None:
        self._table_depth += 1
        if self._table is None:
            self._break("table")
            self._table = GridBuilder()

    def _end_table(self) -> None:
        self._table_depth = max(0, self._table_depth - 1)
        if self._table is not None and self._table_depth == 0:
            grid, self._table = self._table.grid(), None
            self._write("\n".join(filter(None, (grid.caption, grid_text(grid)))))
            self._break("table")

    def _write(self, words: str) -> None:
        self._parts += ["\n" * self._newlines, self._marker, words]
        self._newlines, self._marker = 0, ""

    def _break(self, tag: str) -> None:
        is_nested = tag in _LISTS and bool(self._lists)
        if tag in _PARAGRAPHS and not is_nested:
            self._newlines = 2
        elif tag in _LINES or is_nested:
            self._newlines = max(self._newlines, 1)
        if self._newlines and self._parts:
            self._parts[-1] = self._parts[-1].rstrip("\n")  # layout of the HTML

    def _number_item(self) -> None:
        if self._lists and (number := self._lists[-1]) is not None:
            self._marker = f"{number}. "
            self._lists[-1] = number + 1


def _trimmed(text: str) -> str:
    """Without blanks at the end of its lines and without empty lines around it."""
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def _first_number(attrs: list[tuple[str, str | None]]) -> int:
    start = dict(attrs).get("start") or ""
    return int(start) if re.fullmatch(r"\d{1,9}", start, re.A) else 1


def grid_text(grid: Grid) -> str:
    """A line a row, cells separated by tabs; each cell stands in its column."""
    return "\n".join(_row_text(row) for row in grid.rows())


def _row_text(row: list[GridCell]) -> str:
    text, column = "", 0
    for cell in row:
        text += "\t" * (cell.column - column) + cell.text
        column = cell.column
    return text
