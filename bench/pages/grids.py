"""Parses the tables of markdown to grids of cells, spans filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text, and the row and column where it begins: its places in the grid are equal."""

    text: str
    begins: tuple[int, int]


Grid = list[list[Cell]]

_PIPES = re.compile(r"(?:^[ \t]*\|.*\|[ \t]*$\n?)+", re.M)
_STEPS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


def tables_in(text: str) -> list[Grid]:
    """Every HTML table and every table of pipes."""
    parser = _Tables()
    parser.feed(text)
    parser.close()
    return [*parser.grids, *(_pipes(match[0]) for match in _PIPES.finditer(text))]


def neighbour_of(grid: Grid, row: int, column: int, side: str) -> str | None:
    """The text of the next cell to that side, or the heading of the column or row."""
    if side == "top_heading":
        above = [r[column] for r in grid[:row] if column < len(r)]
        return next((cell.text for cell in above if cell.text), None)
    if side == "left_heading":
        return next((cell.text for cell in grid[row][:column] if cell.text), None)
    down, right = _STEPS[side]
    own = grid[row][column]
    row, column = row + down, column + right
    while 0 <= row < len(grid) and 0 <= column < len(grid[row]):
        if grid[row][column] != own:
            return grid[row][column].text
        row, column = row + down, column + right
    return None


def _pipes(text: str) -> Grid:
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in text.split("\n")
        if line.strip()
    ]
    shown = [row for row in rows if not all(re.fullmatch(r":?-{2,}:?", cell) for cell in row)]
    return [[Cell(text, (r, c)) for c, text in enumerate(row)] for r, row in enumerate(shown)]


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.grids: list[Grid] = []
        self._cells: dict[tuple[int, int], Cell] = {}
        self._row = self._column = -1
        self._span = (1, 1)
        self._text: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._cells, self._row = {}, -1
        elif tag == "tr":
            self._row, self._column = self._row + 1, 0
        elif tag in ("td", "th"):
            given = dict(attrs)
            self._span = _count(given.get("rowspan")), _count(given.get("colspan"))
            self._text = []
        elif tag == "br" and self._text is not None:
            self._text.append(" ")

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._text is not None:
            self._place(" ".join("".join(self._text).split()))
            self._text = None
        elif tag == "table" and self._cells:
            rows = 1 + max(row for row, _ in self._cells)
            columns = 1 + max(column for _, column in self._cells)
            cells = self._cells
            self.grids.append(
                [[cells.get((r, c), Cell("", (r, c))) for c in range(columns)] for r in range(rows)]
            )
            self._cells = {}

    def _place(self, text: str) -> None:
        while (self._row, self._column) in self._cells:
            self._column += 1
        cell = Cell(text, (self._row, self._column))
        for row in range(self._span[0]):
            for column in range(self._span[1]):
                self._cells[self._row + row, self._column + column] = cell
        self._column += self._span[1]


def _count(value: str | None) -> int:
    return max(1, min(100, int(value))) if value and value.isdigit() else 1
