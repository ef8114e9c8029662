"""Finds the numbers that count a page's lines: legal papers, transcripts, editions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.reading_order.items import line_rows

_NUMBER = re.compile(r"\d{1,3}")
_STEPS = {1: 8, 2: 5, 5: 3, 10: 3}
"""How many lines are counted at once, and the fewest numbers that are seen as such."""
_ALIGNED = 1.0  # of a line's height
_EVEN = 0.6  # of a line's height: how far from its place a number may stand
_BESIDE = 0.95  # of the lines
_SENTENCE = 25  # letters
_MAX_CELLS = 0.3  # of the rows
_MIN_BLANK = 2
_MANY = 20


def line_numbers(lines: Sequence[Line]) -> list[Line]:
    """The lines that only count others: at one side of the text, evenly spaced, none left out.

    A table's first column also counts, but its rows have further cells.
    """
    numbers = [line for line in lines if _NUMBER.fullmatch(line.text.strip())]
    found: list[Line] = []
    for at_left in (True, False):
        for group in _aligned(numbers, at_left=at_left):
            counting = _counting(group)
            if counting and _counts_lines(counting, lines, at_left=at_left):
                found.extend(line for line in counting if line not in found)
    return found


def _value(line: Line) -> int:
    return int(line.text)


def _aligned(numbers: Sequence[Line], *, at_left: bool) -> list[list[Line]]:
    """Numbers below one another, each group from top to bottom."""
    groups: list[list[Line]] = []
    for line in sorted(numbers, key=lambda line: line.rect.y0):
        for group in groups:
            if abs(group[-1].rect.x1 - line.rect.x1) < _ALIGNED * line.height or (
                abs(group[-1].rect.x0 - line.rect.x0) < _ALIGNED * line.height
            ):
                group.append(line)
                break
        else:
            groups.append([line])
    return groups


def _counting(group: Sequence[Line]) -> list[Line]:
    """The longest part that counts in even steps, down the page; empty if there is none."""
    best: list[Line] = []
    for step, least in _STEPS.items():
        run: list[Line] = []
        for line in group:
            if run and _value(line) - _value(run[-1]) != step:
                best = max(best, run, key=len) if len(run) >= least else best
                run = []
            run.append(line)
        if len(run) >= least and len(run) > len(best):
            best = run
    return best if _is_even(best) else []


def _is_even(numbers: Sequence[Line]) -> bool:
    gaps = [below.rect.centre_y - above.rect.centre_y for above, below in pairwise(numbers)]
    if not gaps:
        return False
    usual = median(gaps)
    return all(abs(gap - usual) < _EVEN * numbers[0].height for gap in gaps)


def _counts_lines(numbers: Sequence[Line], lines: Sequence[Line], *, at_left: bool) -> bool:
    top, bottom = numbers[0].rect.y0, numbers[-1].rect.y1
    own = {id(line) for line in numbers}
    text = [line for line in lines if id(line) not in own and top <= line.rect.centre_y <= bottom]
    edge = max(n.rect.x1 for n in numbers) if at_left else min(n.rect.x0 for n in numbers)
    beside = [line for line in text if (line.rect.x0 > edge) == at_left]
    if not text or len(beside) < _BESIDE * len(text):
        return False
    rows = line_rows(text)
    step = _value(numbers[1]) - _value(numbers[0])
    if step > 1:
        per_step = len(rows) / (len(numbers) - 1)
        return 0.5 * step < per_step < 1.5 * step
    return _is_numbered_text(rows, len(numbers))


def _is_numbered_text(rows: Sequence[Sequence[Line]], count: int) -> bool:
    """Whether every row is counted, and the rows are text, not a table's."""
    cells = sum(any(_is_cell(line) for line in row) for row in rows)
    if len(rows) > 1.1 * count or cells > _MAX_CELLS * len(rows):
        return False
    long = sum(sum(c.isalpha() for line in row for c in line.text) >= _SENTENCE for row in rows)
    return count - len(rows) >= _MIN_BLANK or count >= _MANY or 2 * long > len(rows)


def _is_cell(line: Line) -> bool:
    return not any(char.isalpha() for char in line.text) and any(c.isdigit() for c in line.text)
