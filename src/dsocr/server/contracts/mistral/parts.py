"""Parts of a page that the contract takes out of its markdown: tables, header and footer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dsocr.exports.tables.grid import Grid, parse_grids
from dsocr.types import Box, PageResult

HEADERS: tuple[str, ...] = ("header",)
FOOTERS: tuple[str, ...] = ("footer", "page_number")

_TABLE = re.compile(r"<table\b.*?(?:</table>|\Z)", re.DOTALL | re.IGNORECASE)
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "\\|", "\n": "<br>"})
TableFormat = Literal["markdown", "html"]


@dataclass(frozen=True, slots=True)
class PageTable:
    """A table that was replaced by a link to its id."""

    id: str
    content: str
    source: str
    """Its HTML in the page's markdown."""


def tables_apart(markdown: str, form: TableFormat) -> tuple[str, list[PageTable]]:
    """The markdown with a link in place of each table, and the tables."""
    tables: list[PageTable] = []

    def replaced(match: re.Match[str]) -> str:
        extension = "html" if form == "html" else "md"
        name = f"tbl-{len(tables)}.{extension}"
        content = match[0] if form == "html" else _pipe_tables(match[0])
        tables.append(PageTable(name, content, match[0]))
        return f"[{name}]({name})"

    return _TABLE.sub(replaced, markdown), tables


def furniture(page: PageResult, labels: Sequence[str]) -> str | None:
    """The text of the blocks with these labels; None without any."""
    texts = [block.text for block in page.blocks if block.label in labels and block.text]
    return "\n\n".join(texts) or None


def furniture_places(page: PageResult, labels: Sequence[str]) -> frozenset[int]:
    """The places of the blocks with these labels among those of the page."""
    return frozenset(
        place
        for place, block in enumerate(page.blocks)
        if block.label in labels and block.text and block.boxes
    )


def corners(boxes: Sequence[Box], page: PageResult) -> dict[str, int]:
    """The rectangle around the boxes in pixels; the whole page without any box."""
    around = Box(
        min((box.x0 for box in boxes), default=0.0),
        min((box.y0 for box in boxes), default=0.0),
        max((box.x1 for box in boxes), default=1.0),
        max((box.y1 for box in boxes), default=1.0),
    )
    left, top, right, bottom = around.pixels(page.width, page.height)
    return {
        "top_left_x": left,
        "top_left_y": top,
        "bottom_right_x": right,
        "bottom_right_y": bottom,
    }


def _pipe_tables(text: str) -> str:
    """HTML as a table of pipes. A cell that spans others stands in the first of them."""
    return "\n\n".join(_pipe_table(grid) for grid in parse_grids(text) if grid.cells)


def _pipe_table(grid: Grid) -> str:
    num_columns = 1 + max(cell.column for cell in grid.cells)
    rows = [[""] * num_columns for _ in range(1 + max(cell.row for cell in grid.cells))]
    for cell in grid.cells:
        rows[cell.row][cell.column] = _cell(cell.text)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, f"|{' --- |' * num_columns}")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.translate(_ESCAPES)
