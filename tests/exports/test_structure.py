from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dsocr.errors import InvalidField
from dsocr.exports import render
from dsocr.exports.options import RULES, ExportOptions
from dsocr.exports.structure.captions import with_bound_captions
from dsocr.exports.structure.joins import MAX_PAGES
from dsocr.exports.structure.math import with_dollars
from dsocr.exports.structure.parts import Part, markdown_of, parts_of
from dsocr.exports.structure.repair import repaired
from dsocr.exports.structure.tables import with_pipe_tables
from dsocr.exports.structure.unescape import unescaped
from dsocr.types import Document
from tests.exports.documents import RAW, PageImages, document, page
from tests.exports.samples import TABLE, block, first_page, long_document, made, report


def markdown(whole: Document, **options: Any) -> str:
    return render(whole, "markdown", PageImages(), ExportOptions(**options)).decode()


def text_pages(*texts: str) -> Document:
    blocks = [[block("text", part, 0.1, 0.2) for part in text.split("\n\n")] for text in texts]
    return document(*(made(*each, index=index) for index, each in enumerate(blocks)))


@pytest.mark.parametrize("name", RAW)
def test_parts_put_together_are_the_page(name: str) -> None:
    whole = page(RAW[name])
    assert "".join(markdown_of(parts_of(whole)).split()) == "".join(whole.markdown.split())


def test_parts_have_their_kinds_and_boxes() -> None:
    parts = parts_of(first_page())
    kinds = ["heading", "text", "list", "formula", "table", "figure", "caption", "text", "text"]
    assert [part.kind for part in parts] == kinds
    assert [part.boxes[0].y0 for part in parts][:3] == [0.05, 0.1, 0.2]
    assert parts[5].boxes[0].y0 == 0.55


def test_text_that_no_block_has_is_a_part() -> None:
    changed = replace(first_page(), markdown="Typed by hand.\n\n# A Report\n\nAnd after.")
    parts = parts_of(changed)
    assert [part.text for part in parts] == ["Typed by hand.", "# A Report", "And after."]
    assert [bool(part.boxes) for part in parts] == [False, True, False]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "toc"])
def test_a_rule_with_nothing_to_do_changes_nothing(rule: str) -> None:
    whole = document(made(block("title", "# One", 0, 0.1), block("text", "Words.", 0.2, 0.3)))
    assert markdown(whole, **{rule: True}) == markdown(whole)


def test_math_is_written_between_dollars() -> None:
    text = r"It costs $5: \(x_1\)." + "\n\n" + r"\[a + b\]" + "\n\n`$HOME`"
    assert with_dollars(text) == r"It costs \$5: $x_1$." + "\n\n$$a + b$$\n\n`$HOME`"
    assert "$$a = " in markdown(report(), math="dollars")
    assert "\\[a = " in markdown(report())


def test_html_tables_become_tables_of_markdown() -> None:
    assert with_pipe_tables(f"Before\n\n{TABLE}\n\nAfter") == (
        "Before\n\n| Year | Sales |  |\n| --- | --- | --- |\n| 2023 | 1,5 | a \\| b |\n\nAfter"
    )


def test_double_escapes_are_undone_outside_code_and_formulas() -> None:
    text = r"2 \\* 3 &amp;amp; 4 &amp;lt; 5 `\\*` \(a \\ b\)"
    assert unescaped(text) == r"2 \* 3 &amp; 4 &lt; 5 `\\*` \(a \\ b\)"
    assert unescaped("R&amp;D") == "R&amp;D"


def test_divided_words_and_lines_of_a_paragraph_are_joined() -> None:
    text = (
        "A paragraph of lines that are as long as the printed col-\numn is wide, in which the words"
        " of it run on\nand on until the\nend."
    )
    (part,) = repaired([Part("text", text)])
    assert part.text == (
        "A paragraph of lines that are as long as the printed column is wide, in which the words"
        " of it run on and on until the\nend."
    )
    address = Part("text", "Main Street 1\n12345 Town\nCountry")
    assert repaired([address]) == [address]


def test_broken_items_of_a_list_are_put_together() -> None:
    (part,) = repaired([Part("list", "• first item that\ngoes on\n• second\n1.\nthird")])
    assert part.text == "- first item that goes on\n- second\n1. third"


def test_a_caption_is_put_beside_its_figure_and_named_in_the_link() -> None:
    figure = Part("figure", "![](images/0_0.jpg)")
    caption = Part("text", "Figure 2: A [b].")
    between = Part("text", "Words.")
    bound = with_bound_captions([caption, between, figure])
    assert [part.text for part in bound] == [
        "Words.",
        "![Figure 2: A b .](images/0_0.jpg)",
        "Figure 2: A [b].",
    ]
    table, words = Part("table", TABLE), Part("text", "Table 1: Sales")
    assert [part.kind for part in with_bound_captions([table, words])] == ["caption", "table"]


def test_levels_of_headings_follow_their_numbers() -> None:
    titles = ["# The Book", "## 1 Start", "## 1.1 Detail", "## 1.1.1 More", "## 2 End", "## Notes"]
    whole = document(made(*(block("title", each, 0.1, 0.12) for each in titles)))
    assert markdown(whole, headings=True).split("\n\n") == [
        "# The Book",
        "## 1 Start",
        "### 1.1 Detail",
        "#### 1.1.1 More",
        "## 2 End",
        "## Notes\n",
    ]


def test_levels_of_headings_follow_their_height_where_there_are_no_numbers() -> None:
    heights = {"# Big": 0.1, "# Small": 0.04, "# Big again": 0.098}
    blocks = [block("title", title, 0.1, 0.1 + height) for title, height in heights.items()]
    assert markdown(document(made(*blocks)), headings=True) == (
        "# Big\n\n## Small\n\n# Big again\n"
    )


def test_a_table_of_contents_links_to_headings_or_pages() -> None:
    whole = long_document(3)
    assert markdown(whole, toc=True).startswith(
        "- [0.1 Part 0](#01-part-0)\n- [1.1 Part 1](#11-part-1)\n- [2.1 Part 2](#21-part-2)\n\n## 0"
    )
    html = render(whole, "html", None, ExportOptions(toc=True)).decode()
    assert '<a href="#page-2">1.1 Part 1</a>' in html


def test_a_running_head_is_no_entry_of_the_table_of_contents() -> None:
    pages = [
        made(
            block("header", "# The Islands", 0.02, 0.04),
            block("text", f"Words {n}.", 0.2, 0.3),
            index=n,
        )
        for n in range(3)
    ]
    assert "Islands" not in markdown(document(*pages), toc=True)


def test_a_paragraph_over_a_page_end_is_joined_and_the_place_is_marked() -> None:
    whole = text_pages("A sentence that goes", "on here.\n\nNext.", "A new one.")
    assert markdown(whole, join=True, breaks="none") == (
        "A sentence that goes <!-- page 2 -->on here.\n\nNext.\n\nA new one.\n"
    )
    assert "goes on here." in render(whole, "text", None, ExportOptions(join=True)).decode()
    assert "<!--" not in render(whole, "html", None, ExportOptions(join=True)).decode()


def test_a_divided_word_and_chinese_are_joined_without_a_blank() -> None:
    assert "exam<!-- page 2 -->ple" in markdown(text_pages("An exam-", "ple."), join=True)
    assert "文档<!-- page 2 -->识别" in markdown(text_pages("文档", "识别。"), join=True)


def test_finished_sentences_and_headings_are_not_joined() -> None:
    for texts in (("A sentence.", "and this"), ("A name", "Another"), ("words", "# Heading")):
        assert "<!--" not in markdown(text_pages(*texts), join=True)


def test_a_table_over_a_page_end_is_joined_without_its_repeated_header() -> None:
    one = document(*(made(block("table", TABLE, 0.1, 0.9), index=n) for n in range(2)))
    text = markdown(one, join=True)
    assert text.count("<table>") == 1 and text.count("Year") == 1 and text.count("2023") == 2
    assert "<!-- page 2 -->" in text
    pipes = markdown(one, join=True, tables="markdown")
    assert pipes.count("| --- | --- |") == 1 and "\n| <!-- page 2 --> " in pipes


def test_a_paragraph_over_all_pages_does_not_hold_them_all() -> None:
    whole = text_pages(*["words without an end"] * (2 * MAX_PAGES + 1))
    text = markdown(whole, join=True, breaks="none")
    assert text.count("words without an end") == 2 * MAX_PAGES + 1
    assert text.count("<!-- page") == 2 * MAX_PAGES - 2


def test_front_matter_breaks_and_embedded_figures_of_markdown() -> None:
    text = markdown(report(), frontmatter=True, breaks="comment", figures="embedded")
    assert text.startswith('---\ntitle: "a <report>.pdf"\npages: 3\n')
    assert "\n\n<!-- page 2 -->\n\n" in text
    assert text.count("](data:image/jpeg;base64,") == 2 and "](images/" not in text


@pytest.mark.parametrize(
    ("name", "value"), [("math", "x"), ("tables", "csv"), ("breaks", ""), ("chunk_size", 5)]
)
def test_a_value_that_an_option_does_not_have_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidField, match=name):
        ExportOptions(**{name: value})
