"""Reads the HTML that `to_safe_html` writes.

A serializer has written it: every tag is closed by `>`, every value is in double quotes, and every
`<` of a text is escaped. Python's parser, which takes any HTML, needs three times as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

Attributes = list[tuple[str, str | None]]

_TOKEN = re.compile(r"([^<]+)|<([a-z0-9]+)((?: [a-z]+=\"[^\"]*\")*)>|</([a-z0-9]+)>")
"""A text, a start tag and its attributes, or an end tag."""
_ATTRIBUTE = re.compile(r" ([a-z]+)=\"([^\"]*)\"")


class SafeHtmlReader:
    """Calls a method for every tag and every text, as `html.parser.HTMLParser` does."""

    def feed(self, safe_html: str) -> None:
        """The whole fragment."""
        for token in _TOKEN.finditer(safe_html):
            text, start, attributes, end = token.groups()
            if text:
                self.handle_data(unescape(text))
            elif start:
                self.handle_starttag(start, list(_attributes(attributes)) if attributes else [])
            else:
                self.handle_endtag(end)

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        """An element without content, such as `br`, has no end tag."""

    def handle_endtag(self, tag: str) -> None: ...

    def handle_data(self, data: str) -> None: ...


def _attributes(written: str) -> Iterator[tuple[str, str | None]]:
    for name, value in _ATTRIBUTE.findall(written):
        yield name, unescape(value)
