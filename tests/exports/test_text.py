from __future__ import annotations

import random
from functools import partial

from dsocr import exports
from dsocr.exports.markup.safe_html import to_safe_html
from dsocr.exports.tables.plain_tables import whole_table
from dsocr.exports.text import _TextReader, plain
from tests.exports.documents import document, page

render = partial(exports.render, format="text")


def test_markup_goes_and_words_stay() -> None:
    markdown = "## Title\n\nSome *words* and `code`.\n\n- one\n- two\n\n![](images/0_0.jpg)\n\nEnd"
    assert plain(markdown) == "Title\n\nSome words and code.\n\none\ntwo\n\nEnd"


def test_numbered_items_keep_their_numbers() -> None:
    assert plain("3. three\n4. four\n\nEnd") == "3. three\n4. four\n\nEnd"
    assert plain("- one\n  1. a\n  2. b\n- two") == "one\n1. a\n2. b\ntwo"


def test_nested_lists_have_no_empty_lines() -> None:
    assert plain("- one\n  - nested\n- two\n\nEnd") == "one\nnested\ntwo\n\nEnd"


def test_a_table_becomes_lines_of_cells_parted_by_tabs() -> None:
    table = "<table><tr><td>a &lt; b</td><td>c</td></tr><tr><td>d</td><td>e</td></tr></table>"
    assert plain(table) == "a < b\tc\nd\te"


CELLS = [
    "a",
    " b ",
    "",
    "x\n y",
    "&lt;i&gt; &amp;amp; R&D &copy &nbsp;",
    "*s* _u_ `c` \\(f\\)",
    "| - |",
    "é\u2028",
] + ["&#1;", "\n\n", "\x0b", "\0", "\r\n", "\t#"]
OPENED = ["<td>", "<th>", "<td rowspan=2>", '<td rowspan="2" colspan="3">', "<td colspan=0>"]


def some_table(rng: random.Random) -> str:
    def cell() -> str:
        opened = rng.choice(OPENED)
        return f"{opened}{rng.choice(CELLS)}</{opened[1:3]}>{rng.choice(['', '', ' ', chr(10)])}"

    rows = ["".join(cell() for _ in range(rng.randrange(4))) for _ in range(rng.randrange(4))]
    return f"<table>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def test_a_whole_table_has_the_text_that_the_parser_of_html_finds() -> None:
    rng = random.Random(21)
    tables = [some_table(rng) for _ in range(150)]
    taken = [table for table in tables if whole_table(table) is not None]
    assert 30 < len(taken) < 120
    for table in taken:
        reader = _TextReader()
        reader.feed(to_safe_html(table))
        assert plain(table) == reader.text()
    assert whole_table("<table><tr><td>a</td></tr></table> b") is None


def test_headings_and_formulas_have_the_text_that_the_parsers_find() -> None:
    rng = random.Random(21)
    parts = ["a", " ", "1. ", "- ", '"', ":", "x^2", "\\frac{b}{c}", "\\{", "\u3000", "[", "*", "<"]
    texts = ["".join(rng.choices(parts, k=rng.randrange(6))) for _ in range(100)]
    for text in [*(f"## {text}" for text in texts), *(f"\\[{text}\\]" for text in texts)]:
        reader = _TextReader()
        reader.feed(to_safe_html(text))
        assert plain(text) == reader.text()


def test_cells_that_span_rows_or_columns_leave_the_others_in_their_columns() -> None:
    table = (
        "<table><tr><td rowspan=2>a</td><td colspan=2>b</td><td rowspan=3>c</td></tr>"
        "<tr><td>d</td><td>e</td></tr><tr><td>f</td></tr>"
        f"<tr><td colspan={'9' * 5000}>g</td><td rowspan=x>h</td></tr></table>"
    )
    assert plain(table) == "a\tb\t\tc\n\td\te\nf\ng" + "\t" * 100 + "h"


def test_empty_cells_keep_their_columns() -> None:
    assert plain("| a | b | c |\n| - | - | - |\n|   |   | x |") == "a\tb\tc\n\t\tx"


def test_code_keeps_its_indentation() -> None:
    assert plain("```\n  a\n\n    b\n```") == "  a\n\n    b"


def test_formulas_stay_as_they_are_written() -> None:
    assert plain(r"If \(a_1 < b_2\) then *so*") == r"If \(a_1 < b_2\) then so"
    display = "\\[\na\n= b\n- c_1 * d_2 * e\n\\]"
    assert plain(display) == display


def test_line_breaks_of_the_page_stay() -> None:
    assert plain("first line\nsecond line") == "first line\nsecond line"


def test_pages_are_parted_by_form_feeds() -> None:
    assert render(document(page("a"), page("b", 1))) == b"a\n\x0cb\n"


def test_footnotes_of_one_word_stay_where_they_are() -> None:
    text = "One[^1] and two.\n\n[^1]: Ibid."
    assert render(document(page(text))) == b"One[^1] and two.\n\n[^1]: Ibid.\n"
