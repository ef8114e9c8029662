"""HTML tables as grids. All formats use this one parser."""

from __future__ import annotations

from html.parser import HTMLParser

from dsocr.exports.tables.grid_builder import (
    MAX_SPAN,
    Attributes,
    Grid,
    GridBuilder,
    GridCell,
)
from dsocr.exports.tables.plain_tables import plain_grids

__all__ = ["MAX_SPAN", "Grid", "GridBuilder", "GridCell", "parse_grids"]


def parse_grids(html: str) -> list[Grid]:
    """The tables of an HTML text, in order. A table inside a cell is text of that cell."""
    plain = plain_grids(html)
    if plain is not None:
        return plain
    parser = _TablesParser()
    parser.feed(html)
    parser.close()
    return parser.grids


class _TablesParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.grids: list[Grid] = []
        self._builder = GridBuilder()
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if tag == "table":
            self._depth += 1
            if self._depth == 1:
                self._builder = GridBuilder()
        elif self._depth == 1:
            self._builder.start_tag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._depth:
            self._depth -= 1
            if self._depth == 0:
                self.grids.append(self._builder.grid())
        elif self._depth == 1:
            self._builder.end_tag(tag)

    def handle_data(self, data: str) -> None:
        if self._depth:
            self._builder.data(data)

    def updatepos(self, i: int, j: int) -> int:
        """Lines are not counted: nothing asks for the place of a tag, and it takes time."""
        return j

    def close(self) -> None:
        super().close()
        if self._depth:  # the model was cut off inside the table
            self._depth = 0
            self.grids.append(self._builder.grid())
