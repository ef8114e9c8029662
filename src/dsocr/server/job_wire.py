"""Jobs under their wire names."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from dsocr.exports.markdown import page_text
from dsocr.jobs.document import corrected
from dsocr.jobs.job import Job, PageSummary, StoredPage
from dsocr.schema import serialize_failure, serialize_page


def job_to_wire(job: Job) -> dict[str, Any]:
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
        "createdAt": _moment(job.created_at),
        "startedAt": _moment(job.started_at),
        "finishedAt": _moment(job.finished_at),
        "queuePosition": job.queue_position,
        "etaSeconds": None if job.eta_seconds is None else round(job.eta_seconds, 1),
        "error": serialize_failure(job.error) if job.error else None,
    }


def stored_page_to_wire(stored: StoredPage) -> dict[str, Any]:
    return {
        **serialize_page(stored.result),
        "fileName": stored.file_name,
        "fileIndex": stored.page.file,
        "filePageIndex": stored.page.file_page,
        "corrections": [
            {"id": block, "text": correction.text, "label": correction.label}
            for block, correction in sorted(stored.corrections.items())
        ],
        "correctedText": page_text(corrected(stored)),
    }


def news_to_wire(news: PageSummary) -> dict[str, Any]:
    return {
        "pageIndex": news.page.index,
        "fileName": news.file_name,
        "fileIndex": news.page.file,
        "filePageIndex": news.page.file_page,
        "durationMs": round(news.seconds * 1000, 1),
        "finishReason": news.finish_reason,
        "flags": list(news.flags),
        "error": serialize_failure(news.error) if news.error else None,
    }


def _moment(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
