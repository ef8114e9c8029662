"""The text of a document piece by piece while its pages finish, equal to its whole text."""

from __future__ import annotations

from collections.abc import Callable

from dsocr.exports.markdown import PAGE_BREAK, page_text
from dsocr.exports.running_heads import NEAR_PAGES, running_heads, without_blocks
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
        self._pages: dict[int, PageResult] = {}
        self._next = 0

    def next_document(self) -> None:
        """The pages that follow are of another file."""
        self._pages.clear()
        self._next = 0

    def add(self, place: int, page: PageResult, total: int) -> None:
        """Page `place` from 0 of `total`; each once, in any order."""
        self._pages[place] = page
        while self._next < total and self._is_decided(total):
            self._pass_on()
            self._pages.pop(self._next - NEAR_PAGES, None)
            self._next += 1

    def _is_decided(self, total: int) -> bool:
        return all(place in self._pages for place in self._window(total))

    def _window(self, total: int) -> range:
        return range(max(0, self._next - NEAR_PAGES), min(total, self._next + NEAR_PAGES + 1))

    def _pass_on(self) -> None:
        break_before = (RAW_PAGE_BREAK if self._raw else PAGE_BREAK) if self._any else ""
        self._any = True
        self._on_text(break_before + self._text())

    def _text(self) -> str:
        page = self._pages[self._next]
        if self._raw and page.error is None:
            return page.raw
        near = [place for place in sorted(self._pages) if abs(place - self._next) <= NEAR_PAGES]
        heads = running_heads([self._pages[place] for place in near])
        return page_text(without_blocks(page, heads[near.index(self._next)]))
