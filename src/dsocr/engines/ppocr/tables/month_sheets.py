"""Finds the sheets of a calendar: days in seven columns, with the weekdays above them."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median

from dsocr.engines.ppocr.geometry import Line, Rect, enclose
from dsocr.engines.ppocr.reading_order.items import line_rows

_DAYS = 7
_DAY = re.compile(r"\d{1,2}")
_DAY_AND_NOTE = re.compile(r"(\d{1,2})(?:\s+\D.*)?")
_UNEVEN = 0.25  # of a column's width
_MIN_WEEKS = 2
_MIN_NUMBERS = 24
_LAST_DAY = 31
_ABOVE = 0.35  # of a week's height: what stands so far above a day belongs to its week
_HEADING = 1.6  # of a week's height
_MIN_HEADINGS = 5
_MAX_WEEKDAY = 12  # characters

Week = list[Line]


@dataclass(frozen=True, slots=True)
class MonthSheet:
    rect: Rect
    lines: tuple[Line, ...]
    html: str


@dataclass(frozen=True, slots=True)
class _Grid:
    """The middles of the columns, and where the first week stands."""

    columns: tuple[float, ...]
    top: float
    week_height: float
    num_weeks: int

    @property
    def width(self) -> float:
        return (self.columns[-1] - self.columns[0]) / (_DAYS - 1)

    def column_of(self, line: Line) -> int | None:
        x = (line.rect.x0 + line.rect.x1) / 2
        nearest = min(range(_DAYS), key=lambda column: abs(self.columns[column] - x))
        return nearest if abs(self.columns[nearest] - x) < 0.6 * self.width else None

    def week_of(self, line: Line) -> int | None:
        week = (line.rect.centre_y - self.top) / self.week_height + _ABOVE
        return int(week) if 0 <= week < self.num_weeks else None


def month_sheets(lines: Sequence[Line]) -> list[MonthSheet]:
    """The sheets among the lines, each with the lines that its table shows."""
    sheets: list[MonthSheet] = []
    days = [part for line in lines for part in _split_days(line)]
    for weeks in _months(_full_weeks(days)):
        grid = _grid_of(weeks, days)
        if grid is not None:
            sheets.append(_sheet(grid, lines))
    return sheets


def _split_days(line: Line) -> list[Line]:
    """The days of a line: one, or several that were recognized as one."""
    words = line.text.split()
    if len(words) < 2 or not all(_DAY.fullmatch(word) for word in words):
        return [line] if _DAY_AND_NOTE.fullmatch(line.text.strip()) else []
    return _split_words(line)


def _split_words(line: Line) -> list[Line]:
    parts, end = [], 0
    for word in line.text.split():
        start = line.text.index(word, end)
        end = start + len(word)
        x0, x1 = (line.rect.x0 + line.rect.width * at / len(line.text) for at in (start, end))
        parts.append(line.part(word, x0=x0, x1=x1))
    return parts


def _day(line: Line) -> int:
    return int(line.text.split()[0])


def _full_weeks(days: Sequence[Line]) -> list[Week]:
    weeks: list[Week] = []
    for row in line_rows(days):
        for start in range(len(row) - _DAYS + 1):
            week = row[start : start + _DAYS]
            if all(_day(b) == _day(a) + 1 for a, b in pairwise(week)) and _is_even(week):
                weeks.append(week)
    return weeks


def _is_even(week: Week) -> bool:
    steps = [right.rect.x0 - left.rect.x0 for left, right in pairwise(week)]
    usual = median(steps)
    return usual > 0 and all(abs(step - usual) < _UNEVEN * usual for step in steps)


def _months(weeks: Sequence[Week]) -> list[list[Week]]:
    """Full weeks that follow one another in the same columns."""
    months: list[list[Week]] = []
    for week in weeks:
        for month in months:
            above = month[-1]
            step = (above[-1].rect.x0 - above[0].rect.x0) / (_DAYS - 1)
            if (
                _day(week[0]) == _day(above[0]) + _DAYS
                and abs(week[0].rect.x0 - above[0].rect.x0) < _UNEVEN * step
            ):
                month.append(week)
                break
        else:
            months.append([week])
    return [month for month in months if len(month) >= _MIN_WEEKS]


def _grid_of(weeks: Sequence[Week], days: Sequence[Line]) -> _Grid | None:
    """The month's grid; None if too few of its other days stand where they must."""
    columns = tuple(
        mean((week[c].rect.x0 + week[c].rect.x1) / 2 for week in weeks) for c in range(_DAYS)
    )
    height = median(b[0].rect.centre_y - a[0].rect.centre_y for a, b in pairwise(weeks))
    first = _day(weeks[0][0])
    before = -(-(first - 1) // _DAYS)  # weeks above the first full one
    top = mean(line.rect.centre_y for line in weeks[0]) - before * height
    after = (_LAST_DAY - first) // _DAYS
    whole = _Grid(columns, top, height, before + after + 1)
    placed: dict[int, int] = {}
    for line in days:
        week, column = whole.week_of(line), whole.column_of(line)
        day = _day(line)
        expected = divmod(day - first, _DAYS)
        if week is not None and (week - before, column) == expected:
            placed[day] = week
    if len(placed) < _MIN_NUMBERS:
        return None
    return _Grid(columns, top, height, max(placed.values()) + 1)


def _sheet(grid: _Grid, lines: Sequence[Line]) -> MonthSheet:
    rows: list[list[list[str]]] = [[[] for _ in range(_DAYS)] for _ in range(grid.num_weeks)]
    used: list[Line] = []
    for line in sorted(lines, key=lambda line: (line.rect.y0, line.rect.x0)):
        parts = _split_days(line)
        for part in parts if len(parts) > 1 else [line]:
            week, column = grid.week_of(part), grid.column_of(part)
            if week is None or column is None:
                continue
            rows[week][column].append(part.text.strip())
            used += [] if used and used[-1] is line else [line]
    heading, heading_lines = _heading(grid, lines)
    used = [*heading_lines, *used]
    table = [heading, *rows] if heading_lines else rows
    return MonthSheet(enclose([line.rect for line in used]), tuple(used), _html(table))


def _heading(grid: _Grid, lines: Sequence[Line]) -> tuple[list[list[str]], list[Line]]:
    """The weekdays above the first week; no lines where there are none."""
    highest = grid.top - _HEADING * grid.week_height
    lowest = grid.top - 0.2 * grid.week_height
    above = [line for line in lines if highest < line.rect.centre_y < lowest]
    for row in reversed(line_rows(above)):
        cells = _weekdays(grid, [part for line in row for part in _split_words(line)])
        if sum(map(bool, cells)) >= _MIN_HEADINGS:
            return cells, list(row)
    return [], []


def _weekdays(grid: _Grid, words: Sequence[Line]) -> list[list[str]]:
    """Seven words in their order, wherever they stand in their columns; fewer by their place."""
    short = [word for word in words if len(word.text) <= _MAX_WEEKDAY and not word.text.isdigit()]
    if len(short) == _DAYS:
        return [[word.text] for word in short]
    cells: list[list[str]] = [[] for _ in range(_DAYS)]
    for word in short:
        column = grid.column_of(word)
        if column is not None:
            cells[column].append(word.text)
    return cells


def _html(rows: Sequence[Sequence[Sequence[str]]]) -> str:
    written = (
        "".join(f"<td>{html.escape(' '.join(cell), quote=False)}</td>" for cell in row)
        for row in rows
    )
    return f"<table>{''.join(f'<tr>{cells}</tr>' for cells in written)}</table>"
