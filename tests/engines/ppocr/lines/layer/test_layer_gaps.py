"""Lines of a text layer that span several cells, on pictures drawn here."""

from __future__ import annotations

import numpy as np

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.layer.layer_gaps import split_at_gaps


def test_cells_that_are_one_line_of_the_layer_are_split() -> None:
    page = np.full((200, 400, 3), 255, np.uint8)
    for top in (20, 60, 100):
        for left in (12, 120):
            page[top + 4 : top + 16, left : left + 60 : 2] = 0
    cells = [Line("one two", Rect(10, top, 182, top + 20), 1.0) for top in (20, 60, 100)]

    parts = split_at_gaps(cells, page)

    assert [line.text for line in parts] == ["one", "two"] * 3


def test_one_widely_set_line_stays_whole() -> None:
    page = np.full((200, 400, 3), 255, np.uint8)
    page[24:36, 12:72:2] = 0
    page[24:36, 120:180:2] = 0
    line = Line("one two", Rect(10, 20, 182, 40), 1.0)

    assert split_at_gaps([line], page) == [line]


def test_a_justified_line_above_separate_cells_stays_whole() -> None:
    page = np.full((200, 400, 3), 255, np.uint8)
    for left in (12, 82, 152, 222):
        page[24:36, left : left + 50 : 2] = 0
    justified = Line("all blanks are wide", Rect(10, 20, 272, 40), 1.0)
    rows = [Line("cell", Rect(x, y, x + 40, y + 20), 1.0) for y in (50, 70, 90) for x in (10, 160)]

    assert justified in split_at_gaps([justified, *rows], page)


def test_a_narrow_gap_divides_cells_where_the_rows_below_have_separate_cells() -> None:
    page = np.full((200, 400, 3), 255, np.uint8)
    page[24:36, 12:70:2] = 0
    page[24:36, 80:140:2] = 0
    heading = Line("2023 2022", Rect(10, 20, 142, 40), 1.0)
    rows = [Line("12", Rect(x, y, x + 40, y + 20), 1.0) for y in (50, 70, 90) for x in (20, 95)]

    parts = split_at_gaps([heading, *rows], page)

    assert [line.text for line in parts][:2] == ["2023", "2022"]
