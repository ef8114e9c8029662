"""`dsocr read --url`: each document is a job of a running service, deleted when it was exported."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from dsocr.batch.inputs import Input
from dsocr.batch.runner import (
    Observer,
    OrderedWriter,
    ReadJob,
    Summary,
    WriteDocument,
    check_readable,
    is_expected,
    read_all,
    write_target,
)
from dsocr.cli.service import Service
from dsocr.client import (
    AsyncClient,
    ClientError,
    ExportOptions,
    Job,
    JobDone,
    JobOptions,
    JobPageDone,
    PageSummary,
    ServiceUnreachable,
    Unauthorized,
)
from dsocr.errors import BadRequest, DsocrError

MAX_JOBS = 4
"""Documents at once: while one is uploaded or exported, the service reads others."""


async def read_remotely(
    inputs: Sequence[Input],
    targets: Sequence[Path] | None,
    job: ReadJob,
    service: Service,
    *,
    observer: Observer,
    write_document: WriteDocument,
) -> Summary:
    """`run_batch` with a service. Raises `ServiceUnreachable` and `Unauthorized`; any other error
    of a document is counted, and the others are read."""
    async with AsyncClient(service.url, service.key) as client:
        reader = _RemoteReader(client, service, job, observer, Summary())
        writer = OrderedWriter(write_document)
        await read_all(inputs, targets, reader.read, writer, lambda: MAX_JOBS)
        return reader.summary


@dataclass(frozen=True, slots=True)
class _RemoteReader:
    client: AsyncClient
    service: Service
    job: ReadJob
    observer: Observer
    summary: Summary

    async def read(self, entry: Input, target: Path | None) -> bytes | None:
        """The document's export, written to `target` if there is one; None if it failed."""
        began = time.monotonic()
        try:
            job, content, archive = await self._export(entry, target)
            if target is not None:
                await write_target(target, content, archive)
        except (ServiceUnreachable, Unauthorized):
            raise
        except DsocrError as error:
            self._fail(entry, error)
            return None
        self.summary.documents += 1
        self.summary.failed += bool(job.pagesFailed)
        if target is not None and not job.pagesFailed:
            seconds = time.monotonic() - began
            self.observer.document_written(entry, target, job.pagesTotal, seconds)
        return content

    async def _export(self, entry: Input, target: Path | None) -> tuple[Job, bytes, bytes | None]:
        """The job, its export, and the zip of the figures that go beside `target`."""
        try:
            check_readable(entry.path)
            submitted = await self.client.create_job(
                [entry.path], name=entry.below.name, **self._fields()
            )
        except DsocrError:
            self.observer.document_opened(0)
            raise
        self.observer.document_opened(submitted.pagesTotal)
        try:
            job = await self._followed(entry, submitted.jobId)
            options = cast(ExportOptions, self.job.export.changed())
            content = await self.client.export(job.jobId, self.job.format, **options)
            archive = None
            if self.job.has_figure_files(target, content):
                archive = await self.client.export(job.jobId, "zip", **options)
            return job, content, archive
        finally:
            with contextlib.suppress(ClientError):
                await self.client.delete(submitted.jobId)

    def _fields(self) -> JobOptions:
        fields = dict(self.service.fields)
        if self.job.read.pages:
            fields["pages"] = self.job.read.pages
        if self.job.read.password:
            fields["password"] = self.job.read.password
        if self.job.read.dpi:
            fields["dpi"] = str(self.job.read.dpi)
        return cast(JobOptions, fields)

    async def _followed(self, entry: Input, job_id: str) -> Job:
        """The job when it is finished. Raises `BadRequest` if it has no result."""
        async with contextlib.aclosing(self.client.job_events(job_id)) as events:
            async for event in events:
                if isinstance(event, JobDone):
                    return _with_result(event.job)
                if isinstance(event, JobPageDone):
                    self._show_page(entry, event.page)
        return _with_result(await self.client.job(job_id))

    def _show_page(self, entry: Input, page: PageSummary) -> None:
        self.summary.pages += page.error is None
        self.observer.page_done()
        if page.error is not None:
            message = f"{entry}: page {page.filePageIndex + 1}: {page.error.message}"
            self.observer.failed(message)

    def _fail(self, entry: Input, error: DsocrError) -> None:
        if error.code == "not_a_document" and not is_expected(entry):
            self.summary.skipped += 1
            return
        self.summary.failed += 1
        self.observer.failed(f"{entry}: {error.message}")


def _with_result(job: Job) -> Job:
    if job.status == "cancelled":
        raise BadRequest("the job was cancelled")
    if job.status == "failed":
        raise BadRequest(job.error.message if job.error else "no page could be read")
    return job
