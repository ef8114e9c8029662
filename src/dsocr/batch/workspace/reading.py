"""Reads one document of a claimed group: each page is recorded as soon as it is done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from dsocr.batch.workspace.group import MAX_TRIES, HeldGroup
from dsocr.batch.workspace.layout import BatchOptions, PlannedDocument
from dsocr.batch.workspace.records import (
    DocumentRecord,
    failure_of,
    lost_page,
    page_bytes,
)
from dsocr.batch.workspace.shared_gate import SharedGate
from dsocr.batch.workspace.sources import local_copy
from dsocr.errors import BadRequest, DsocrError, EngineUnavailable
from dsocr.host import EngineHost
from dsocr.pages.source import DocumentFile, open_document
from dsocr.pipeline.page_ranges import page_indices
from dsocr.pipeline.pipeline import PageSource, Pipeline
from dsocr.types import PageFailure, PageImage, PageResult

logger = logging.getLogger(__name__)

OnPage = Callable[[PlannedDocument, PageResult], None]
OnFailure = Callable[[PlannedDocument, PageFailure], None]


@dataclass(frozen=True, slots=True)
class DocumentReader:
    """Reads documents with the engine of a host that is ready. Any number at the same time."""

    host: EngineHost
    pipeline: Pipeline
    batch: BatchOptions
    password: str | None
    on_page: OnPage
    """Called for each page that was read now; what it raises ends the run."""
    on_failure: OnFailure
    """Called for a document that could not be opened."""
    gate: SharedGate

    async def read(self, group: HeldGroup, entry: PlannedDocument) -> None:
        """Records the document and all its pages that have no record.

        Raises `EngineUnavailable`, and what `on_page` raises; anything else becomes a record.
        """
        known = group.opened(entry)
        if known is not None and all(group.has_page(entry, index) for index in known.pages):
            return
        try:
            async with self._opened(entry) as source:
                pages = self._wanted(entry, source.num_pages)
                record = DocumentRecord(entry.id, tuple(pages))
                await asyncio.to_thread(group.record_document, record)
                await self._read_pages(group, entry, source, pages)
        except _NotOpened as error:
            record = DocumentRecord(entry.id, error=error.failure)
            await asyncio.to_thread(group.record_document, record)
            self.on_failure(entry, error.failure)

    @contextlib.asynccontextmanager
    async def _opened(self, entry: PlannedDocument) -> AsyncIterator[DocumentFile]:
        async with contextlib.AsyncExitStack() as stack:
            try:
                copy = local_copy(entry.uri)
                path = await asyncio.to_thread(copy.__enter__)
                stack.callback(copy.__exit__, None, None, None)
                source = await open_document(
                    path, name=entry.name, sandbox=self.host.sandbox, password=self.password
                )
                stack.push_async_callback(source.close)
                self._wanted(entry, source.num_pages)
            except Exception as error:
                if not isinstance(error, DsocrError):
                    logger.exception("bug while opening %s", entry.uri)
                raise _NotOpened(failure_of(error)) from error
            yield source

    def _wanted(self, entry: PlannedDocument, num_pages: int) -> Sequence[int]:
        if entry.pages is not None:
            if any(index >= num_pages for index in entry.pages):
                raise BadRequest("The file has fewer pages than before; it was changed.")
            return entry.pages
        ranges = self.batch.pages
        return tuple(dict.fromkeys(page_indices(ranges, num_pages) if ranges else range(num_pages)))

    async def _read_pages(
        self, group: HeldGroup, entry: PlannedDocument, source: PageSource, pages: Sequence[int]
    ) -> None:
        missing = [index for index in pages if not group.has_page(entry, index)]
        suspects = [index for index in missing if group.num_tries(entry, index)]
        others = [index for index in missing if not group.num_tries(entry, index)]
        if others:
            async with self.gate.together():
                await self._recognize(group, entry, source, others)
        for index in suspects:
            if group.num_tries(entry, index) >= MAX_TRIES:
                await self._record(group, entry, lost_page(index))
                continue
            async with self.gate.alone():
                await self._recognize(group, entry, source, [index])

    async def _recognize(
        self, group: HeldGroup, entry: PlannedDocument, source: PageSource, pages: Sequence[int]
    ) -> None:
        async def keep(result: PageResult) -> None:
            await self._record(group, entry, result)

        await self.pipeline.run_in_background(
            _MarkedSource(source, group, entry),
            self.batch.options,
            keep,
            pages=pages,
            owner=entry.id,
            dpi=self.batch.dpi,
        )

    async def _record(self, group: HeldGroup, entry: PlannedDocument, result: PageResult) -> None:
        if result.error is not None and result.error.code == EngineUnavailable.code:
            raise EngineUnavailable(result.error.message)  # the cause is not the page: no record
        info = self.host.engine.info
        content = page_bytes(entry.id, result, info)
        await asyncio.to_thread(group.record_page, entry, result.index, content)
        self.on_page(entry, result)


@dataclass(frozen=True, slots=True)
class _MarkedSource:
    """Marks a try of each page before it is rendered."""

    source: PageSource
    group: HeldGroup
    entry: PlannedDocument

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def num_pages(self) -> int:
        return self.source.num_pages

    async def render_page(self, index: int, *, dpi: float | None) -> PageImage:
        if self.group.claim.after_loss:
            await asyncio.to_thread(self.group.mark_try, self.entry, index)
        return await self.source.render_page(index, dpi=dpi)


class _NotOpened(Exception):
    def __init__(self, failure: PageFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure
