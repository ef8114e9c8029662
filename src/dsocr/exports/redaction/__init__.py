"""Takes what matches a pattern out of a document and its pictures, before any format is written.

All formats get the redacted document: text, blocks, lines, names and prompt are clean, the source
file is never passed on, and pages are pictures with the matches covered. What has no place on its
page is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from dsocr.exports import Assets
from dsocr.exports.redaction.matching import find, masked
from dsocr.exports.redaction.pages import (
    Covered,
    Redaction,
    applied,
    edge_echoes,
    places,
    planned,
    refuse,
)
from dsocr.exports.redaction.patterns import Searcher
from dsocr.exports.structure import DerivedPages
from dsocr.types import Document, PageResult

_NOT_THE_TEXT = ("describe", "figure", "locate", "custom")
"""Tasks whose result may not be all of the page's text."""


def redacted(
    document: Document, assets: Assets | None, patterns: Sequence[str]
) -> tuple[Document, Assets | None]:
    """The document and its pictures without what matches. Goes through the pages once, and again
    as they are written.

    Raises `BadRequest` for what cannot be redacted, with its page, and `InvalidField` for a wrong
    pattern.
    """
    searcher = Searcher(patterns, len(document.pages))
    plans: list[Redaction] = []
    covered: dict[int, list[Covered]] = {}
    for page, redaction in _plans(document, searcher):
        plans.append(redaction)
        if found := places(page, redaction):
            covered[page.index] = found
    if assets is not None:
        from dsocr.exports.redaction.pictures import RedactedAssets  # needs the image library

        assets = RedactedAssets(assets, covered)
    return _with(document, plans, searcher), assets


def redacted_name(name: str, patterns: Sequence[str]) -> str:
    """A file's name without what matches."""
    return _redacted_name(name, Searcher(patterns)) if patterns else name


def _plans(document: Document, searcher: Searcher) -> Iterator[tuple[PageResult, Redaction]]:
    """Of each page, once the one after it is known: a match may run over the end of a page."""
    before: PageResult | None = None
    echoes: list[str] = []
    for page in document.pages:
        if not page.lines and document.options.task in _NOT_THE_TEXT:
            raise refuse(page, "its result is not its text. Read it with the task markdown.")
        if before is not None:
            over_end = edge_echoes(before, page, searcher)
            yield before, planned(before, searcher, [*echoes, *over_end])
            echoes = over_end
        before = page
    if before is not None:
        yield before, planned(before, searcher, echoes)


def _with(document: Document, plans: list[Redaction], searcher: Searcher) -> Document:
    def derive(pages: Iterable[PageResult]) -> Iterator[PageResult]:
        for page, plan in zip(pages, plans, strict=True):
            yield applied(page, plan)

    prompt = document.options.prompt
    options = replace(document.options, prompt=masked(prompt, find(searcher, prompt)))
    return replace(
        document,
        name=_redacted_name(document.name, searcher),
        options=options,
        pages=DerivedPages(document.pages, derive),
        page_names=tuple(_redacted_name(name, searcher) for name in document.page_names),
    )


def _redacted_name(name: str, searcher: Searcher) -> str:
    """In a name `_` may stand for a blank. The extension stays if no match runs into it."""
    spans = sorted({*find(searcher, name), *find(searcher, name.replace("_", " "))})
    return masked(name, spans)
