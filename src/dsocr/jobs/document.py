"""A job's pages as a document to export: what people corrected stands in for what was read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from dsocr.engines.grounding import markdown_of
from dsocr.jobs.job import Correction, Job, StoredPage
from dsocr.types import Block, Document, PageFailure, PageResult

NOT_READ = PageFailure("page_not_read", "This page was not read.", retryable=True)


def document_of(job: Job, pages: Sequence[StoredPage | None], names: Sequence[str]) -> Document:
    """Every page of the job in its place; one that was not read says so. `names` are the files' of
    the pages."""
    results = tuple(
        PageResult(index, 0, 0, finish_reason="error", error=NOT_READ)
        if stored is None
        else corrected(stored)
        for index, stored in enumerate(pages)
    )
    return Document(job.name, job.engine, job.model, job.options, results, tuple(names))


def corrected(stored: StoredPage) -> PageResult:
    """The page with its corrections; `raw` stays what the engine wrote."""
    result = stored.result
    if not stored.corrections:
        return result
    blocks = _with(result.blocks, stored.corrections)
    markdown = markdown_of(blocks, page_index=result.index)
    return dataclasses.replace(result, blocks=blocks, markdown=markdown)


def _with(blocks: Sequence[Block], corrections: Mapping[int, Correction]) -> tuple[Block, ...]:
    found = list(blocks)
    for place, correction in corrections.items():
        block = found[place]
        found[place] = dataclasses.replace(
            block,
            text=block.text if correction.text is None else correction.text,
            label=block.label if correction.label is None else correction.label,
            confidence=None,
        )
    return tuple(found)
