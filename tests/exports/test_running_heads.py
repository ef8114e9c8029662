from __future__ import annotations

from dataclasses import replace

import pytest

from dsocr.exports import render
from dsocr.exports.options import ExportOptions
from dsocr.exports.running_heads import running_heads, without_blocks
from dsocr.types import Block, Box, PageResult
from tests.exports.documents import document

TOP, FOOT = Box(0.1, 0.03, 0.5, 0.05), Box(0.48, 0.95, 0.52, 0.97)
BODY = Block("text", "The ferry leaves when it is full.", (Box(0.1, 0.2, 0.9, 0.4),))


def page(index: int, *around: Block) -> PageResult:
    blocks = (*around, BODY)
    return PageResult(index, 1000, 1400, "\n\n".join(block.text for block in blocks), blocks)


def heads(*texts: str, label: str = "header", box: Box = TOP) -> list[int]:
    """How many blocks are left out of each page, which has one text each."""
    pages = [page(index, Block(label, text, (box,))) for index, text in enumerate(texts)]
    return [len(places) for places in running_heads(pages)]


@pytest.mark.parametrize("label", ["header", "text"])
def test_what_repeats_at_one_place_is_a_running_head(label: str) -> None:
    assert heads("The Islands", "The Islands", "The Islands", label=label) == [1, 1, 1]


def test_what_stands_once_is_content() -> None:
    assert heads("Our reference: HM/2024/117") == [0]
    assert heads("Our reference: HM/2024/117", "The Islands", "The Islands") == [0, 1, 1]


def test_text_that_repeats_elsewhere_on_the_page_is_content() -> None:
    inside = Box(0.1, 0.5, 0.5, 0.52)
    assert heads("Delivery note", "Delivery note", label="text", box=inside) == [0, 0]
    assert heads("Results", "Results", label="sub_title") == [0, 0]


def test_page_numbers_may_differ() -> None:
    assert heads("Page 14 of 96", "Page 15 of 96", box=FOOT) == [1, 1]
    assert heads("- 9 -", "- 10 -", "- 17 -", label="page_number", box=FOOT) == [1, 1, 1]
    assert heads("iv", "v", label="text", box=FOOT) == [1, 1]
    assert heads("12 THE ISLANDS", "THE PIER 13", "14 THE ISLANDS", "THE PIER 15") == [1] * 4


def test_numbers_that_name_something_are_content() -> None:
    assert heads("Invoice No. 2024-118", "Invoice No. 2024-119") == [0, 0]
    assert heads("Invoice 118", "Invoice 131") == [0, 0]
    assert heads("Total 1,250.00", "Total 1,380.00", label="text", box=FOOT) == [0, 0]


def test_heads_of_facing_pages_are_mirrored() -> None:
    left, right = Box(0.1, 0.03, 0.3, 0.05), Box(0.7, 0.03, 0.9, 0.05)
    pages = [
        page(0, Block("header", "Islands", (left,))),
        page(1, Block("header", "Islands", (right,))),
    ]
    assert [len(places) for places in running_heads(pages)] == [1, 1]


def test_a_misread_letter_makes_no_other_head() -> None:
    assert heads("The Islands of the North", "The lslands of the North") == [1, 1]


def test_heads_of_two_files_are_not_compared() -> None:
    pages = [page(index, Block("header", "Harbour Office", (TOP,))) for index in range(2)]
    assert running_heads(pages, ("a.png", "b.png")) == [frozenset(), frozenset()]


def test_blocks_keep_what_the_text_leaves_out() -> None:
    whole = page(0, Block("header", r"Islands \*new\*", (TOP,)))
    left = without_blocks(whole, frozenset({0}))
    assert left.markdown == BODY.text
    assert left.blocks == whole.blocks


def test_plain_text_of_a_head_is_left_out_too() -> None:
    whole = replace(
        page(0, Block("header", r"Islands \*new\*", (TOP,))),
        markdown=f"Islands *new*\n\n{BODY.text}",
    )
    assert without_blocks(whole, frozenset({0})).markdown == BODY.text


def test_a_word_of_the_text_is_not_taken_for_its_footer() -> None:
    whole = PageResult(
        0,
        10,
        10,
        "12\n\nEnd\n\n12",
        (Block("text", "12", (BODY.boxes)), Block("text", "12", (FOOT,))),
    )
    assert without_blocks(whole, frozenset({1})).markdown == "12\n\nEnd"


@pytest.mark.parametrize("format", ["markdown", "text", "html"])
def test_exports_leave_running_heads_out_unless_they_are_kept(format: str) -> None:
    whole = document(*(page(index, Block("header", "The Islands", (TOP,))) for index in range(3)))
    assert b"The Islands" not in render(whole, format)
    assert render(whole, format, options=ExportOptions(headers="keep")).count(b"The Islands") == 3


def test_json_has_running_heads_as_blocks_only() -> None:
    whole = document(*(page(index, Block("header", "The Islands", (TOP,))) for index in range(2)))
    assert render(whole, "json").count(b"The Islands") == 2
    assert render(whole, "json", options=ExportOptions(headers="keep")).count(b"The Islands") == 6
