"""A table as a grid: row, column and spans of each cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_SPAN = 100
"""Rows or columns. A larger span is a mistake of the model."""

Attributes = list[tuple[str, str | None]]

_OpenCell = tuple[int, int, int, int, bool]
"""Row, column, their spans, and whether it is a header, of a cell whose text is being read."""

_LINE_TAGS = {"br", "p", "li", "div", "tr", "hr"}


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell at its top left place in the grid, counted from 0."""

    row: int
    column: int
    row_span: int
    column_span: int
    text: str
    """Without markup; line breaks stay."""
    is_header: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. Cells are in the order of the HTML: by row, then by column."""

    cells: tuple[GridCell, ...]
    caption: str = ""

    @property
    def num_rows(self) -> int:
        """Rows that a cell begins in or reaches into."""
        return max((cell.row + cell.row_span for cell in self.cells), default=0)

    @property
    def num_columns(self) -> int:
        return max((cell.column + cell.column_span for cell in self.cells), default=0)

    def rows(self) -> Iterator[list[GridCell]]:
        """The cells that begin in each row."""
        rows: list[list[GridCell]] = [[] for _ in range(self.num_rows)]
        for cell in self.cells:
            rows[cell.row].append(cell)
        return iter(rows)


@dataclass(slots=True)
class GridBuilder:
    """Takes the tags and the text between `<table>` and its `</table>` and builds the grid."""

    _cells: list[GridCell] = field(default_factory=list)
    _row: int = -1
    _column: int = 0
    _reserved: dict[int, int] = field(default_factory=dict)
    """Column -> first row below the cells above, where one reaches past this row."""
    _open: _OpenCell | None = None
    _text: list[str] = field(default_factory=list)
    _caption: list[str] | None = None
    _caption_text: str = ""

    def start_tag(self, tag: str, attributes: Attributes) -> None:
        if tag == "tr":
            self._end_cell()
            self._row, self._column = self._row + 1, 0
        elif tag in ("td", "th"):
            self._end_cell()
            self._start_cell(dict(attributes), is_header=tag == "th")
        elif tag == "caption":
            self._caption = []
        elif tag in _LINE_TAGS:
            self.data("\n")

    def cell(self, text: str, attributes: Attributes, *, is_header: bool) -> None:
        """A cell that has no tags inside."""
        self._end_cell()
        self._start_cell(dict(attributes), is_header=is_header)
        self.data(text)
        self._end_cell()

    def end_tag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._end_cell()
        elif tag == "caption":
            self._caption_text, self._caption = _trimmed(self._caption or []), None
        elif tag in _LINE_TAGS:
            self.data("\n")

    def data(self, text: str) -> None:
        """Text outside cells is layout of the HTML and left out."""
        if self._caption is not None:
            self._caption.append(text)
        elif self._open is not None:
            self._text.append(text)

    def grid(self) -> Grid:
        self._end_cell()
        return Grid(tuple(self._cells), self._caption_text)

    def _start_cell(self, attributes: dict[str, str | None], *, is_header: bool) -> None:
        self._row = max(self._row, 0)
        while self._reserved.get(self._column, 0) > self._row:
            self._column += 1
        row_span = _span(attributes.get("rowspan"))
        column_span = _span(attributes.get("colspan"))
        self._open = self._row, self._column, row_span, column_span, is_header
        for column in range(self._column, self._column + column_span):
            self._reserved[column] = self._row + row_span
        self._column += column_span

    def _end_cell(self) -> None:
        if self._open is not None:
            row, column, row_span, column_span, is_header = self._open
            text = _trimmed(self._text)
            self._cells.append(GridCell(row, column, row_span, column_span, text, is_header))
            self._open, self._text = None, []


def _trimmed(parts: list[str]) -> str:
    text = "".join(parts)
    if "\n" not in text:
        return text.strip()
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def _span(value: str | None) -> int:
    if not value or not value.isdecimal():
        return 1
    return min(MAX_SPAN, max(1, int(value[:9])))  # Python refuses numbers of thousands of digits
