"""Recognizes one document while the client waits: what is below `POST /api/ocr` and contracts.

A contract parses its request, calls `admit`, `AdmittedRead.open` and `OpenedRead.run`, and writes
the document, or the events on the way to it, in its own shape.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from dsocr.engines.base import EngineInfo
from dsocr.errors import TooManyPages
from dsocr.pages.source import DocumentFile, open_document
from dsocr.pipeline.events import OnEvent, PageEvent
from dsocr.pipeline.page_ranges import selected_pages
from dsocr.pipeline.pipeline import Pipeline, check_options
from dsocr.server.admission import Ticket
from dsocr.server.deps import Service
from dsocr.server.problems import PageFailed
from dsocr.server.received.uploads import Upload
from dsocr.types import Document, Headers, ReadOptions


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A document that was received, and how to read it."""

    file: Upload
    read: ReadOptions
    headers: Headers = "omit"
    model: str | None = None
    """Name of the model or engine; None: the default one."""


async def admit(service: Service, num_bytes: int, stack: AsyncExitStack) -> AdmittedRead:
    """Admits a request with a body of at most `num_bytes`, before the body is read.

    Waits for an engine that is starting, if the service has only one. `stack` keeps the admission
    until it is closed. Raises `AdmissionRefused`, `EngineUnavailable`, or the error that keeps the
    engine from starting.
    """
    ticket = stack.enter_context(service.admission.admit(num_bytes))
    admitted = AdmittedRead(service, ticket)
    if not service.models.other_names:
        await admitted.engine(None)
    return admitted


@dataclass(frozen=True, slots=True)
class AdmittedRead:
    """An admitted request whose body is not read yet."""

    service: Service
    ticket: Ticket

    async def engine(self, model: str | None) -> tuple[Pipeline, EngineInfo]:
        """Of the model of that name, once it is ready. Raises what `ModelHosts.pipeline` raises."""
        wait_seconds = self.service.settings.server.start_wait_seconds
        return await self.service.models.pipeline(wait_seconds, model)

    async def open(self, request: ReadRequest, stack: AsyncExitStack) -> OpenedRead:
        """Opens the document until `stack` is closed.

        Raises what `engine`, `check_options`, `open_document` and `page_indices` raise, and
        `TooManyPages`.
        """
        pipeline, info = await self.engine(request.model)
        check_options(request.read.ocr, info)
        file, sandbox = request.file, self.service.host.sandbox
        source = await open_document(
            file.path, name=file.name, sandbox=sandbox, password=request.read.password
        )
        stack.push_async_callback(source.close)
        pages = self._pages(request.read.pages, source.num_pages)
        return OpenedRead(self.service, self.ticket, pipeline, source, request, pages)

    def _pages(self, ranges: str | None, num_pages: int) -> tuple[int, ...]:
        pages = selected_pages(ranges, num_pages)
        max_pages = self.service.settings.server.max_pages
        if len(pages) > max_pages:
            raise TooManyPages(
                f"{len(pages)} pages are more than {max_pages}. "
                "Choose fewer with `pages`, or send the document as a job: POST /api/jobs."
            )
        return tuple(pages)


@dataclass(frozen=True, slots=True)
class OpenedRead:
    """An opened document, ready to be recognized."""

    service: Service
    ticket: Ticket
    pipeline: Pipeline
    source: DocumentFile
    request: ReadRequest
    pages: tuple[int, ...]
    """Indices of the pages to read, from 0."""

    @property
    def seconds(self) -> float:
        """Since the request was admitted."""
        return self.ticket.seconds

    async def run(self, on_event: OnEvent | None = None) -> Document:
        """Recognizes the pages. Cancelling it cancels the pages.

        Raises `AdmissionRefused` if the first page is not begun within `queue_seconds`, and
        `PageFailed` if no page could be recognized.
        """

        def observe(event: PageEvent) -> None:
            self.ticket.running = True
            if on_event is not None:
                on_event(event)

        work = asyncio.ensure_future(
            self.pipeline.run(
                self.source,
                self.request.read.ocr,
                pages=self.pages,
                dpi=self.request.read.dpi,
                on_event=observe,
            )
        )
        try:
            await self._await_first_page(work)
            return _unless_all_failed(await work)
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _await_first_page(self, work: asyncio.Future[Document]) -> None:
        seconds = self.service.settings.server.queue_seconds
        await asyncio.wait({work}, timeout=seconds)
        if not work.done() and not self.ticket.running:
            raise self.service.admission.refusal(
                f"The first page was not begun within {seconds:g} s; too many are waiting."
            )


def _unless_all_failed(document: Document) -> Document:
    """Raises the error of the first page, as `PageFailed`, if all pages failed."""
    failures = [page.error for page in document.pages]
    first = failures[0] if failures else None
    if first is not None and all(failures):
        raise PageFailed(first)
    return document
