"""Rules that make the structure of a document clean, whatever engine read it: one module a rule.

The pages are gone through once for what is known only over all of them (running heads, levels of
headings) and once to write them. No page is held, but those that a joined paragraph runs over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import overload

from dsocr.exports.options import ExportOptions
from dsocr.exports.running_heads import HeadlessPages, running_heads
from dsocr.exports.structure.captions import with_bound_captions
from dsocr.exports.structure.headings import Outline
from dsocr.exports.structure.joins import joined
from dsocr.exports.structure.math import with_dollars
from dsocr.exports.structure.parts import Part, markdown_of, parts_of
from dsocr.exports.structure.repair import repaired
from dsocr.exports.structure.tables import with_pipe_tables
from dsocr.exports.structure.unescape import unescaped
from dsocr.types import Document, PageResult


def structured(
    document: Document, options: ExportOptions, *, is_markdown: bool = False
) -> Document:
    """The document with the text of its pages as the options ask for; the blocks stay.

    `is_markdown`: math and tables are written as chosen, and a table of contents links to
    headings instead of pages.
    """
    outline = Outline() if options.headings or options.toc else None
    pages = _without_heads(document, options, outline)
    if options.rewrites:
        rules = _Rules(options, outline, is_markdown)
        pages = DerivedPages(pages, rules.apply)
    if is_markdown and (options.math != "brackets" or options.tables != "html"):
        pages = DerivedPages(pages, lambda some: (written(page, options) for page in some))
    return document if pages is document.pages else replace(document, pages=pages)


def written(page: PageResult, options: ExportOptions) -> PageResult:
    """The page with math and tables as chosen."""
    return replace(page, markdown=written_text(page.markdown, options))


def written_text(markdown: str, options: ExportOptions) -> str:
    """Markdown with math and tables as chosen."""
    if options.tables == "markdown":
        markdown = with_pipe_tables(markdown)
    return with_dollars(markdown) if options.math == "dollars" else markdown


class DerivedPages(Sequence[PageResult]):
    """Pages that are derived in order as they are asked for, and not kept."""

    def __init__(
        self,
        pages: Sequence[PageResult],
        derive: Callable[[Iterable[PageResult]], Iterator[PageResult]],
    ) -> None:
        self._pages = pages
        self._derive = derive

    def __len__(self) -> int:
        return len(self._pages)

    def __iter__(self) -> Iterator[PageResult]:
        return self._derive(self._pages)

    @overload
    def __getitem__(self, index: int) -> PageResult: ...
    @overload
    def __getitem__(self, index: slice) -> list[PageResult]: ...
    def __getitem__(self, index: int | slice) -> PageResult | list[PageResult]:
        """Derives all pages before: iterate instead."""
        if isinstance(index, slice):
            return list(self)[index]
        return next(islice(iter(self), range(len(self))[index], None))


def _without_heads(
    document: Document, options: ExportOptions, outline: Outline | None
) -> Sequence[PageResult]:
    """The one pass over all pages before they are written."""
    pages = document.pages
    seen = outline.watched(pages) if outline else pages
    if options.headers == "keep" or len(pages) < 2:
        if outline:
            outline.finish([frozenset() for _ in seen], consistent=options.headings)
        return pages
    heads = running_heads(seen, document.page_names)
    if outline:
        outline.finish(heads, consistent=options.headings)
    return HeadlessPages(pages, heads) if any(heads) else pages


@dataclass(frozen=True, slots=True)
class _Rules:
    options: ExportOptions
    outline: Outline | None
    is_markdown: bool

    def apply(self, pages: Iterable[PageResult]) -> Iterator[PageResult]:
        rewritten = (
            (page, [] if page.error else self._parts(page, number))
            for number, page in enumerate(pages)
        )
        flow = joined(rewritten) if self.options.join else rewritten
        for number, (page, parts) in enumerate(flow):
            text = markdown_of(parts)
            if number == 0 and self.options.toc and self.outline:
                contents = self.outline.contents(to_pages=not self.is_markdown)
                text = "\n\n".join(filter(None, (contents, text)))
            yield replace(page, markdown=text) if text != page.markdown else page

    def _parts(self, page: PageResult, number: int) -> list[Part]:
        options = self.options
        parts = parts_of(page)
        if options.unescape:
            parts = [replace(part, text=unescaped(part.text)) for part in parts]
        if options.repair:
            parts = repaired(parts)
        if options.headings and self.outline:
            parts = self.outline.levelled(parts, number)
        return with_bound_captions(parts) if options.captions else parts
