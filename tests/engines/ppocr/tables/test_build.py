import numpy as np

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.table_model import Cell, cells
from dsocr.engines.ppocr.tables.build import (
    detected_entries,
    merges_columns,
    ruled_html,
    split_numbers,
    table_html,
)
from dsocr.engines.ppocr.tables.entries import Entry, entries_of, to_html, without_empty
from dsocr.engines.ppocr.tables.white_space import lattice_of


def text(words: str, x: float, y: float, width: float = 60) -> Line:
    return Line(words, Rect(x, y, x + width, y + 20), 1.0)


def by_white_space(lines: list[Line]) -> list[Entry]:
    return entries_of(lattice_of(lines))


GRID = [
    text("Name", 0, 0),
    text("1990", 100, 0),
    text("1991", 200, 0),
    text("Nord", 0, 30),
    text("12", 100, 30),
    text("<13>", 200, 30),
]


def test_lines_are_assigned_to_the_detected_cells() -> None:
    model = [Cell(0, 0, 1, 1, Rect(0, 0, 90, 25)), Cell(0, 1, 1, 2, Rect(95, 0, 260, 25))]
    model += [Cell(1, c, 1, 1, Rect(100 * c, 28, 100 * c + 90, 55)) for c in range(3)]
    entries = detected_entries(model, [GRID[0], GRID[1], *GRID[3:]])

    assert entries is not None
    assert '<td>Name</td><td colspan="2">1990</td></tr><tr><td>Nord</td>' in to_html(entries)


def test_detected_cells_across_printed_rows_are_not_used() -> None:
    """Two printed rows in one, or one in two."""
    columns = [Cell(0, c, 1, 1, Rect(100 * c, 0, 100 * c + 90, 85)) for c in range(3)]
    below = [text("12", 100, 60), text("14", 200, 60)]

    assert detected_entries(columns, [*GRID, *below]) is None
    assert table_html(lambda: columns, [*GRID, *below]) == to_html(by_white_space([*GRID, *below]))


def test_empty_rows_and_columns_are_left_out() -> None:
    entries = [Entry(0, 0, 1, 3, "Head"), Entry(1, 0, 1, 1, ""), Entry(2, 0, 1, 1, "a")]
    entries += [Entry(2, 1, 1, 1, ""), Entry(2, 2, 1, 1, "b")]

    kept = [(entry.row, entry.column, entry.colspan) for entry in without_empty(entries)]

    assert kept == [(0, 0, 2), (1, 0, 1), (1, 1, 1)]


def test_numbers_in_one_line_are_split_and_numbers_with_blanks_are_not() -> None:
    assert [part.text for part in split_numbers(text("7,899 $1,568.84", 0, 0))] == [
        "7,899",
        "$1,568.84",
    ]
    for whole in ("12 500 000", "1 May 2024", "04 06 2024", "3.5 \u00b1 0.2"):
        assert split_numbers(text(whole, 0, 0)) == [text(whole, 0, 0)]


def test_a_line_across_a_rule_is_split_there() -> None:
    cells = [Cell(0, 0, 1, 1, Rect(0, 0, 100, 25)), Cell(0, 1, 1, 1, Rect(100, 0, 200, 25))]

    html = ruled_html(cells, [text("Item Amount", 50, 0, width=110)])

    assert html == "<table><tr><td>Item</td><td>Amount</td></tr></table>"


def test_small_words_over_their_values_stay_in_their_cells() -> None:
    cells = [Cell(0, c, 1, 1, Rect(150 * c, 0, 150 * c + 140, 60)) for c in range(2)]
    keys = [Line(word, Rect(x, 5, x + 60, 22), 1.0) for word, x in (("E-mail", 10), ("Phone", 160))]
    values = [text("mary@halloran.ie", 10, 30, 120), text("+353 21 555 0199", 160, 30, 120)]

    html = ruled_html(cells, [*keys, *values])

    assert html.count("<tr>") == 1
    assert "<td>E-mail mary@halloran.ie</td><td>Phone +353 21 555 0199</td>" in html


def test_keys_over_their_values_stay_in_their_cells() -> None:
    cells = [Cell(0, 0, 1, 1, Rect(0, 0, 150, 55)), Cell(0, 1, 1, 1, Rect(150, 0, 300, 55))]
    keys = [text("Tax code:", 10, 5), text("Hired on:", 160, 5)]
    values = [text("88M12", 10, 30), text("12/09/2017", 160, 30)]

    html = ruled_html(cells, [*keys, *values])

    assert html == ("<table><tr><td>Tax code: 88M12</td><td>Hired on: 12/09/2017</td></tr></table>")


def test_where_rules_are_too_faint_white_space_divides() -> None:
    cells = [Cell(0, c, 1, 1, Rect(100 * c, 0, 100 * c + 100, 300)) for c in (0, 1)]
    cells += [Cell(0, 2, 2, 1, Rect(200, 0, 300, 300)), Cell(1, 0, 1, 2, Rect(0, 300, 200, 320))]
    lines = [text(f"{row}.{c}", 100 * c, 30 * row) for row in range(5) for c in range(3)]

    assert ruled_html(cells, lines).count("<tr>") == 5


def test_text_in_cells_is_escaped() -> None:
    assert "&lt;13&gt;" in table_html(list, GRID)


def test_without_cells_white_space_gives_rows_and_columns() -> None:
    assert [(e.row, e.column, e.text) for e in by_white_space(GRID)] == [
        *((0, 0, "Name"), (0, 1, "1990"), (0, 2, "1991")),
        *((1, 0, "Nord"), (1, 1, "12"), (1, 2, "<13>")),
    ]


def test_a_heading_over_two_columns_spans_them() -> None:
    entries = by_white_space([*GRID, text("both of the years", 100, -30, width=160)])
    assert [(e.column, e.colspan) for e in entries if e.row == 0] == [(0, 1), (1, 2)]


def test_cells_that_lose_text_are_not_used() -> None:
    assert detected_entries([Cell(0, 0, 1, 1, Rect(0, 0, 90, 25))], GRID) is None


def test_a_cell_around_a_whole_row_is_not_used() -> None:
    row = [text(str(i), 100 * i, 0, width=20) for i in range(6)]
    assert detected_entries([Cell(0, 0, 1, 1, Rect(0, 0, 600, 30))], row) is None


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


def test_a_model_whose_cells_hold_figures_of_two_columns_is_not_used() -> None:
    names = [text(f"Ward {row}", 0, 30 * row) for row in range(4)]
    pairs = [text(str(10 + row), x, 30 * row, width=30) for row in range(4) for x in (100, 160)]
    wide = [Cell(row, 0, 1, 1, Rect(0, 30 * row, 90, 30 * row + 25)) for row in range(4)]
    merged = [Cell(row, 1, 1, 1, Rect(95, 30 * row, 260, 30 * row + 25)) for row in range(4)]

    assert merges_columns([*wide, *merged], [*names, *pairs])


def test_words_of_one_cell_and_a_heading_over_two_columns_merge_nothing() -> None:
    heading = [Cell(0, 0, 1, 2, Rect(0, 0, 200, 25))]
    below = [Cell(row, 0, 1, 1, Rect(0, 30 * row, 200, 30 * row + 25)) for row in range(1, 5)]
    words = [
        text(word, x, 30 * row, width=60)
        for row in range(5)
        for word, x in (("left", 0), ("right", 64))
    ]

    assert not merges_columns([*heading, *below], words)
