"""HTML tables as grids: every cell in its row and column, whatever spans into it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr.exports.tables.grid import MAX_SPAN, Grid, _TablesParser, parse_grids
from dsocr.exports.tables.plain_tables import plain_grids


def places(grid: Grid) -> list[tuple[int, int, int, int, str]]:
    return [(c.row, c.column, c.row_span, c.column_span, c.text) for c in grid.cells]


def parsed(html: str) -> Grid:
    (grid,) = parse_grids(html)
    return grid


def test_cells_below_a_row_span_stand_in_the_next_free_column() -> None:
    grid = parsed(
        "<table><tr><td rowspan=2>a</td><td colspan=2>b</td><td rowspan=3>c</td></tr>"
        "<tr><td>d</td><td>e</td></tr><tr><td>f</td></tr></table>"
    )
    assert places(grid) == [
        (0, 0, 2, 1, "a"),
        (0, 1, 1, 2, "b"),
        (0, 3, 3, 1, "c"),
        (1, 1, 1, 1, "d"),
        (1, 2, 1, 1, "e"),
        (2, 0, 1, 1, "f"),
    ]
    assert (grid.num_rows, grid.num_columns) == (3, 4)


def test_spans_beyond_reason_are_cut_and_nonsense_is_one() -> None:
    grid = parsed(f"<table><tr><td colspan={'9' * 5000}>a<td rowspan=x>b</table>")
    assert places(grid) == [(0, 0, 1, MAX_SPAN, "a"), (0, MAX_SPAN, 1, 1, "b")]


def test_headers_captions_entities_and_line_breaks_are_kept() -> None:
    grid = parsed(
        "<table><caption>Sales &amp; costs</caption><thead><tr><th>Year</th></tr></thead>"
        "<tbody><tr><td> 1<br>2 </td></tr></tbody></table>"
    )
    assert grid.caption == "Sales & costs"
    assert [(cell.text, cell.is_header) for cell in grid.cells] == [("Year", True), ("1\n2", False)]


def test_missing_end_tags_end_cells_rows_and_the_table() -> None:
    grid = parsed("<table><tr><td>a<td>b<tr><td>c")
    assert places(grid) == [(0, 0, 1, 1, "a"), (0, 1, 1, 1, "b"), (1, 0, 1, 1, "c")]


def test_a_cell_without_a_row_begins_the_first() -> None:
    assert places(parsed("<table><td>a</td></table>")) == [(0, 0, 1, 1, "a")]


def test_a_table_inside_a_cell_is_text_of_that_cell() -> None:
    grid = parsed("<table><tr><td>a <table><tr><td>b</td></tr></table></td><td>c</td></tr></table>")
    assert [cell.text for cell in grid.cells] == ["a b", "c"]


def test_tables_come_in_order_and_an_empty_one_is_a_grid() -> None:
    first, second = parse_grids("<table></table>text<table><tr><td>x</td></tr></table>")
    assert (first.num_rows, first.num_columns, places(second)) == (0, 0, [(0, 0, 1, 1, "x")])
    assert parse_grids("no table") == []


TOKENS = st.sampled_from(
    ["<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", "<th>", "<td rowspan=2>", "<br>"]
    + ["<td colspan=\"3\" rowspan='2'>", "<caption>", "</caption>", "<tbody>", "a &amp; b", "\n x "]
    + ["&lt", ">", "<br/>", "</thead>", "<td colspan=0>"]
)


@given(st.lists(TOKENS, max_size=30))
def test_plain_tables_are_what_the_parser_of_html_finds(tokens: list[str]) -> None:
    html = "".join(tokens)
    found = plain_grids(html)
    parser = _TablesParser()
    parser.feed(html)
    parser.close()
    assert found is None or found == parser.grids


@pytest.mark.parametrize(
    "other", ["<b>x</b>", "<td class=x>", "<TD>", "a < b", "<!-- x -->", "<td"]
)
def test_what_is_no_plain_table_is_left_to_the_parser_of_html(other: str) -> None:
    assert plain_grids(f"<table><tr><td>{other}</td></tr></table>") is None
    assert plain_grids("<table><tr><td rowspan=2>a</td></tr></table>") is not None
