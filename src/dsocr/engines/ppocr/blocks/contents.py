"""Finds a table of contents: rows of an entry, leaders and a page number. It is text, no table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dsocr.engines.ppocr.blocks.finished import FinishedBlock
from dsocr.engines.ppocr.geometry import Line, enclose
from dsocr.engines.ppocr.reading_order.contents import (
    is_page_number,
    split_at_leaders,
    without_leaders,
)
from dsocr.engines.ppocr.reading_order.escape import escape_markdown
from dsocr.engines.ppocr.reading_order.items import line_rows

Row = list[Line]

_MIN_ROWS = 3
_ALIGNED = 1.0  # of a row's height
_MAX_STEP = 4.0  # of a row's height
_MIN_WITH_LEADERS = 0.25
_LEADERS = re.compile(r"[.\u00b7\u2026]{2,}|\s[.\u00b7\u2026]\s|[.\u00b7\u2026]$")
_LAST_DOTS = re.compile(r"[\s.\u00b7\u2026]+(?=\s\S+$)")


def contents_blocks(lines: Sequence[Line]) -> list[FinishedBlock]:
    parts = [(part, line) for line in lines for part in split_at_leaders(line)]
    whole = {id(part): line for part, line in parts}
    runs: list[list[Row]] = [[]]
    for row in line_rows([part for part, _ in parts]):
        if not _is_entry(row) or (runs[-1] and not _follows(runs[-1][-1], row)):
            runs.append([])
        if _is_entry(row):
            runs[-1].append(row)
    return [_block(run, whole) for run in runs if _is_contents(run)]


def _is_entry(row: Row) -> bool:
    words = " ".join(line.text for line in row[:-1])
    return is_page_number(row[-1].text) and any(char.isalpha() for char in words)


def _follows(above: Row, below: Row) -> bool:
    height = below[0].height
    step = below[0].rect.centre_y - above[0].rect.centre_y
    aligned = abs(above[-1].rect.x1 - below[-1].rect.x1) < _ALIGNED * height
    return aligned and step < _MAX_STEP * height


def _is_contents(rows: Sequence[Row]) -> bool:
    with_leaders = sum(any(_LEADERS.search(line.text.strip()) for line in row[:-1]) for row in rows)
    return len(rows) >= _MIN_ROWS and with_leaders >= _MIN_WITH_LEADERS * len(rows)


def _block(rows: Sequence[Row], whole: Mapping[int, Line]) -> FinishedBlock:
    """`whole` is the line that each part was split from."""
    found = [whole[id(part)] for row in rows for part in row]
    used = tuple({id(line): line for line in found}.values())
    texts = [" ".join(line.text.strip() for line in without_leaders(row)) for row in rows]
    texts = [_LAST_DOTS.sub("", text) for text in texts]
    text = "  \n".join(escape_markdown(text) for text in texts)
    return FinishedBlock("text", enclose([line.rect for line in used]), used, text)
