from __future__ import annotations

import pytest

from dsocr.engines.ppocr.reading_order.escape import escape_markdown, unescape_markdown
from dsocr.exports.text import plain

PRINTED = [
    "# 12 Mill Lane",
    "- 5 degrees at dawn",
    "2 * RM 33.02 (3.96)",
    "***Thank You***",
    "*Goods sold are not refundable*",
    "see __init__ and _main_ of snake_case",
    "a <b>bold</b> claim & <script>",
    "R&D, &lt; and &amp;",
    "> 18 years",
    "cost [net](gross) a\\*b C:\\new",
    "`ls` and `rm`",
    "~~old~~ price $5 or $6",
    "-----",
    "======",
    "a | b | c",
    "<|ref|>text<|/ref|>",
]


@pytest.mark.parametrize("text", PRINTED)
def test_rendered_markdown_shows_what_is_printed(text: str) -> None:
    assert plain(escape_markdown(text)) == text


@pytest.mark.parametrize("text", PRINTED)
def test_unescaping_gives_the_text_back(text: str) -> None:
    assert unescape_markdown(escape_markdown(text)) == text


def test_ordinary_text_gets_no_escapes() -> None:
    text = "2 * 3 = 6, 1. first_name, A & B < C (50 %) #7 $5 - done!"

    assert escape_markdown(text) == text
