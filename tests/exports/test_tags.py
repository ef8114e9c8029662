from __future__ import annotations

import random
from html.parser import HTMLParser
from typing import Any

from dsocr.exports.markup.safe_html import MAX_PAGE, to_safe_html
from dsocr.exports.markup.tags import SafeHtmlReader

PARTS = (
    [
        "<table>",
        "<tr>",
        "<td rowspan=2>",
        "</table>",
        "<br>",
        "a &amp; <b>",
        "&#1;",
        "&nbsp;",
        "\n\n",
    ]
    + ["- item", "1. x", "\\[a<b\\]", "**b**", "`c`", "![x>](y 'q\"')", "[l](http://a?b=1&c=2)"]
    + [
        "<img alt='a>b' src=x>",
        "<ol start=4><li>x",
        "<a title='q\"<>' href='/x'>t</a>",
        "<!-- c -->",
    ]
    + [
        "<p lang=de>",
        "<script>x</script>",
        "<math><mi>x",
        "<svg>",
        "\0",
        "\r\n",
        "# h\n",
        "<plaintext>",
    ]
)


def events(kind: type[Any], html: str) -> list[tuple[Any, ...]]:
    """The calls that a class of parsers makes."""
    found: list[tuple[Any, ...]] = []

    class Recorder(kind):  # type: ignore[misc]
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            found.append(("start", tag, attrs))

        def handle_endtag(self, tag: str) -> None:
            found.append(("end", tag))

        def handle_data(self, data: str) -> None:
            found.append(("text", data))

    parser = Recorder()
    parser.feed(html)
    if kind is HTMLParser:
        parser.close()
    return found


def test_safe_html_is_read_as_by_the_parser_of_any_html() -> None:
    rng = random.Random(21)
    for _ in range(60):
        html = to_safe_html("".join(rng.choices(PARTS, k=12)))
        assert events(SafeHtmlReader, html) == events(HTMLParser, html)


def test_a_page_that_is_too_long_for_markdown_is_read_as_it_is_written() -> None:
    text = 'a < "b" & c ' * (MAX_PAGE // 10)
    html = to_safe_html(text)
    found = events(SafeHtmlReader, html)
    assert found == [("start", "pre", []), ("text", text), ("end", "pre")]
