"""Recognizes many documents with one engine and writes each to a file or to a stream in order."""

from __future__ import annotations

import asyncio
import io
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dsocr.batch.figures import has_figure_files, write_with_figures
from dsocr.batch.inputs import Input
from dsocr.batch.notes import notes_of
from dsocr.batch.storage import descriptor_named, is_stream, write_output, write_stream
from dsocr.engines.base import EngineInfo
from dsocr.engines.selection import EngineSelection
from dsocr.errors import BadRequest, DsocrError, NotADocument
from dsocr.exports import render
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.host import EngineHost, HostConfig, started_host
from dsocr.pages.page_images import ExportImages
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.signature import is_named_as_document
from dsocr.pages.source import open_document
from dsocr.pipeline.events import PageDone, PageEvent
from dsocr.pipeline.page_ranges import selected_pages
from dsocr.pipeline.pipeline import PageSource, Pipeline, check_options
from dsocr.pipeline.workers import run_workers
from dsocr.types import Document, ReadOptions

logger = logging.getLogger(__name__)

PIPE_POLL_SECONDS = 0.05
"""How often a named pipe without a reader is tried again."""


@dataclass(frozen=True, slots=True)
class ReadJob:
    """How every document of one batch run is read and written."""

    read: ReadOptions
    format: str
    """The key of the export format."""
    export: ExportOptions = DEFAULTS

    def has_figure_files(self, target: Path | None, content: bytes) -> bool:
        """Whether an export in this format has figures that go beside `target`."""
        return target is not None and has_figure_files(
            self.format, self.export, target, io.BytesIO(content)
        )


@dataclass(slots=True)
class Summary:
    """The results of one batch run."""

    documents: int = 0
    """Documents that were written, also those with failed pages."""
    pages: int = 0
    failed: int = 0
    """Documents that could not be read or written, or have failed pages."""
    skipped: int = 0
    """Files of a folder that are not documents, nor named as such."""
    started_at: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started_at


class Observer(Protocol):
    """Is called on the event loop while documents are read."""

    def engine_ready(self, info: EngineInfo, selection: EngineSelection) -> None: ...

    def document_opened(self, num_pages: int) -> None:
        """0 pages if it could not be opened."""

    def page_done(self) -> None: ...

    def document_written(
        self, entry: Input, target: Path, num_pages: int, seconds: float
    ) -> None: ...

    def noted(self, message: str) -> None:
        """What to know of a document's pages."""

    def failed(self, message: str) -> None:
        """A document or a page failed; the others are read on."""


WriteDocument = Callable[[bytes], None]


async def run_batch(
    inputs: Sequence[Input],
    targets: Sequence[Path] | None,
    job: ReadJob,
    *,
    host_config: HostConfig,
    observer: Observer,
    write_document: WriteDocument | None = None,
) -> Summary:
    """Reads as many documents at once as the engine takes. A failed document is counted.

    Writes each to its target or, without `targets`, calls `write_document` in the order of
    `inputs`. Raises why the engine cannot be started, and what `check_options` raises.
    """
    async with started_host(host_config) as host:
        return await run_batch_on(
            host, inputs, targets, job, observer=observer, write_document=write_document
        )


async def run_batch_on(
    host: EngineHost,
    inputs: Sequence[Input],
    targets: Sequence[Path] | None,
    job: ReadJob,
    *,
    observer: Observer,
    write_document: WriteDocument | None = None,
) -> Summary:
    """`run_batch` with a host whose engine is ready."""
    pipeline, info = await host.pipeline(0)
    check_options(job.read.ocr, info)
    observer.engine_ready(info, host.selection)
    reader = _DocumentReader(pipeline, host.sandbox, job, observer, Summary())
    writer = OrderedWriter(write_document)
    await read_all(
        inputs, targets, reader.read, writer, lambda: host.engine.info.max_concurrency + 1
    )
    return reader.summary


async def read_all(
    inputs: Sequence[Input],
    targets: Sequence[Path] | None,
    read: Callable[[Input, Path | None], Awaitable[bytes | None]],
    writer: OrderedWriter,
    num_at_once: Callable[[], int],
) -> None:
    """Reads the documents, so many at once. `read` writes to a target; without `targets` the
    writer gets what it returns, in the order of `inputs`."""
    upcoming = iter(enumerate(inputs))

    async def read_next() -> bool:
        position, entry = next(upcoming, (0, None))
        if entry is None:
            return False
        content = await read(entry, targets[position] if targets else None)
        if targets is None:
            await writer.write(position, content)
        return True

    await run_workers(read_next, lambda: min(len(inputs), num_at_once()))


@dataclass(frozen=True, slots=True)
class _DocumentReader:
    pipeline: Pipeline
    sandbox: Sandbox
    job: ReadJob
    observer: Observer
    summary: Summary

    async def read(self, entry: Input, target: Path | None) -> bytes | None:
        """The document's export, written to `target` if there is one; None if it failed."""
        began = time.monotonic()
        try:
            document, content, archive = await self._export(entry, target)
            if target is not None:
                await write_target(target, content, archive)
        except DsocrError as error:
            if isinstance(error, NotADocument) and not is_expected(entry):
                self.summary.skipped += 1
            else:
                self._fail(f"{entry}: {error.message}")
            return None
        except Exception:
            logger.exception("bug while reading %s", entry)
            self._fail(f"{entry}: internal error; see the log above")
            return None
        self.summary.documents += 1
        for note in notes_of(document):
            self.observer.noted(f"{entry}: {note}")
        if self._is_complete(entry, document) and target is not None:
            seconds = time.monotonic() - began
            self.observer.document_written(entry, target, len(document.pages), seconds)
        return content

    async def _export(
        self, entry: Input, target: Path | None
    ) -> tuple[Document, bytes, bytes | None]:
        """The document, its export, and the zip of the figures that go beside `target`."""
        try:
            check_readable(entry.path)
            source = await open_document(
                entry.path,
                name=entry.below.name,
                sandbox=self.sandbox,
                password=self.job.read.password,
            )
        except DsocrError:
            self.observer.document_opened(0)
            raise
        try:
            document = await self._read_pages(source)
            images = ExportImages(source, self.job.read.dpi, asyncio.get_running_loop())
            content = await self._rendered(document, self.job.format, images)
            archive = None
            if self.job.has_figure_files(target, content):
                archive = await self._rendered(document, "zip", images)
            return document, content, archive
        finally:
            await source.close()

    async def _rendered(self, document: Document, format: str, images: ExportImages) -> bytes:
        return await asyncio.to_thread(render, document, format, images, self.job.export)

    async def _read_pages(self, source: PageSource) -> Document:
        read = self.job.read
        pages = selected_pages(read.pages, source.num_pages)
        self.observer.document_opened(len(pages))
        document = await self.pipeline.run(
            source, read.ocr, pages=pages, dpi=read.dpi, on_event=self._on_event
        )
        failures = [page.error for page in document.pages]
        if failures and all(failures) and failures[0] is not None:
            raise BadRequest(failures[0].message)
        return document

    def _on_event(self, event: PageEvent) -> None:
        if isinstance(event, PageDone):
            self.summary.pages += event.page.error is None
            self.observer.page_done()

    def _is_complete(self, entry: Input, document: Document) -> bool:
        """False, and counted as failed, if pages failed."""
        failed = [page for page in document.pages if page.error]
        for page in failed:
            assert page.error is not None
            self.observer.failed(f"{entry}: page {page.index + 1}: {page.error.message}")
        self.summary.failed += bool(failed)
        return not failed

    def _fail(self, message: str) -> None:
        self.summary.failed += 1
        self.observer.failed(message)


async def write_target(target: Path, content: bytes, archive: bytes | None = None) -> None:
    """`write_output`, which waits for the reader of a named pipe. With a zip export as `archive`
    its figures are written beside `target`."""
    if archive is not None:
        lines, figures = io.BytesIO(content), io.BytesIO(archive)
        await asyncio.to_thread(write_with_figures, target, lines, figures)
        return
    if descriptor_named(target) is not None or not is_stream(target):
        await asyncio.to_thread(write_output, target, content)
        return
    while not await asyncio.to_thread(write_stream, target, content):
        await asyncio.sleep(PIPE_POLL_SECONDS)  # unlike a blocked open, this can be interrupted


class OrderedWriter:
    """Writes documents in the order of the inputs, whichever is done first."""

    def __init__(self, write: WriteDocument | None) -> None:
        self._write = write
        self._next = 0
        self._advanced = asyncio.Condition()

    async def write(self, position: int, content: bytes | None) -> None:
        async with self._advanced:
            await self._advanced.wait_for(lambda: self._next == position)
            if content is not None and self._write is not None:
                self._write(content)
            self._next += 1
            self._advanced.notify_all()


def is_expected(entry: Input) -> bool:
    """Whether a file that is not a document counts as failed: an empty scan.jpg does, a notes.txt
    in a folder does not."""
    return entry.named or is_named_as_document(entry.below)


def check_readable(path: Path) -> None:
    """Raises `BadRequest` with the reason, which the sandbox does not report."""
    try:
        path.open("rb").close()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise BadRequest("it is a link to a file that does not exist") from error
        raise BadRequest(error.strerror or "it cannot be read") from error
    except OSError as error:
        raise BadRequest(error.strerror or "it cannot be read") from error
