"""The tables of a document, page by page, each with a name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from dsocr.errors import BadRequest
from dsocr.exports.captions import is_caption, page_captions
from dsocr.exports.markdown import page_text
from dsocr.exports.markup.safe_html import to_safe_html
from dsocr.exports.tables.grid import Grid, GridBuilder
from dsocr.exports.tables.spans import without_overlaps
from dsocr.types import Document, PageResult

_BLOCKS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "blockquote", "pre", "ul", "ol"}


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table without overlapping spans."""

    grid: Grid
    page: int
    """The page's index."""
    number: int
    """Of the tables of the page, from 1."""
    caption: str

    @property
    def name(self) -> str:
        return self.caption or f"Page {self.page + 1} table {self.number}"


def no_table(document: Document) -> BadRequest:
    """The error of a format that holds tables alone."""
    return BadRequest(
        f"{document.name} has no table, and this format holds nothing else. Choose another format."
    )


def document_tables(document: Document) -> Iterator[PageTable]:
    """In order. Tables without any cell are left out."""
    for page in document.pages:
        yield from page_tables(page)


def page_tables(page: PageResult) -> Iterator[PageTable]:
    """A caption is the table's own, else the paragraph before it, else the one behind it."""
    if page.error is not None:
        return
    parser = _Tables(page)
    parser.feed(to_safe_html(page_text(page)))
    parser.close()
    for number, (grid, caption) in enumerate(parser.found(), start=1):
        yield PageTable(without_overlaps(grid), page.index, number, grid.caption or caption)


class _Tables(HTMLParser):
    """Collects paragraphs and tables in their order."""

    def __init__(self, page: PageResult) -> None:
        super().__init__(convert_charrefs=True)
        self._captions = page_captions(page)
        self._parts: list[str | Grid] = [""]
        self._builder: GridBuilder | None = None
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._depth += 1
            self._builder = self._builder or GridBuilder()
        elif self._builder is not None:
            if self._depth == 1:
                self._builder.start_tag(tag, attrs)
        elif tag in _BLOCKS:
            self._parts.append("")

    def handle_endtag(self, tag: str) -> None:
        if self._builder is None:
            if tag in _BLOCKS:
                self._parts.append("")
        elif tag == "table":
            self._depth -= 1
            if not self._depth:
                self._end_table()
        elif self._depth == 1:
            self._builder.end_tag(tag)

    def handle_data(self, data: str) -> None:
        if self._builder is not None:
            self._builder.data(data)
        elif isinstance(self._parts[-1], str):
            self._parts[-1] += data
        else:
            self._parts.append(data)

    def close(self) -> None:
        super().close()
        if self._builder is not None:
            self._end_table()

    def found(self) -> Iterator[tuple[Grid, str]]:
        parts = [part for part in self._parts if not isinstance(part, str) or part.strip()]
        used: set[int] = set()
        for at, part in enumerate(parts):
            if isinstance(part, Grid) and part.cells:
                beside = [place for place in (at - 1, at + 1) if 0 <= place < len(parts)]
                place = next((p for p in beside if p not in used and self._names(parts[p])), None)
                caption = "" if place is None else str(parts[place])
                used.update(() if place is None else (place,))
                yield part, " ".join(caption.split())

    def _names(self, part: str | Grid) -> bool:
        return isinstance(part, str) and is_caption(part, self._captions)

    def _end_table(self) -> None:
        assert self._builder is not None
        self._parts.append(self._builder.grid())
        self._builder, self._depth = None, 0
