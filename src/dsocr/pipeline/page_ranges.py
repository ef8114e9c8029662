"""Parses page ranges such as "1-3,7" to page indices."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dsocr.errors import InvalidPages


def parse_page_ranges(text: str) -> list[tuple[int, int | None]]:
    """First and last page, from 1, of each range in "1-3,7"; last is None in "5-".

    Raises `InvalidPages` if the text is no such list.
    """
    ranges: list[tuple[int, int | None]] = []
    for part in text.split(","):
        # 30 digits: a page number beyond any document gets its own message; the length is bounded.
        match = re.fullmatch(r"\s*([0-9]{1,30})\s*(?:(-)\s*([0-9]{1,30})?)?\s*", part)
        if match is None:
            raise InvalidPages(
                f"pages: {part.strip()[:40]!r} is neither a page nor a range like 1-3"
            )
        first = int(match[1])
        last = int(match[3]) if match[3] else None if match[2] else first
        if first < 1:
            raise InvalidPages("pages: the first page is 1")
        if last is not None and last < first:
            raise InvalidPages(f"pages: {first}-{last} runs backwards; write {last}-{first}")
        ranges.append((first, last))
    return ranges


def page_indices(text: str, num_pages: int) -> list[int]:
    """Indices from 0 of the pages in "1-3,7" or "5-", in that order, each once.

    Raises `InvalidPages` if the text is no such list or names pages the document does not have.
    """
    indices: dict[int, None] = {}
    for first, last in parse_page_ranges(text):
        last = num_pages if last is None else last
        if max(first, last) > num_pages:
            missing = first if first > num_pages else last
            raise InvalidPages(f"pages: there is no page {missing}; the document has {num_pages}")
        indices.update(dict.fromkeys(range(first - 1, last)))
    return list(indices)


def selected_pages(ranges: str | None, num_pages: int) -> Sequence[int]:
    """`page_indices` of the ranges; all pages without any."""
    return page_indices(ranges, num_pages) if ranges else range(num_pages)
