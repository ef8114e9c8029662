from __future__ import annotations

from functools import partial

from dsocr import exports
from dsocr.exports.markdown import PAGE_BREAK, join_pages
from tests.exports.documents import RAW, document, failed_page, page

render = partial(exports.render, format="markdown")


def test_pages_are_parted_by_rules_and_an_empty_page_keeps_its_place() -> None:
    assert join_pages(["a", "", "c"]) == f"a{PAGE_BREAK}{PAGE_BREAK}c"
    assert join_pages(["alone"]) == "alone"


def test_a_failed_page_says_why_in_its_place() -> None:
    whole = document(page("first"), failed_page(1), page("third", 2))
    first, second, third = render(whole).decode().split(PAGE_BREAK)
    assert (first, third) == ("first", "third\n")
    assert second == "*Page 2 could not be read: Reading the page took too &lt;long&gt;.*"


def test_figures_of_different_pages_have_different_names() -> None:
    raw = RAW["paper_page1"]
    text = render(document(page(raw, 0), page(raw, 1))).decode()
    assert text.count("![](images/0_0.jpg)") == text.count("![](images/1_0.jpg)") == 1
