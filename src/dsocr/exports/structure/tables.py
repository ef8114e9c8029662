"""HTML tables as tables of markdown, which have no spans: a spanning cell stands in its first
place, and the others are empty."""

from __future__ import annotations

import re
from html import escape

from dsocr.exports.tables.grid import Grid, GridCell, parse_grids

_MARKED_ROW = re.compile(r"(<!-- page \d+ -->)\s*(<tr\b[^>]*>\s*<t[dh]\b[^>]*>)", re.I)
"""The row after the place where a page ends in a table that was joined."""
_TABLE = re.compile(r"<table\b.*?(?:</table\s*>|\Z)", re.S | re.I)


def with_pipe_tables(markdown: str) -> str:
    """The text with each HTML table as one of markdown; its first row is the header. The mark of a
    page's end stands in the first cell after it: between rows it would end the table."""
    if "<table" not in markdown.lower():
        return markdown
    return _TABLE.sub(lambda found: _converted(found[0]), markdown)


def pipe_table(grid: Grid) -> str:
    """Empty for a table without cells."""
    width = grid.num_columns
    rows = [[""] * width for _ in range(grid.num_rows)]
    for cell in grid.cells:
        rows[cell.row][cell.column] = cell.text.replace("|", "\\|").replace("\n", "<br>")
    if not rows:
        return ""
    head, *others = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|" + " --- |" * width, *others])


def _converted(html: str) -> str:
    marked = _MARKED_ROW.sub(lambda found: f"{found[2]}{escape(found[1])} ", html)
    grids = parse_grids(marked)
    tables = [part for grid in grids for part in (grid.caption, pipe_table(grid)) if part]
    return "\n\n".join(tables) if tables else html


def grid_of_pipes(markdown: str) -> list[Grid]:
    """A table of markdown as a grid; the first row is the header."""
    rows = [_cells(line) for line in markdown.strip().split("\n")]
    del rows[1:2]
    cells = (
        GridCell(row, column, 1, 1, text, is_header=row == 0)
        for row, texts in enumerate(rows)
        for column, text in enumerate(texts)
    )
    return [Grid(tuple(cells))]


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]
