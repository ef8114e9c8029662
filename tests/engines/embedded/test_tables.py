import numpy as np

from dsocr.engines.embedded.line import Line, Rect
from dsocr.engines.embedded.table_model import Cell, cells
from dsocr.engines.embedded.tables import by_geometry, fill, table_html, to_html


def text(words: str, x: float, y: float, width: float = 60) -> Line:
    return Line(words, Rect(x, y, x + width, y + 20), 1.0)


GRID = [
    text("Name", 0, 0),
    text("1990", 100, 0),
    text("1991", 200, 0),
    text("Nord", 0, 30),
    text("12", 100, 30),
    text("<13>", 200, 30),
]


def test_lines_go_into_the_cells_that_the_model_saw() -> None:
    model = [Cell(0, 0, 1, 1, Rect(0, 0, 90, 25)), Cell(0, 1, 1, 2, Rect(95, 0, 260, 25))]
    html = '<table><tr><td>Name</td><td colspan="2">1990</td></tr></table>'
    assert table_html(model, GRID[:2]) == html


def test_text_in_cells_is_escaped() -> None:
    assert "&lt;13&gt;" in table_html([], GRID)


def test_without_cells_white_space_gives_rows_and_columns() -> None:
    assert [(e.row, e.column, e.text) for e in by_geometry(GRID)] == [
        *((0, 0, "Name"), (0, 1, "1990"), (0, 2, "1991")),
        *((1, 0, "Nord"), (1, 1, "12"), (1, 2, "<13>")),
    ]


def test_a_heading_over_two_columns_spans_them() -> None:
    entries = by_geometry([*GRID, text("both of the years", 100, -30, width=160)])
    assert [(e.column, e.colspan) for e in entries if e.row == 0] == [(0, 1), (1, 2)]


def test_cells_that_lose_text_are_not_used() -> None:
    assert fill([Cell(0, 0, 1, 1, Rect(0, 0, 90, 25))], GRID) is None


def test_cell_that_swallows_a_whole_row_is_not_used() -> None:
    row = [text(str(i), 100 * i, 0, width=20) for i in range(6)]
    assert fill([Cell(0, 0, 1, 1, Rect(0, 0, 600, 30))], row) is None


def test_spans_push_later_cells_aside() -> None:
    tokens = [
        "<tr>",
        "<td",
        "rowspan=2",
        ">",
        "</td>",
        "<td></td>",
        "</tr>",
        "<tr>",
        "<td></td>",
        "</tr>",
    ]
    found = cells(tokens, np.zeros((len(tokens), 8), np.float32))
    assert [(c.row, c.column, c.rowspan) for c in found] == [(0, 0, 2), (0, 1, 1), (1, 1, 1)]


def test_empty_table_is_still_a_table() -> None:
    assert to_html([]) == "<table></table>"
