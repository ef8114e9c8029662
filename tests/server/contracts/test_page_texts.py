"""The pieces of a streamed document add up to its text, in whatever order its pages finish."""

from __future__ import annotations

import random

import pytest

from dsocr.exports import render
from dsocr.server.contracts.page_texts import PageTexts
from dsocr.types import Block, Box, Document, PageFailure, PageResult
from tests.fakes import OPTIONS


def page(index: int) -> PageResult:
    """A page with a running head, text, and its number; every fifth one failed."""
    if index % 5 == 3:
        return PageResult(index, 0, 0, error=PageFailure("timeout", "Too slow."))
    blocks = (
        Block("header", "The annual report", (Box(0.1, 0.01, 0.9, 0.04),)),
        Block("text", f"Words of page {index}.", (Box(0.1, 0.3, 0.9, 0.5),)),
        Block("page_number", str(index + 1), (Box(0.5, 0.95, 0.55, 0.98),)),
    )
    markdown = "\n\n".join(block.text for block in blocks)
    return PageResult(index, 600, 800, markdown, blocks, raw=f"raw {index}")


@pytest.mark.parametrize("num_pages", [1, 2, 5, 23])
def test_pieces_add_up_to_the_markdown_export(num_pages: int) -> None:
    pages = [page(index) for index in range(num_pages)]
    order = list(range(num_pages))
    random.Random(num_pages).shuffle(order)
    pieces: list[str] = []
    texts = PageTexts(pieces.append)
    for place in order:
        texts.add(place, pages[place], num_pages)
    whole = render(Document("a", "e", "m", OPTIONS, pages), "markdown").decode()
    assert "".join(pieces) + "\n" == whole


def test_page_is_passed_on_before_the_last_one_is_known() -> None:
    pieces: list[str] = []
    texts = PageTexts(pieces.append)
    for place in range(10):
        texts.add(place, page(place), 100)
    assert len(pieces) == 6


def test_files_and_pages_of_raw_output_are_separated() -> None:
    pieces: list[str] = []
    texts = PageTexts(pieces.append, raw=True)
    texts.add(0, page(0), 1)
    texts.next_document()
    texts.add(0, page(1), 1)
    assert "".join(pieces) == "raw 0\n<--- Page Split --->\nraw 1"
