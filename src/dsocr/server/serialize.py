"""Serializes documents, events and jobs. Pages and blocks: see `dsocr.schema`."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from dsocr.exports.markdown import join_pages, page_text
from dsocr.exports.running_heads import without_running_heads
from dsocr.jobs.document import corrected
from dsocr.jobs.job import FoundText, Job, PageSummary, PageVersion, StoredPage
from dsocr.pipeline.events import (
    BlockClosed,
    PageDone,
    PageEvent,
    PageReset,
    PageStarted,
    TextDelta,
)
from dsocr.schema import serialize_block, serialize_failure, serialize_page
from dsocr.types import Document, Headers

RAW_PAGE_BREAK = "\n<--- Page Split --->\n"
"""Between the raw outputs of two pages, as in the PDF script of DeepSeek-OCR."""


def serialize_document(
    document: Document,
    *,
    headers: Headers = "omit",
    file_name: str,
    file_size: int,
    milliseconds: float,
    request_id: str,
) -> dict[str, Any]:
    """The response of `/api/ocr`."""
    document = without_running_heads(document, headers)
    pages = [serialize_page(page) for page in document.pages]
    return {
        "mode": document.mode,
        "prompt": document.options.prompt,
        "text": join_pages(page_text(page) for page in document.pages),
        "rawText": RAW_PAGE_BREAK.join(page.raw for page in document.pages),
        "durationMs": round(milliseconds, 1),
        "fileName": file_name,
        "fileSize": file_size,
        "engine": document.engine,
        "model": document.model,
        "layout": pages[0]["layout"],
        "pages": pages,
        "requestId": request_id,
    }


class EventSerializer:
    """The events of one document by name. Keeps the page sizes that blocks are scaled with."""

    def __init__(self, num_pages: int) -> None:
        self._num_pages = num_pages
        self._sizes: dict[int, tuple[int, int]] = {}
        self._num_blocks: dict[int, int] = {}

    def serialize(self, event: PageEvent) -> tuple[str, dict[str, Any]]:
        """The name and the data of the event."""
        if isinstance(event, PageDone):
            return "page_done", serialize_page(event.page)
        data: dict[str, Any] = {"pageIndex": event.index}
        if isinstance(event, PageStarted):
            self._sizes[event.index] = (event.width, event.height)
            size = {"width": event.width, "height": event.height}
            turn = {"rotation": event.rotation} if event.rotation else {}
            return "page", data | size | turn | {"pagesTotal": self._num_pages}
        if isinstance(event, TextDelta):
            return "delta", data | {"text": event.text}
        if isinstance(event, BlockClosed):
            return "block", data | {"block": self._block(event)}
        assert isinstance(event, PageReset)
        self._num_blocks.pop(event.index, None)
        return "page_reset", data | {"reason": event.reason}

    def _block(self, event: BlockClosed) -> dict[str, Any]:
        number = self._num_blocks.get(event.index, 0)
        self._num_blocks[event.index] = number + 1
        return serialize_block(event.block, number, *self._sizes[event.index])


def serialize_job(job: Job, *, editable: bool = True) -> dict[str, Any]:
    return {
        "jobId": job.id,
        "status": job.status,
        "pagesTotal": job.pages_total,
        "pagesDone": job.pages_done,
        "pagesFailed": job.pages_failed,
        "files": [
            {"fileName": file.name, "fileSize": file.size, "pages": file.num_pages}
            for file in job.files
        ],
        "mode": job.options.mode,
        "prompt": job.options.prompt,
        "engine": job.engine,
        "model": job.model,
        "createdAt": _timestamp(job.created_at),
        "startedAt": _timestamp(job.started_at),
        "finishedAt": _timestamp(job.finished_at),
        "queuePosition": job.queue_position,
        "etaSeconds": None if job.eta_seconds is None else round(job.eta_seconds, 1),
        "error": serialize_failure(job.error) if job.error else None,
        "editable": editable,
    }


def serialize_found(found: FoundText) -> dict[str, Any]:
    return {
        "jobId": found.job_id,
        "fileName": found.file_name,
        "createdAt": _timestamp(found.created_at),
        "pageIndex": found.page,
        "block": found.block,
        "excerpt": [{"text": part.text, "match": part.match} for part in found.excerpt],
    }


def serialize_stored_page(stored: StoredPage) -> dict[str, Any]:
    return {
        **serialize_page(stored.result),
        "fileName": stored.file_name,
        "fileIndex": stored.page.file,
        "filePageIndex": stored.page.file_page,
        "rotation": stored.page.rotation,
        "corrections": [
            {"id": block, "text": correction.text, "label": correction.label}
            for block, correction in sorted(stored.corrections.items())
        ],
        "correctedText": page_text(corrected(stored)),
    }


def serialize_version(version: PageVersion) -> dict[str, Any]:
    stored = version.stored
    return {
        "number": version.number,
        "replacedAt": _timestamp(version.replaced_at),
        "mode": version.options.mode,
        "prompt": version.options.prompt,
        "rotation": stored.page.rotation,
        "durationMs": round(stored.result.usage.seconds * 1000, 1),
        "corrections": len(stored.corrections),
        "text": page_text(corrected(stored)),
    }


def serialize_page_summary(summary: PageSummary) -> dict[str, Any]:
    return {
        "pageIndex": summary.page.index,
        "fileName": summary.file_name,
        "fileIndex": summary.page.file,
        "filePageIndex": summary.page.file_page,
        "rotation": summary.page.rotation,
        "durationMs": round(summary.seconds * 1000, 1),
        "finishReason": summary.finish_reason,
        "flags": list(summary.flags),
        "reviewShare": summary.review_share,
        "error": serialize_failure(summary.error) if summary.error else None,
    }


def _timestamp(seconds: float | None) -> str | None:
    """Seconds since 1970 as ISO 8601 in UTC with milliseconds."""
    if seconds is None:
        return None
    utc = datetime.fromtimestamp(seconds, timezone.utc)
    return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
