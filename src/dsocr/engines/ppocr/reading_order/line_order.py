"""The lines of arranged columns one after the other, in the order of the blocks they end in."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.reading_order.items import Column, LayoutItem, line_items, line_rows

Arrange = Callable[[Sequence[LayoutItem]], list[Column]]


def lines_in_order(columns: Sequence[Column], arrange: Arrange) -> list[Line]:
    """All lines of the columns. Those of a table go row by row, those of other regions by column.

    Lines that no block shows (page numbers, ticks of a chart) come where their item stands.
    """
    return [
        line
        for column in columns
        for row in column
        for item in row
        for line in _lines_of(item, arrange)
    ]


def _lines_of(item: LayoutItem, arrange: Arrange) -> Sequence[Line]:
    if len(item.lines) < 2:
        return item.lines
    if item.label in ("table", "finished"):
        return [line for row in line_rows(item.lines) for line in row]
    return [
        line
        for column in arrange(line_items(item.lines))
        for row in column
        for inner in row
        for line in inner.lines
    ]
