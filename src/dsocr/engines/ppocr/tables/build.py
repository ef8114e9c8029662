"""Builds a table's HTML from its lines: by rules, by white space, or by the table model's cells.

White space is used where every line fits into its rows and columns; the model's cells where the
lines do not, and the cells agree with the printed rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.networks.table_model import Cell
from dsocr.engines.ppocr.reading_order.items import line_rows
from dsocr.engines.ppocr.tables.cell_fill import fill_detected, fill_ruled
from dsocr.engines.ppocr.tables.entries import (
    Entry,
    entries_of,
    split_rows,
    to_html,
    without_empty,
)
from dsocr.engines.ppocr.tables.white_space import is_clear, is_number, lattice_of

_MAX_MODEL_LINES = 150
_MAX_LOST = 0.05  # of the characters
_MAX_WIDE_GAPS = 3  # in one cell
_MAX_WIDE_GAP_SHARE = 0.1  # of the lines
_WIDE_GAP = 2.0  # of a line's height
_COLUMN_GAP = 0.7  # of a line's height
_MAX_ASKEW = 0.05  # of the printed rows
_MAX_MERGED = 0.1  # of the cells
_STACKED = re.compile(r"(?:\(?\d[\d,.]*\)? ){3}\(?\d[\d,.]*")
_NUMBER = re.compile(r"[-+(]?[$\u20ac\u00a3\u00a5]?\d[\d,]*(?:[.,]\d+|%)[%)]*|[\u2013\u2014]")


def table_html(detect_cells: Callable[[], Sequence[Cell]], lines: Sequence[Line]) -> str:
    """A table without rules as HTML. `detect_cells` runs the table model, only where needed."""
    lines = [part for line in lines for part in split_numbers(line)]
    lattice = lattice_of(lines)
    if is_clear(lattice):
        return to_html(entries_of(lattice))
    cells = detect_cells() if 0 < len(lines) <= _MAX_MODEL_LINES else ()
    entries = detected_entries(cells, lines)
    if entries is None or merges_columns(cells, lines):
        entries = entries_of(lattice)
    return to_html(entries)


def split_numbers(line: Line) -> list[Line]:
    """Several numbers that were recognized as one line, each as its own."""
    words = line.text.split()
    if len(words) < 2 or not all(_NUMBER.fullmatch(word) for word in words):
        return [line]
    parts, end = [], 0
    for word in words:
        start = line.text.index(word, end)
        end = start + len(word)
        x0, x1 = (line.rect.x0 + line.rect.width * at / len(line.text) for at in (start, end))
        parts.append(line.part(word, x0=x0, x1=x1))
    return parts


def detected_entries(cells: Sequence[Cell], lines: Sequence[Line]) -> list[Entry] | None:
    """The model's cells with their lines; None where they lose text or contradict the rows."""
    if not cells:
        return None
    found, lost = fill_detected(cells, lines)
    if _num_characters(lost) > _MAX_LOST * _num_characters(lines):
        return None
    if _is_jumbled(found) or _mixes_rows(found, cells, lines):
        return None
    return without_empty(split_rows(cells, found))


def ruled_html(cells: Sequence[Cell], lines: Sequence[Line]) -> str:
    """A table with rules as HTML."""
    return to_html(ruled_entries(cells, lines))


def ruled_entries(cells: Sequence[Cell], lines: Sequence[Line]) -> list[Entry]:
    """The ruled cells with their lines; rows printed without rules between them are split."""
    found = fill_ruled(cells, lines)
    entries = split_rows(cells, found)
    stacked = [entry for entry in entries if _STACKED.search(entry.text)]
    if len(stacked) < 2:
        return entries
    # Some of its rules were too faint to be found.
    return entries_of(lattice_of([part for parts in found.values() for part in parts]))


def _is_jumbled(found: Mapping[int, Sequence[Line]]) -> bool:
    """Whether many cells hold lines that stand side by side far apart: then the grid is wrong."""
    gaps = [_num_gaps(lines, _WIDE_GAP) for lines in found.values()]
    if max(gaps, default=0) > _MAX_WIDE_GAPS:
        return True
    return sum(gaps) > max(2, _MAX_WIDE_GAP_SHARE * sum(len(lines) for lines in found.values()))


def _mixes_rows(
    found: Mapping[int, Sequence[Line]], cells: Sequence[Cell], lines: Sequence[Line]
) -> bool:
    """Whether cells hold numbers below one another, or printed rows cross rows of cells."""
    stacked = sum(
        sum(is_number(row[0].text) for row in line_rows(inside)) > 1 for inside in found.values()
    )
    row_of = {
        id(line): cells[index].row
        for index, inside in found.items()
        for line in inside
        if cells[index].rowspan == 1
    }
    rows = [{row_of[id(line)] for line in row if id(line) in row_of} for row in line_rows(lines)]
    torn = sum(len(numbers) > 1 for numbers in rows)
    return stacked + torn > _MAX_ASKEW * len(rows)


def merges_columns(cells: Sequence[Cell], lines: Sequence[Line]) -> bool:
    """Whether cells hold entries of two columns, again and again down the table."""
    if not cells:
        return False
    found, _ = fill_detected(cells, lines)
    single = [inside for index, inside in found.items() if cells[index].colspan == 1]
    merged = [inside for inside in single if _num_gaps(inside, _COLUMN_GAP)]
    return len(merged) >= max(3, _MAX_MERGED * len(single))


def _num_gaps(lines: Sequence[Line], min_gap: float) -> int:
    """The number of gaps in the lines' rows that are wider than so many heights of the row."""
    return sum(
        right.rect.x0 - left.rect.x1 > min_gap * row[0].rect.height
        for row in line_rows(lines)
        for left, right in pairwise(row)
    )


def _num_characters(lines: Sequence[Line]) -> int:
    return sum(len(line.text) for line in lines)
