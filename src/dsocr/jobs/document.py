"""A job's pages as a document to export, with corrections in place of what the engine read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from dsocr.engines.deepseek.grounding import markdown_of
from dsocr.exports import Assets
from dsocr.exports.layout.lines import fitted, lines_by_block, plain_block
from dsocr.jobs.job import Job, StoredPage, corrected_blocks
from dsocr.types import Document, PageFailure, PageResult, TextLine

PAGES_PER_LOAD = 32
LoadPages = Callable[[int, int], Sequence[StoredPage | None]]
"""The pages from one index to before another; None for one that was not read yet."""
NOT_READ = PageFailure("page_not_read", "This page was not read.", retryable=True)


class StoredPages(Sequence[PageResult]):
    """Every page of a job by its index, loaded some at a time; unread ones have `NOT_READ`."""

    def __init__(self, total: int, load: LoadPages) -> None:
        self._total = total
        self._load = load

    def __len__(self) -> int:
        return self._total

    def __iter__(self) -> Iterator[PageResult]:
        for first in range(0, self._total, PAGES_PER_LOAD):
            yield from self._between(first, min(first + PAGES_PER_LOAD, self._total))

    @overload
    def __getitem__(self, index: int) -> PageResult: ...
    @overload
    def __getitem__(self, index: slice) -> list[PageResult]: ...
    def __getitem__(self, index: int | slice) -> PageResult | list[PageResult]:
        if isinstance(index, slice):
            return [self[each] for each in range(self._total)[index]]
        first = range(self._total)[index]
        return self._between(first, first + 1)[0]

    def _between(self, first: int, end: int) -> list[PageResult]:
        return [
            PageResult(index, 0, 0, finish_reason="error", error=NOT_READ)
            if stored is None
            else exported(stored)
            for index, stored in enumerate(self._load(first, end), first)
        ]


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A job as a document, and the images of its pages."""

    document: Document
    file_pages: tuple[int, ...]
    """The place in its file, from 0, of each page."""
    assets: Assets


def document_of(job: Job, load: LoadPages, names: Sequence[str]) -> Document:
    """`names` has the file name of each page."""
    pages = StoredPages(job.pages_total, load)
    return Document(job.name, job.engine, job.model, job.options, pages, tuple(names))


def corrected(stored: StoredPage) -> PageResult:
    """The page with its corrections; `raw` and `lines` stay as the engine read them."""
    result = stored.result
    if not stored.corrections:
        return result
    blocks = corrected_blocks(result.blocks, stored.corrections)
    markdown = markdown_of(blocks, page_index=result.index)
    return dataclasses.replace(result, blocks=blocks, markdown=markdown)


def exported(stored: StoredPage) -> PageResult:
    """The page with its corrections, also in its lines: the lines of a block with corrected text
    keep their places and get the words of the correction. Their confidence is 1: None is that of a
    PDF's own text."""
    page = corrected(stored)
    changed = {place for place, each in stored.corrections.items() if each.text is not None}
    if not changed or not page.lines:
        return page
    by_block, _ = lines_by_block(page)
    before = {id(line): place for place in changed for line in by_block.get(place, ())}
    lines: list[TextLine] = []
    for line in page.lines:
        place = before.get(id(line))
        if place is None:
            lines.append(line)
        elif place in changed:
            changed.discard(place)
            boxes = [each.box for each in by_block[place]]
            words = fitted(plain_block(page.blocks[place].text), boxes)
            lines += (dataclasses.replace(line, confidence=1.0) for line in words)
    return dataclasses.replace(page, lines=tuple(lines))


def pages_with(text: str, pages: Sequence[StoredPage | None]) -> list[tuple[int, int]]:
    """The indices of the pages with this text, and in how many blocks each has it. Neither case nor
    the kind of white space counts."""
    wanted = _folded(text)
    found = []
    for stored in filter(None, pages):
        blocks = corrected(stored).blocks
        number = sum(wanted in _folded(block.text) for block in blocks)
        if number:
            found.append((stored.page.index, number))
    return found


def _folded(text: str) -> str:
    return " ".join(text.lower().split())
