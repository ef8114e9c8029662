"""Joins paragraphs and tables that run over a page's end; a comment marks where the page ends."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from dsocr.exports.structure.parts import Part
from dsocr.exports.structure.repair import blank_between
from dsocr.exports.tables.grid import Grid, parse_grids
from dsocr.types import PageResult

PageParts = tuple[PageResult, list[Part]]

MAX_PAGES = 16
"""That one paragraph or table may run over: so many pages are held at once."""
_LAST_ROW = re.compile(r"(?:</tbody\s*>\s*)?</table\s*>\s*\Z", re.I)
_ROW = re.compile(r"<tr\b.*?</tr\s*>", re.S | re.I)
_DIVIDED = re.compile(r"(?<=[^\W\d_])[-\u2010\u00ad]$")
_SKIPPED = ("edge", "footnote")


def joined(pages: Iterable[PageParts]) -> Iterator[PageParts]:
    """The pages in order, each once nothing more can be joined to it. What is joined stands on the
    page where it begins."""
    held: deque[PageParts] = deque()
    for page, parts in pages:
        if held and len(held) < MAX_PAGES and _join(held[0][1], parts, page.index + 1):
            if any(part.kind not in _SKIPPED for part in parts):
                yield from _released(held)
            held.append((page, parts))
            continue
        yield from _released(held)
        held.append((page, parts))
    yield from held


def _released(held: deque[PageParts]) -> Iterator[PageParts]:
    while held:
        yield held.popleft()


def _join(before: list[Part], after: list[Part], page: int) -> bool:
    """Moves the first part of `after` to the end of the last of `before` if it goes on there."""
    last = next((i for i in reversed(range(len(before))) if before[i].kind not in _SKIPPED), None)
    first = next((i for i in range(len(after)) if after[i].kind not in _SKIPPED), None)
    if last is None or first is None:
        return False
    text = _joined_text(before[last], after[first], f"<!-- page {page} -->")
    if text is None:
        return False
    before[last] = replace(before[last], text=text)
    del after[first]
    return True


def _joined_text(one: Part, other: Part, mark: str) -> str | None:
    if one.kind == other.kind == "table":
        return _joined_table(one.text, other.text, mark)
    if one.kind in ("text", "list") and other.kind == "text":
        return _joined_paragraph(one.text.rstrip(), other.text.lstrip(), mark)
    return None


def _joined_paragraph(one: str, other: str, mark: str) -> str | None:
    if not one or not other:
        return None
    if _DIVIDED.search(one) and other[0].islower():
        return f"{one[:-1]}{mark}{other}"
    end, start = one[-1], other[0]
    # A script without capitals: a sentence that does not end goes on.
    has_no_case = start.isalpha() and not start.islower() and not start.isupper()
    goes_on = start.islower() or has_no_case or end == ","
    if goes_on and (end.isalnum() or end in ",-–—、，"):
        return f"{one}{blank_between(one, other)}{mark}{other}"
    return None


def _joined_table(one: str, other: str, mark: str) -> str | None:
    """The rows of the second at the end of the first, without a header row that repeats."""
    first, second = parse_grids(one), parse_grids(other)
    if len(first) != 1 or len(second) != 1 or first[0].num_columns != second[0].num_columns:
        return None
    rows = _ROW.findall(other)
    if _top(first[0]) == _top(second[0]):
        rows = rows[1:]
    elif any(cell.is_header for cell in second[0].cells):
        return None
    if not rows or not _LAST_ROW.search(one):
        return None
    end = "</tbody></table>" if "<tbody" in one.lower() else "</table>"
    return _LAST_ROW.sub("", one) + f"\n{mark}\n" + "\n".join(rows) + end


def _top(grid: Grid) -> list[str]:
    return [cell.text for cell in grid.cells if cell.row == 0]
