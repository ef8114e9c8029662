"""Writes the documents of sealed groups to files of any export format."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dsocr.batch.storage import write_output
from dsocr.batch.workspace.layout import BatchOptions, Plan, PlannedDocument, is_retry, read_options
from dsocr.batch.workspace.records import DocumentRecord, PageRecord
from dsocr.batch.workspace.shards import read_shard, sealed_groups
from dsocr.batch.workspace.sources import local_copy
from dsocr.batch.workspace.store import Store
from dsocr.errors import BadRequest, DsocrError
from dsocr.exports import format_of, render
from dsocr.exports.options import ExportOptions
from dsocr.pages.config import PagesConfig
from dsocr.pages.page_images import ExportImages
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.source import open_document
from dsocr.types import Document, Headers

WITH_IMAGES = {"html", "docx", "pdf", "zip"}
"""Formats that have figures or pages of the source, which must still be there."""


@dataclass(frozen=True, slots=True)
class ExportJob:
    """How the documents of a workspace are written."""

    folder: Path
    format: str
    """The key of the export format."""
    headers: Headers = "omit"
    password: str | None = None


@dataclass(slots=True)
class Exported:
    """The result of one export."""

    written: int = 0
    failed: int = 0
    """Documents that could not be opened when they were read, or not be written."""
    not_read: int = 0
    """Documents of groups that are not sealed yet."""


Results = dict[str, tuple[DocumentRecord, dict[int, PageRecord]]]


async def export_documents(
    store: Store, job: ExportJob, pages: PagesConfig, on_failure: Callable[[str], None]
) -> Exported:
    """Writes `<folder>/<name>.<extension>` for each document, one at a time; those with failed
    pages too. Results of retries stand for those that failed."""
    batch = read_options(store)
    plan = Plan()
    plan.refresh(store)
    sealed = sealed_groups(store)
    retried = _retried(store, plan, sealed)
    exported = Exported()
    sandbox = Sandbox(pages)
    try:
        for group, entries in plan.groups.items():
            if is_retry(group):
                continue
            if group not in sealed:
                exported.not_read += len(entries)
                continue
            results = _results(store, sealed[group])
            for entry in entries:
                try:
                    document = _document(entry, batch, results, retried)
                    await _write(document, entry, job, batch, sandbox)
                    exported.written += 1
                except DsocrError as error:
                    exported.failed += 1
                    on_failure(f"{entry.uri}: {error.message}")
    finally:
        await sandbox.close()
    return exported


def _results(store: Store, key: str) -> Results:
    results: Results = {}
    for record in read_shard(store, key):
        if isinstance(record, DocumentRecord):
            results[record.document] = (record, {})
        else:
            results[record.document][1][record.result.index] = record
    return results


def _retried(store: Store, plan: Plan, sealed: dict[str, str]) -> Results:
    """The results of all sealed retries, the later ones over the earlier ones."""
    merged: Results = {}
    for group in plan.groups:
        if not is_retry(group) or group not in sealed:
            continue
        for id, (record, pages) in _results(store, sealed[group]).items():
            earlier = merged.get(id, (record, {}))
            merged[id] = (record, {**earlier[1], **pages})
    return merged


def _document(
    entry: PlannedDocument, batch: BatchOptions, results: Results, retried: Results
) -> Document:
    """Raises `BadRequest` with the reason if no page of it could be opened."""
    opened, pages = results[entry.id]
    again = retried.get(entry.id)
    if again is not None:
        pages = {**pages, **again[1]}
        opened = again[0] if opened.error is not None else opened
    if opened.error is not None:
        raise BadRequest(opened.error.message)
    records = [pages[index] for index in opened.pages]
    first = records[0] if records else None
    return Document(
        entry.name.rpartition("/")[2],
        first.engine if first else "",
        first.model if first else "",
        batch.options,
        tuple(record.result for record in records),
    )


async def _write(
    document: Document,
    entry: PlannedDocument,
    job: ExportJob,
    batch: BatchOptions,
    sandbox: Sandbox,
) -> None:
    target = job.folder / f"{entry.name}.{format_of(job.format).extension}"
    images: ExportImages | None = None
    async with contextlib.AsyncExitStack() as stack:
        if job.format in WITH_IMAGES:
            path = stack.enter_context(local_copy(entry.uri))
            source = await open_document(
                path, name=document.name, sandbox=sandbox, password=job.password
            )
            stack.push_async_callback(source.close)
            images = ExportImages(source, batch.dpi, asyncio.get_running_loop())
        options = ExportOptions(headers=job.headers)
        content = await asyncio.to_thread(render, document, job.format, images, options)
    await asyncio.to_thread(write_output, target, content)
