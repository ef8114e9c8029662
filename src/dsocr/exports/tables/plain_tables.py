"""The tables of HTML that has no other tags than those of a plain table: most that models write.

Their tokens need no parser of HTML, which takes three times as long.
"""

from __future__ import annotations

import re
from html import unescape

from dsocr.exports.tables.grid_builder import Attributes, Grid, GridBuilder

_SPANS = r"((?:\s+(?:row|col)span=(?:\d{1,9}|\"\d{1,9}\"|'\d{1,9}'))*)"
_TOKEN = re.compile(
    rf"<(t[dh]){_SPANS}>([^<]*)</\1>"
    rf"|([^<]+)|<(table|tr|t[dh]|thead|tbody|tfoot|caption){_SPANS}>"
    r"|</(table|tr|t[dh]|thead|tbody|tfoot|caption)>|<br\s?/?>"
)
"""A cell, its spans and its text; a text, a start tag and its spans, an end tag, or the end of a
line."""
_WHOLE = re.compile(
    r"<table>(?:\s*<tr>(?:\s*<t([dh])(?:\s+rowspan=\"?\d{1,9}\"?)?(?:\s+colspan=\"?\d{1,9}\"?)?>"
    r"[^<\x00-\x08\x0b-\x1f\ud800-\udfff]*</t\1>)*\s*</tr>)*\s*</table>\s*"
)
_NOT_PLAIN = re.compile(r"&#|\n\s*\n")
"""A numeric reference, which may be invalid, or an empty line, which ends HTML in markdown."""
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
        cell, cell_spans, cell_text, text, tag, spans, end = token.groups()
        if cell:
            if builder is not None:
                builder.cell(unescape(cell_text), _attributes(cell_spans), is_header=cell == "th")
        elif tag == "table" or end == "table":
            if (builder is None) != (tag == "table"):
                return None
            if builder is not None:
                grids.append(builder.grid())
            builder = GridBuilder() if tag else None
        elif builder is not None:
            _add(builder, text, tag, spans, end)
    return grids if at == len(html) and builder is None else None


def whole_table(markdown: str) -> Grid | None:
    """The grid of a markdown text that is one table in HTML and nothing else, and that a parser of
    markdown and HTML leaves as it is; None for any other text."""
    if not _WHOLE.fullmatch(markdown) or _NOT_PLAIN.search(markdown):
        return None
    found = plain_grids(markdown)
    return found[0] if found else None


def _attributes(spans: str | None) -> Attributes:
    return list(_SPAN.findall(spans)) if spans else []


def _add(
    builder: GridBuilder, text: str | None, tag: str | None, spans: str | None, end: str | None
) -> None:
    if text:
        builder.data(unescape(text))
    elif tag:
        builder.start_tag(tag, _attributes(spans))
    elif end:
        builder.end_tag(end)
    else:
        builder.data("\n")
