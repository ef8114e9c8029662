"""The items of a document as docling has them: its labels, its texts, its levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dsocr.exports.layout.lines import plain_block, surrounding
from dsocr.exports.structure.parts import HEADING, MARKER, Part, parts_of
from dsocr.exports.structure.tables import grid_of_pipes
from dsocr.exports.tables.grid import Grid, parse_grids
from dsocr.types import Box, PageResult

_LABELS = {"text": "text", "caption": "caption", "formula": "formula", "code": "code"}
_LABELS |= {"footnote": "footnote", "list": "list_item", "figure": "picture", "table": "table"}
_ENUMERATED = ("(", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9")


@dataclass(frozen=True, slots=True)
class Item:
    """A paragraph, an item of a list, a table or a picture."""

    label: str
    text: str = ""
    box: Box | None = None
    level: int = 0
    """Of a section header, from 1."""
    marker: str = ""
    """Of an item of a list, as printed."""
    grid: Grid | None = None

    @property
    def is_enumerated(self) -> bool:
        return self.marker.startswith(_ENUMERATED)


def items_of(page: PageResult, *, has_title: bool) -> Iterator[Item]:
    """The items in reading order. `has_title`: whether a page before has the title; a first
    heading of level 1 is one. A page that failed has one item, which says why."""
    if page.error is not None:
        yield Item("text", f"Page {page.index + 1} could not be read: {page.error.message}")
        return
    for part in parts_of(page):
        box = surrounding(part.boxes) if part.boxes else None
        if part.kind == "heading":
            title = part.level == 1 and not has_title
            has_title = True
            words = plain_block(HEADING.sub("", part.text.lstrip(), count=1))
            level = max(1, part.level - 1)
            yield Item("title", words, box) if title else Item("section_header", words, box, level)
        elif part.kind == "table":
            grids = parse_grids(part.text) or grid_of_pipes(part.text)
            for grid in grids:
                yield Item("table", grid.caption, box, grid=grid)
        elif part.kind == "list":
            yield from _list_items(part, box)
        else:
            yield Item(_label(part), _text(part), box)


def _list_items(part: Part, box: Box | None) -> Iterator[Item]:
    rows: list[str] = []
    for line in part.text.split("\n"):
        if not rows or MARKER.match(line):
            rows.append(line)
        else:
            rows[-1] += "\n" + line
    for row in rows:
        marker = MARKER.match(row)
        text = row[marker.end() :] if marker else row
        yield Item("list_item", plain_block(text), box, marker=marker[0].strip() if marker else "-")


def _label(part: Part) -> str:
    if part.kind == "edge":
        return "page_header" if part.label == "header" else "page_footer"
    return _LABELS[part.kind]


def _text(part: Part) -> str:
    if part.kind == "formula":
        return part.text.strip().removeprefix("\\[").removesuffix("\\]").strip()
    if part.kind == "code":
        return _code(part.text)
    return "" if part.kind == "figure" else plain_block(part.text)


def _code(text: str) -> str:
    lines = text.split("\n")
    if lines[0].lstrip().startswith(("```", "~~~")):
        lines = lines[1:]
        if lines and lines[-1].strip() in ("```", "~~~"):
            lines = lines[:-1]
    return "\n".join(lines)
