"""Reads the documents of a contract's request while its client waits.

A document that `read_now` takes is read at once; one with more pages is read as a job, behind the
documents of others, which the request follows and deletes. To the contract both look the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from dsocr.engines.base import EngineInfo
from dsocr.errors import (
    DsocrError,
    EngineUnavailable,
    InvalidField,
    InvalidPages,
    TooManyPages,
)
from dsocr.exports import Assets
from dsocr.jobs.document import NOT_READ
from dsocr.jobs.job import FINISHED, Job, JobConflict
from dsocr.jobs.submission import Submission
from dsocr.pages.page_images import ExportImages
from dsocr.pipeline.events import PageDone, PageEvent, PageStarted
from dsocr.server.deps import Service
from dsocr.server.problems import PageFailed
from dsocr.server.read_now import AdmittedRead, OpenedRead, ReadRequest, admit
from dsocr.types import Document, PageResult

OnPage = Callable[[int, PageResult, int], None]
"""Receives a finished page: its place among the pages to read, the page, and their number. Pages
may finish in any order."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A document that was read. Running heads are still in its pages' markdown."""

    document: Document
    numbers: Sequence[int]
    """The place in the file, from 0, of each page of the document."""
    resolutions: Sequence[float | None]
    """Pixels per inch of each page; None where it is not known."""
    assets: Assets
    """The page images, by `PageResult.index`; to be used in a thread, while the request lasts."""


@contextlib.contextmanager
def invalid_pages_as_fields() -> Iterator[None]:
    """Turns `InvalidPages` into `InvalidField`: some contracts count pages from 0."""
    try:
        yield
    except InvalidPages as error:
        raise InvalidField(f"{error.message} (counted from 1)") from error


class Read(Protocol):
    """Reads one opened document. Cancelling it cancels its pages.

    Raises what `OpenedRead.run` raises, and `PageFailed` if no page could be read.
    """

    async def __call__(self, on_page: OnPage | None = None) -> Reading: ...


class DocumentReader:
    """Reads the documents of one admitted request, one after another."""

    def __init__(
        self, service: Service, owner: str | None, stack: AsyncExitStack, admission: AsyncExitStack
    ) -> None:
        self._service = service
        self._owner = owner
        self._stack = stack
        self._admission = admission
        self._admitted: AdmittedRead

    @staticmethod
    async def admit(
        service: Service, owner: str | None, num_bytes: int, stack: AsyncExitStack
    ) -> DocumentReader:
        """Admits a request with a body of at most `num_bytes`, before it is read.

        `stack` keeps the admission and the opened documents. Raises what `read_now.admit` raises.
        """
        admission = await stack.enter_async_context(AsyncExitStack())
        reader = DocumentReader(service, owner, stack, admission)
        reader._admitted = await admit(service, num_bytes, admission)
        return reader

    async def info(self, model: str | None = None) -> EngineInfo:
        """Of the model of that name, once it is ready."""
        return (await self._admitted.engine(model))[1]

    async def open(self, request: ReadRequest) -> Read:
        """Checks the document; the function that is returned reads it.

        Raises what `AdmittedRead.open` and `JobQueue.submit` raise; `InvalidField` for pages.
        """
        async with AsyncExitStack() as opening:
            try:
                with invalid_pages_as_fields():
                    opened = await self._admitted.open(request, opening)
            except TooManyPages:
                job = await self._submit(request)
                return partial(self._read_job, job)
            self._stack.push_async_exit(opening.pop_all())
        return partial(self._read_now, opened)

    async def _read_now(self, opened: OpenedRead, on_page: OnPage | None = None) -> Reading:
        places = {index: place for place, index in enumerate(opened.pages)}
        resolutions: list[float | None] = [None] * len(places)

        def observe(event: PageEvent) -> None:
            if isinstance(event, PageStarted):
                resolutions[places[event.index]] = event.dpi
            elif isinstance(event, PageDone) and on_page is not None:
                on_page(places[event.page.index], event.page, len(places))

        document = await opened.run(observe)
        loop = asyncio.get_running_loop()
        assets = ExportImages(opened.source, opened.request.read.dpi, loop)
        return Reading(document, opened.pages, resolutions, assets)

    async def _submit(self, request: ReadRequest) -> Job:
        """The document as a job, which is deleted when the request ends. The admission ends here:
        a job waits in the store."""
        await self._admission.aclose()
        submitted = asyncio.ensure_future(self._service.jobs.submit(self._submission(request)))
        self._stack.push_async_callback(self._discard, submitted)
        return await asyncio.shield(submitted)

    async def _read_job(self, job: Job, on_page: OnPage | None = None) -> Reading:
        jobs = self._service.jobs
        job = await self._finished(job, on_page)
        stored = await jobs.stored_document(job.id)
        pages = await asyncio.to_thread(tuple, stored.document.pages)
        if job.status == "failed":
            failures = [page.error for page in pages if page.error]
            raise PageFailed(job.error or next(iter(failures), NOT_READ))
        document = dataclasses.replace(stored.document, pages=pages)
        return Reading(document, stored.file_pages, [None] * len(pages), stored.assets)

    def _submission(self, request: ReadRequest) -> Submission:
        return Submission(
            files=[request.file],
            read=request.read,
            engine=self._service.models.host(request.model).selection.name,
            wanted_engine=request.model,
            owner=self._owner or "",
        )

    async def _finished(self, job: Job, on_page: OnPage | None) -> Job:
        jobs = self._service.jobs
        async for event in jobs.follow(job.id, 0):
            if isinstance(event, Job):
                job = event
            elif on_page is not None:
                stored = await jobs.page(job.id, event.page.index)
                on_page(event.page.index, stored.result, job.pages_total)
        if job.status not in FINISHED:
            raise EngineUnavailable("The service was stopped before the document was read.")
        if job.status == "cancelled":
            raise JobConflict("The document's job was cancelled.")
        return job

    async def _discard(self, submitted: asyncio.Future[Job]) -> None:
        """Deletes the job, also if the request was cancelled while it was submitted."""
        with contextlib.suppress(DsocrError):
            job = await submitted
            await self._service.jobs.delete(job.id)
