"""Writes the documents of sealed groups to files of any export format."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dsocr.batch.figures import has_figure_files, write_with_figures
from dsocr.batch.names import printable
from dsocr.batch.storage import write_output
from dsocr.batch.workspace.layout import BatchOptions, Plan, PlannedDocument, is_retry, read_options
from dsocr.batch.workspace.results import Results
from dsocr.batch.workspace.shards import sealed_groups
from dsocr.batch.workspace.sources import local_copy
from dsocr.batch.workspace.stores.store import Store
from dsocr.errors import BadRequest, DsocrError
from dsocr.exports import format_of, write
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.pages.config import PagesConfig
from dsocr.pages.page_images import ExportImages
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.source import open_document
from dsocr.types import Document

WITH_IMAGES = {"html", "docx", "pdf", "zip"}
"""Formats that have figures or pages of the source, which must still be there."""


@dataclass(frozen=True, slots=True)
class ExportJob:
    """How the documents of a workspace are written."""

    folder: Path
    format: str
    """The key of the export format."""
    options: ExportOptions = DEFAULTS
    password: str | None = None

    @property
    def needs_sources(self) -> bool:
        embeds = self.format == "markdown" and self.options.figures == "embedded"
        return embeds or self.format in WITH_IMAGES


@dataclass(slots=True)
class Exported:
    """The result of one export."""

    written: int = 0
    failed: int = 0
    """Documents that could not be opened when they were read, or not be written."""
    not_read: int = 0
    """Documents of groups that are not sealed yet."""


async def export_documents(
    store: Store, job: ExportJob, pages: PagesConfig, on_failure: Callable[[str], None]
) -> Exported:
    """Writes `<folder>/<name>.<extension>` for each document, one at a time and page by page;
    those with failed pages too."""
    batch = read_options(store)
    plan = Plan()
    plan.refresh(store)
    sealed = sealed_groups(store)
    exported = Exported()
    sandbox = Sandbox(pages)
    with contextlib.closing(Results(store, plan, sealed, batch)) as results:
        try:
            for group, entries in plan.groups.items():
                if is_retry(group):
                    continue
                if group not in sealed:
                    exported.not_read += len(entries)
                    continue
                for entry in entries:
                    try:
                        document = await asyncio.to_thread(results.document, entry)
                        await _write(document, entry, job, batch, sandbox)
                        exported.written += 1
                    except DsocrError as error:
                        exported.failed += 1
                        on_failure(f"{printable(entry.uri)}: {error.message}")
        finally:
            await sandbox.close()
    return exported


async def _write(
    document: Document,
    entry: PlannedDocument,
    job: ExportJob,
    batch: BatchOptions,
    sandbox: Sandbox,
) -> None:
    target = job.folder / f"{entry.name}.{format_of(job.format).extension}"
    async with contextlib.AsyncExitStack() as stack:
        opened = _Source(stack, entry, job, batch, sandbox)
        images = await opened.images() if job.needs_sources else None
        with tempfile.TemporaryFile() as file:
            await asyncio.to_thread(write, document, job.format, file, images, job.options)
            file.seek(0)
            if has_figure_files(job.format, job.options, target, file):
                await _write_with_figures(document, target, job, file, opened)
            else:
                await asyncio.to_thread(write_output, target, file)


async def _write_with_figures(
    document: Document, target: Path, job: ExportJob, markdown: BinaryIO, opened: _Source
) -> None:
    """Raises `BadRequest` where the source has no figures any more; the text is written."""
    with tempfile.TemporaryFile() as archive:
        try:
            images = await opened.images()
            await asyncio.to_thread(write, document, "zip", archive, images, job.options)
        except DsocrError as error:
            await asyncio.to_thread(write_output, target, markdown)
            message = f"its text was written without its figures: {error.message}"
            raise BadRequest(message) from error
        markdown.seek(0)
        await asyncio.to_thread(write_with_figures, target, markdown, archive)


@dataclass(frozen=True, slots=True)
class _Source:
    """The input file of a document; once it is opened, `stack` closes it."""

    stack: contextlib.AsyncExitStack
    entry: PlannedDocument
    job: ExportJob
    batch: BatchOptions
    sandbox: Sandbox

    async def images(self) -> ExportImages:
        """The images of its pages. Raises `DsocrError` if it cannot be opened."""
        copy = local_copy(self.entry.uri)
        path = await asyncio.to_thread(self.stack.enter_context, copy)
        name = self.entry.name.rpartition("/")[2]
        source = await open_document(
            path, name=name, sandbox=self.sandbox, password=self.job.password
        )
        self.stack.push_async_callback(source.close)
        return ExportImages(source, self.batch.dpi, asyncio.get_running_loop())
