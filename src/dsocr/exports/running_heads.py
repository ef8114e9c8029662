"""Tells running heads, footers and page numbers from content, over all pages of a document.

What stands once is content, whatever its label. What repeats at the same place on a page nearby is
left out of a document's text; the pages' blocks always keep it.
"""

from __future__ import annotations

import html
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import chain, repeat
from typing import overload

from dsocr.types import Block, Box, Document, Headers, PageResult

LABELS = ("header", "footer", "page_number")
"""Labels of blocks that repeat on other pages, if they do."""

NEAR_PAGES = 4
"""Left and right pages may have other heads, and the first of a chapter none."""
_EDGE = 0.1  # of the page: a block with another label counts inside it
_MAX_CHARACTERS = 200
_PLACE = 0.03  # of the page: a scan is not placed exactly
_ALIKE = 0.85  # of the letters: recognition makes mistakes
_MIN_LETTERS = 8  # fewer must be equal
_NUMBER = re.compile(r"\d+")
_ROMAN = re.compile(r"\W*([ivxlc]{1,8})\W*", re.I)
_ROMAN_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_MAX_PAGE_DIGITS = 4
_PAGE_WORDS = {"", "page", "pageof", "p", "pof", "seite", "seitevon", "svon", "of", "von", "folio"}
_PAGE_WORDS |= {"pagesur", "sur", "página", "páginade", "pagina", "paginadi", "第页", "第頁"}
_REFERENCE = re.compile(
    r"(?:[\w.,/-]|\b(?:no|nr|num|number|nummer|ref|id|invoice|bill|order|case|rechnung)\W*|[#№°]\s*)$",
    re.I,
)
"""Before a number that names something: it is not the page's, though it may grow by one a page."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A block that may be a running head. Boxes are fractions of the page."""

    document_page: int
    """Its page's index."""
    number: int
    """Its place among the candidates' pages, and `block` its place on the page."""
    block: int
    box: Box
    text: str
    letters: str
    """Casefolded, without digits, blanks and signs."""
    numbers: tuple[int, ...]


def without_running_heads(document: Document, headers: Headers = "omit") -> Document:
    """The document with the running heads left out of its pages' markdown, unless `headers` is
    `keep`. Goes through the pages once, and holds none of them."""
    if headers == "keep" or len(document.pages) < 2:
        return document
    heads = running_heads(document.pages, document.page_names)
    return replace(document, pages=HeadlessPages(document.pages, heads)) if any(heads) else document


def running_heads(pages: Iterable[PageResult], names: Sequence[str] = ()) -> list[frozenset[int]]:
    """For each page the places of the blocks that repeat on a page nearby of the same file.

    `names` has each page's file; empty: all are of one file.
    """
    finder = RunningHeadFinder()
    for page, name in zip(pages, chain(names, repeat(None)), strict=False):
        finder.add(page, name)
    return [finder.heads(number) for number in range(finder.num_pages)]


class RunningHeadFinder:
    """Finds running heads while pages come one after another."""

    def __init__(self) -> None:
        self._found: list[set[int]] = []
        self._near: deque[list[_Candidate]] = deque(maxlen=NEAR_PAGES)
        self._file: str | None = None

    @property
    def num_pages(self) -> int:
        return len(self._found)

    def add(self, page: PageResult, file: str | None = None) -> None:
        """The next page, and the file that it is of, where there are several."""
        if file != self._file:
            self._near.clear()
            self._file = file
        number = len(self._found)
        self._found.append(set())
        candidates = _candidates(page, number)
        for other in chain.from_iterable(self._near):
            for candidate in candidates:
                if _repeats(other, candidate):
                    self._found[other.number].add(other.block)
                    self._found[number].add(candidate.block)
        self._near.append(candidates)

    def heads(self, number: int) -> frozenset[int]:
        """The places of the blocks that repeat, of page `number` from 0. Final when `NEAR_PAGES`
        more pages were added, or the last."""
        return frozenset(self._found[number])


def _candidates(page: PageResult, number: int) -> list[_Candidate]:
    return [
        _candidate(page.index, number, place, block)
        for place, block in enumerate(page.blocks)
        if _may_repeat(block)
    ]


def _may_repeat(block: Block) -> bool:
    if not block.text or not block.boxes or len(block.text) > _MAX_CHARACTERS:
        return False
    if block.label in LABELS:
        return True
    box = block.boxes[0]
    at_edge = box.y1 <= _EDGE or box.y0 >= 1 - _EDGE
    return block.label == "text" and len(block.boxes) == 1 and at_edge


def _candidate(page: int, number: int, place: int, block: Block) -> _Candidate:
    roman = _ROMAN.fullmatch(block.text)
    text = str(_roman_value(roman[1].lower())) if roman else block.text
    letters = "".join(char for char in text.casefold() if char.isalpha())
    numbers = tuple(int(digits[:18]) for digits in _NUMBER.findall(text))
    return _Candidate(page, number, place, block.boxes[0], text, letters, numbers)


def _roman_value(numeral: str) -> int:
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    following = [*values[1:], 0]
    return sum(
        -value if value < after else value for value, after in zip(values, following, strict=True)
    )


def _repeats(first: _Candidate, second: _Candidate) -> bool:
    """Whether two blocks of different pages are one running head; `first` is on the earlier."""
    return (
        _is_same_place(first.box, second.box)
        and _are_alike(first.letters, second.letters)
        and (_are_page_numbers(first, second) or _count_pages(first, second))
    )


def _is_same_place(first: Box, second: Box) -> bool:
    """At one height, and at one edge of the page, in its middle, or mirrored on facing pages."""
    height = abs(first.y0 + first.y1 - second.y0 - second.y1) / 2
    places = (
        first.x0 - second.x0,
        first.x1 - second.x1,
        (first.x0 + first.x1 - second.x0 - second.x1) / 2,
        first.x0 + second.x1 - 1,
        first.x1 + second.x0 - 1,
    )
    return height < _PLACE and min(map(abs, places)) < _PLACE


def _are_alike(first: str, second: str) -> bool:
    if first == second:
        return True
    if min(len(first), len(second)) < _MIN_LETTERS:
        return False
    return SequenceMatcher(None, first, second, autojunk=False).ratio() > _ALIKE


def _are_page_numbers(first: _Candidate, second: _Candidate) -> bool:
    """Whether both say nothing but a page number, and it grows. Pages may be missing between."""
    for candidate in (first, second):
        if candidate.letters not in _PAGE_WORDS or len(candidate.numbers) not in (1, 2):
            return False
        if len(str(candidate.numbers[0])) > _MAX_PAGE_DIGITS:
            return False
    return first.numbers[0] < second.numbers[0] and first.numbers[1:] == second.numbers[1:]


def _count_pages(first: _Candidate, second: _Candidate) -> bool:
    """Whether their numbers are equal, or grow as pages do: by one, or by two where each image
    shows two pages. A number that names something else is content."""
    if len(first.numbers) != len(second.numbers):
        return False
    distance = max(1, second.document_page - first.document_page)
    for place, (one, other) in enumerate(zip(first.numbers, second.numbers, strict=True)):
        if one == other:
            continue
        if other - one not in (distance, 2 * distance) or _is_reference(second.text, place):
            return False
    return True


def _is_reference(text: str, place: int) -> bool:
    """Whether the number at that place names something: an invoice, a case."""
    number = list(_NUMBER.finditer(text))[place]
    return number[0].startswith("0") or bool(_REFERENCE.search(text[: number.start()]))


class HeadlessPages(Sequence[PageResult]):
    """Pages without their running heads, derived as they are asked for."""

    def __init__(self, pages: Sequence[PageResult], heads: Sequence[frozenset[int]]) -> None:
        self._pages = pages
        self._heads = heads

    def __len__(self) -> int:
        return len(self._pages)

    def __iter__(self) -> Iterator[PageResult]:
        for page, heads in zip(self._pages, self._heads, strict=True):
            yield without_blocks(page, heads)

    @overload
    def __getitem__(self, index: int) -> PageResult: ...
    @overload
    def __getitem__(self, index: slice) -> list[PageResult]: ...
    def __getitem__(self, index: int | slice) -> PageResult | list[PageResult]:
        if isinstance(index, slice):
            return [self[each] for each in range(len(self))[index]]
        return without_blocks(self._pages[index], self._heads[index])


def without_blocks(page: PageResult, places: frozenset[int]) -> PageResult:
    """The page with these blocks left out of its markdown; `blocks` keeps them."""
    markdown = page.markdown
    for place in sorted(places):
        block = page.blocks[place]
        markdown = _without_paragraph(markdown, block.text, from_end=block.boxes[0].y0 > 0.5)
    return page if markdown == page.markdown else replace(page, markdown=markdown)


def _without_paragraph(markdown: str, text: str, *, from_end: bool) -> str:
    """The text without one paragraph: as markdown, or as the plain text of the task `text`."""
    paragraphs = markdown.split("\n\n")
    order = range(len(paragraphs))
    for place in reversed(order) if from_end else order:
        if paragraphs[place] in (text, _plain(text)):
            return "\n\n".join(paragraphs[:place] + paragraphs[place + 1 :])
    return markdown


def _plain(text: str) -> str:
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text))
