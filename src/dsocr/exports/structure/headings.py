"""Levels of headings, consistent over a document: by their numbers (1, 1.1), else by the height of
their print, else as the engine has them. And the table of contents that they make."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from dsocr.exports.structure.parts import HEADING, Part, parts_of
from dsocr.exports.text import plain
from dsocr.types import PageResult

MAX_LEVEL = 6
_ALIKE = 0.85
"""Ratio of two heights of print of one level, at least."""
_LINE_CHARACTERS = 60
"""Of a heading: a longer one has several lines."""
_NUMBERED = re.compile(
    r"(?P<digits>\d{1,2}(?:\.\d{1,2}){0,4})[.)]?[\s:、]+(?=[^\W\d_])"
    r"|(?P<digits2>[A-Z](?:\.\d{1,2}){1,3})[.)]?\s+\S"
    r"|(?P<first>[IVX]{1,5}\.\s+\S|(?:chapter|part|kapitel|teil|chapitre|capítulo|глава)\s+[\dIVX]"
    r"|第[一二三四五六七八九十百\d]+[章编部]|[一二三四五六七八九十]{1,3}、)"
    r"|(?P<second>第[一二三四五六七八九十百\d]+节|[（(][一二三四五六七八九十]{1,3}[）)])",
    re.I,
)


@dataclass(slots=True)
class Heading:
    """A heading of the document. `size`: the height of its print as a fraction of the page."""

    page: int
    block: int | None
    title: str
    level: int
    depth: int
    """Of its number, from 1; 0 for one without a number."""
    size: float | None
    page_number: int


class Outline:
    """The headings of a document, gathered in one pass over its pages."""

    def __init__(self) -> None:
        self._headings: list[Heading] = []
        self._levels: dict[int, list[int]] = {}

    def watched(self, pages: Iterable[PageResult]) -> Iterator[PageResult]:
        """The same pages; their headings are noted on the way."""
        for number, page in enumerate(pages):
            if "#" in page.markdown and not page.error:
                self._headings += _headings(page, number)
            yield page

    def finish(self, heads: Sequence[frozenset[int]], *, consistent: bool) -> None:
        """Decides the levels, or leaves them. `heads`: for each page the blocks that are running
        heads."""
        self._headings = [
            each
            for each in self._headings
            if each.block is None or each.block not in heads[each.page]
        ]
        if not consistent:
            return
        levels: defaultdict[int, list[int]] = defaultdict(list)
        for heading, level in zip(self._headings, _levels(self._headings), strict=True):
            heading.level = level
            levels[heading.page].append(level)
        self._levels = dict(levels)

    def levelled(self, parts: list[Part], page: int) -> list[Part]:
        """The parts of page `page`, counted from 0, with the levels of their headings."""
        levels = iter(self._levels.get(page, ()))
        return [
            _at_level(part, next(levels, part.level)) if part.kind == "heading" else part
            for part in parts
        ]

    def contents(self, *, to_pages: bool) -> str:
        """A list of the headings, which links to their pages or to themselves."""
        top = min((each.level for each in self._headings), default=1)
        anchors: Counter[str] = Counter()
        lines = []
        for each in self._headings:
            anchor = f"page-{each.page_number}" if to_pages else _anchor(each.title, anchors)
            title = re.sub(r"([\[\]\\*_`<>])", r"\\\1", each.title)
            lines.append(f"{'  ' * (each.level - top)}- [{title}](#{anchor})")
        return "\n".join(lines)


def _headings(page: PageResult, number: int) -> Iterator[Heading]:
    for part in parts_of(page):
        if part.kind == "heading":
            title = " ".join(plain(part.text.lstrip().split("\n", 1)[0]).split())
            size = part.boxes[0].y1 - part.boxes[0].y0 if part.boxes else None
            if size is not None and len(title) > _LINE_CHARACTERS:
                size /= -(-len(title) // _LINE_CHARACTERS)
            depth = _depth(title)
            yield Heading(number, part.block, title, part.level, depth, size, page.index + 1)


def _depth(title: str) -> int:
    found = _NUMBERED.match(title)
    if not found:
        return 0
    if number := found["digits"] or found["digits2"]:
        return number.count(".") + 1
    return 1 if found["first"] else 2


def _levels(headings: Sequence[Heading]) -> Iterator[int]:
    """Never more than one deeper than the heading above."""
    chosen = _by_number(headings) if any(each.depth for each in headings) else _by_size(headings)
    above: list[int] = []
    for level in chosen:
        while above and above[-1] >= level:
            above.pop()
        above.append(level)
        yield min(len(above), MAX_LEVEL)


def _by_number(headings: Sequence[Heading]) -> list[int]:
    """A heading without a number has the level of the numbered ones that are printed as high, else
    of those that the engine puts at its level."""
    base = 0 if headings[0].depth else 1
    numbered = [each for each in headings if each.depth]
    sizes: dict[int, list[float]] = defaultdict(list)
    for each in numbered:
        if each.size is not None:
            sizes[each.depth].append(each.size)
    heights = {depth: fmean(found) for depth, found in sizes.items()}
    votes: dict[int, Counter[int]] = defaultdict(Counter)
    for each in numbered:
        votes[each.level][each.depth] += 1
    found = [each.depth or _depth_like(each, heights, votes) for each in headings]
    return [1 if base and not place else base + depth for place, depth in enumerate(found)]


def _depth_like(heading: Heading, heights: dict[int, float], votes: dict[int, Counter[int]]) -> int:
    if heading.size is not None and heights:
        size = heading.size
        best = min(heights, key=lambda depth: abs(heights[depth] - size))
        if min(heights[best], size) >= _ALIKE * max(heights[best], size):
            return best
    if heading.level in votes:
        return votes[heading.level].most_common(1)[0][0]
    return 1


def _by_size(headings: Sequence[Heading]) -> list[int]:
    """By the height of print where the engine puts all at one level; else as the engine does."""
    sizes = [each.size for each in headings if each.size is not None]
    if len(sizes) < len(headings) or len({each.level for each in headings}) > 1 or not sizes:
        return [each.level for each in headings]
    groups: list[float] = []
    for size in sorted(sizes, reverse=True):
        if not groups or size < _ALIKE * groups[-1]:
            groups.append(size)
    return [1 + sum(size < _ALIKE * group for group in groups[: MAX_LEVEL - 1]) for size in sizes]


def _at_level(part: Part, level: int) -> Part:
    text = HEADING.sub("#" * level + " ", part.text.lstrip(), count=1)
    return replace(part, text=text)


def _anchor(title: str, used: Counter[str]) -> str:
    """As the viewers of markdown name a heading."""
    name = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    used[name] += 1
    return name if used[name] == 1 else f"{name}-{used[name] - 1}"
