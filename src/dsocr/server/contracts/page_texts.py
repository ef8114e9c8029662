"""The text of a document piece by piece while its pages finish, equal to its whole text."""

from __future__ import annotations

from collections.abc import Callable

from dsocr.exports.markdown import PAGE_BREAK, page_text
from dsocr.exports.running_heads import NEAR_PAGES, RunningHeadFinder, without_blocks
from dsocr.server.serialize import RAW_PAGE_BREAK
from dsocr.types import PageResult


class PageTexts:
    """Puts finished pages in order. A page is passed on once the pages are known that decide what
    of it is a running head, so the pieces add up to what a client gets that does not stream."""

    def __init__(self, on_text: Callable[[str], None], *, raw: bool = False) -> None:
        """`raw`: the model's output in place of the markdown."""
        self._on_text = on_text
        self._raw = raw
        self._any = False
        self.next_document()

    def next_document(self) -> None:
        """The pages that follow are of another file."""
        self._finder = RunningHeadFinder()
        self._pages: dict[int, PageResult] = {}
        self._next = 0

    def add(self, place: int, page: PageResult, total: int) -> None:
        """Page `place` from 0 of `total`; each once, in any order."""
        self._pages[place] = page
        while self._finder.num_pages in self._pages:
            self._finder.add(self._pages[self._finder.num_pages])
        known = self._finder.num_pages
        while self._next < known and (known == total or self._next + NEAR_PAGES < known):
            self._pass_on(self._pages.pop(self._next))
            self._next += 1

    def _pass_on(self, page: PageResult) -> None:
        page_break = RAW_PAGE_BREAK if self._raw else PAGE_BREAK
        self._on_text((page_break if self._any else "") + self._text(page))
        self._any = True

    def _text(self, page: PageResult) -> str:
        if self._raw and page.error is None:
            return page.raw
        return page_text(without_blocks(page, self._finder.heads(self._next)))
