"""What can be asked of stored jobs: their state, pages, files of exports and events.

`owner` is the fingerprint of the caller's API key; None, where there are no keys, sees every job.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import BinaryIO, get_args

from dsocr.exports import Need, format_of, write
from dsocr.exports.needs import missing
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.jobs.config import JobsConfig
from dsocr.jobs.document import PAGES_PER_LOAD, StoredDocument, document_of, pages_with
from dsocr.jobs.events import JobEvent, JobNotifier, follow
from dsocr.jobs.files import JobFiles
from dsocr.jobs.job import FoundText, Job, JobPage, PageNotFound, PageVersion, StoredPage
from dsocr.jobs.job_runner import EngineProvider
from dsocr.jobs.live import LiveEvents
from dsocr.jobs.source import JobSource
from dsocr.jobs.store import listing, queries, search, versions
from dsocr.jobs.store.database import Database
from dsocr.jobs.store.gauges import JobGauges, job_gauges
from dsocr.jobs.store.listing import JobFilter
from dsocr.jobs.store.search import TextQuery
from dsocr.pages.page_images import ExportImages, PageImages
from dsocr.pipeline.events import OnEvent

NEEDS_PAGES = 64
"""Pages of a job that are looked at for what formats need."""


class StoredJobs:
    """The jobs of one store, which no method changes."""

    def __init__(
        self, database: Database, files: JobFiles, engines: EngineProvider, config: JobsConfig
    ) -> None:
        self.files = files
        self._database = database
        self._engines = engines
        self._config = config
        self._notifier = JobNotifier()
        self._live = LiveEvents()
        self._images = PageImages(store=files if config.storage_url else None)

    async def list(self, wanted: JobFilter) -> tuple[list[Job], int]:
        """The jobs, newest first, and the total number that the filter matches."""
        return await self._database.read(listing.list_jobs, wanted, time.time())

    async def count_by_status(self) -> dict[str, int]:
        """Jobs in the store, by status; every status is there."""
        return await self._database.read(queries.count_by_status)

    async def gauges(self) -> JobGauges:
        """Numbers of the jobs that are not finished."""
        return await self._database.read(job_gauges, time.time())

    async def get(self, job_id: str, owner: str | None = None) -> Job:
        """Raises `JobNotFound`, as all methods below."""
        return await self._database.read(queries.job, job_id, time.time(), owner)

    async def page(self, job_id: str, index: int, owner: str | None = None) -> StoredPage:
        """Raises `PageNotFound` and `PageNotRead`."""
        await self.get(job_id, owner)
        return await self._database.read(queries.page, job_id, index)

    async def image(
        self,
        job_id: str,
        index: int,
        owner: str | None = None,
        *,
        width: int | None = None,
        rotation: int | None = None,
    ) -> bytes:
        """The page as JPEG, also before it was read, at most `width` pixels wide, turned by
        `rotation` degrees; None: as it was read. Raises `PageNotFound`."""
        job = await self.get(job_id, owner)
        pages = await self._database.read(queries.job_pages, job_id)
        if not 0 <= index < len(pages):
            raise PageNotFound()
        source = self._source(job, pages)
        return await self._images.jpeg(
            job_id, source, index, dpi=job.dpi, width=width, rotation=rotation
        )

    async def export(
        self,
        job_id: str,
        format: str,
        out: BinaryIO,
        owner: str | None = None,
        *,
        options: ExportOptions = DEFAULTS,
    ) -> None:
        """Writes the job as a file into `out`; pages that were not read yet have an error. Pages
        are loaded some at a time, so memory does not grow with the job. Raises what `out` raises.
        """
        stored = await self.stored_document(job_id, owner)
        await asyncio.to_thread(write, stored.document, format, out, stored.assets, options)

    async def export_link(
        self,
        job_id: str,
        format: str,
        name: str,
        owner: str | None = None,
        *,
        options: ExportOptions = DEFAULTS,
        seconds: int,
    ) -> str:
        """A URL into the object storage to the job as a file of that name, which expires. Raises
        `NoObjectStorage`, and what `export` raises."""
        stored = await self.stored_document(job_id, owner)

        def write_export(out: BinaryIO) -> None:
            write(stored.document, format, out, stored.assets, options)

        media_type = format_of(format).media_type
        return await asyncio.to_thread(
            self.files.link, job_id, write_export, name, media_type, seconds
        )

    async def missing_needs(self, job_id: str, owner: str | None = None) -> set[Need]:
        """What formats need and the job lacks; looks at its first pages alone. What a later page
        may have does not count as missing."""
        document = (await self.stored_document(job_id, owner)).document
        needs = set(get_args(Need))
        first = islice(document.pages, NEEDS_PAGES)
        lacking = await asyncio.to_thread(missing, first, needs)
        return lacking if len(document.pages) <= NEEDS_PAGES else lacking & {"images"}

    async def stored_document(self, job_id: str, owner: str | None = None) -> StoredDocument:
        """The job's pages, loaded some at a time where they are asked for: in a thread alone, as
        its images. Pages that were not read yet have an error."""
        job = await self.get(job_id, owner)
        pages = await self._database.read(queries.job_pages, job_id)
        names = [job.files[page.file].name for page in pages]
        loop = asyncio.get_running_loop()

        def load(first: int, end: int) -> list[StoredPage | None]:
            some = self._database.read(queries.stored_pages, job_id, first, end)
            return asyncio.run_coroutine_threadsafe(some, loop).result()

        assets = ExportImages(
            self._source(job, pages),
            job.dpi,
            loop,
            images=self._images,
            document_id=job_id,
        )
        document = document_of(job, load, names)
        return StoredDocument(document, tuple(page.file_page for page in pages), assets)

    def follow(self, job_id: str, after: int) -> AsyncIterator[JobEvent]:
        """The events of the job after number `after` (0: all), until it is finished."""
        return follow(
            self._database,
            self._notifier,
            job_id,
            after=after,
            poll_seconds=self._config.poll_seconds,
        )

    def follow_live(self, job_id: str, on_event: OnEvent) -> AbstractContextManager[None]:
        """Calls `on_event` with the events of pages while this process reads them."""
        return self._live.follow(job_id, on_event)

    async def versions(
        self, job_id: str, index: int, owner: str | None = None
    ) -> Sequence[PageVersion]:
        """Former states of a page, newest first. Raises `PageNotFound` and `PageNotRead`."""
        await self.get(job_id, owner)
        return await self._database.read(versions.of_page, job_id, index)

    async def search(
        self, job_id: str, text: str, owner: str | None = None
    ) -> Sequence[tuple[int, int]]:
        """The pages with this text, and in how many of its blocks each has it."""
        job = await self.get(job_id, owner)
        found: list[tuple[int, int]] = []
        for first in range(0, job.pages_total, PAGES_PER_LOAD):
            read = queries.stored_pages
            some = await self._database.read(read, job_id, first, first + PAGES_PER_LOAD)
            found += await asyncio.to_thread(pages_with, text, some)
        return found

    async def find(self, query: TextQuery) -> tuple[Sequence[FoundText], bool]:
        """The pages of all jobs that have the words, and whether there are more."""
        return await self._database.read(search.find, query)

    def _source(self, job: Job, pages: Sequence[JobPage]) -> JobSource:
        return JobSource(job, pages, files=self.files, sandbox=self._engines.sandbox)
