"""The tables of HTML that has no other tags than those of a plain table: most that models write.

Their tokens need no parser of HTML, which takes three times as long.
"""

from __future__ import annotations

import re
from html import unescape

from dsocr.exports.tables.grid_builder import Attributes, Grid, GridBuilder

_TOKEN = re.compile(
    r"([^<]+)|<(table|tr|t[dh]|thead|tbody|tfoot|caption)"
    r"((?:\s+(?:row|col)span=(?:\d{1,9}|\"\d{1,9}\"|'\d{1,9}'))*)>"
    r"|</(table|tr|t[dh]|thead|tbody|tfoot|caption)>|<br\s?/?>"
)
"""A text, a start tag and its spans, an end tag, or the end of a line."""
_SPAN = re.compile(r"(rowspan|colspan)=[\"']?(\d+)")


def plain_grids(html: str) -> list[Grid] | None:
    """The tables in order; None if there is anything else in the HTML."""
    grids: list[Grid] = []
    builder: GridBuilder | None = None
    at = 0
    for token in _TOKEN.finditer(html):
        if token.start() != at:
            return None
        at = token.end()
        text, tag, spans, end = token.groups()
        if tag == "table" or end == "table":
            if (builder is None) != (tag == "table"):
                return None
            if builder is not None:
                grids.append(builder.grid())
            builder = GridBuilder() if tag else None
        elif builder is not None:
            _add(builder, text, tag, spans, end)
    return grids if at == len(html) and builder is None else None


def _add(
    builder: GridBuilder, text: str | None, tag: str | None, spans: str | None, end: str | None
) -> None:
    if text:
        builder.data(unescape(text))
    elif tag:
        attributes: Attributes = list(_SPAN.findall(spans)) if spans else []
        builder.start_tag(tag, attributes)
    elif end:
        builder.end_tag(end)
    else:
        builder.data("\n")
