"""Records of documents and pages as JSON: one object each, the same bytes for the same result.

A record has no time of reading and no counts of drafts: an interrupted batch has the same bytes as
one that was not interrupted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import from_json

from dsocr.engines.base import EngineInfo
from dsocr.errors import DsocrError
from dsocr.jobs.store.records import result_of_values, result_to_values
from dsocr.types import PageFailure, PageResult

WORKER_LOST = "worker_lost"
"""Code of a page that ended its worker's process each time that it was read."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """What opening a document gave: its pages that are read, or why there are none."""

    document: str
    pages: tuple[int, ...] = ()
    error: PageFailure | None = None


@dataclass(frozen=True, slots=True)
class PageRecord:
    """The result of one page, and the engine that gave it."""

    document: str
    result: PageResult
    engine: str
    model: str


Record = DocumentRecord | PageRecord


def document_bytes(record: DocumentRecord) -> bytes:
    values: dict[str, Any] = {"document": record.document, "pages": list(record.pages)}
    if record.error is not None:
        values["error"] = _failure(record.error)
    return _line(values)


def page_bytes(document: str, result: PageResult, info: EngineInfo) -> bytes:
    usage = replace(result.usage, seconds=0.0, drafted_tokens=0, accepted_tokens=0)
    timeless = replace(result, usage=usage)
    return _line(
        {
            "document": document,
            "page": result.index,
            "engine": info.name,
            "model": info.model,
            "result": result_to_values(timeless),
        }
    )


def parse(line: bytes | str) -> Record:
    """Raises `ValueError` for what is no record."""
    values = from_json(line)
    try:
        if "result" not in values:
            error = PageFailure(**values["error"]) if "error" in values else None
            return DocumentRecord(values["document"], tuple(values["pages"]), error)
        result = result_of_values(values["result"])
        return PageRecord(values["document"], result, values["engine"], values["model"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("It is not a record.") from error


def failure_of(error: Exception) -> PageFailure:
    """The error for people; that of a bug names no detail."""
    if isinstance(error, DsocrError):
        return PageFailure(error.code, error.message, error.retryable)
    return PageFailure(DsocrError.code, "Something went wrong inside; the log has the details.")


def lost_page(index: int) -> PageResult:
    """In place of a page that ended its worker's process each time."""
    message = "The process that reads it ended each time; the page is not tried again."
    return PageResult(
        index, 0, 0, finish_reason="error", error=PageFailure(WORKER_LOST, message, False)
    )


def summarize(records: Iterable[Record]) -> dict[str, Any]:
    """Counts and failures of a sealed group."""
    counts = {"documents": 0, "pages": 0, "flagged": 0}
    failures: list[dict[str, Any]] = []
    for record in records:
        if isinstance(record, DocumentRecord):
            counts["documents"] += 1
            page, error = None, record.error
        else:
            counts["pages"] += 1
            counts["flagged"] += bool(record.result.flags)
            page, error = record.result.index, record.result.error
        if error is not None:
            failures.append({"document": record.document, "page": page, **_failure(error)})
    return {**counts, "failures": failures}


def _failure(error: PageFailure) -> dict[str, Any]:
    return {"code": error.code, "message": error.message, "retryable": error.retryable}


def _line(values: dict[str, Any]) -> bytes:
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode("utf-8", "backslashreplace")
