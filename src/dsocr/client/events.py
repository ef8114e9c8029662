"""The events of a document that is read, and of a job. Events of an unknown name are skipped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import httpx2 as httpx

from dsocr.client.errors import error_of_event, understood
from dsocr.client.records import Document, Job, PageSummary, Record
from dsocr.schema import LayoutItem, PageAnswer


class PageStarted(Record):
    """A page is begun. Sizes are pixels of the upright page."""

    pageIndex: int
    width: int
    height: int
    pagesTotal: int


class TextDelta(Record):
    """New raw text of a page."""

    pageIndex: int
    text: str


class BlockDone(Record):
    """A complete block of a page."""

    pageIndex: int
    block: LayoutItem


class PageReset(Record):
    """The page is read again: drop its deltas and blocks."""

    pageIndex: int
    reason: str


@dataclass(frozen=True, slots=True)
class PageDone:
    page: PageAnswer


@dataclass(frozen=True, slots=True)
class DocumentDone:
    """The last event."""

    document: Document


ReadEvent = PageStarted | TextDelta | BlockDone | PageReset | PageDone | DocumentDone


@dataclass(frozen=True, slots=True)
class JobPageDone:
    """A page was stored. `id` is the event's, to resume after."""

    id: str
    page: PageSummary


@dataclass(frozen=True, slots=True)
class JobChanged:
    """The state or the progress of the job has changed."""

    id: str
    job: Job


@dataclass(frozen=True, slots=True)
class JobDone:
    """The job is finished: the last event."""

    id: str
    job: Job


JobEvent = JobPageDone | JobChanged | JobDone

_READ: dict[str, Callable[[str], ReadEvent]] = {
    "page": PageStarted.model_validate_json,
    "delta": TextDelta.model_validate_json,
    "block": BlockDone.model_validate_json,
    "page_reset": PageReset.model_validate_json,
    "page_done": lambda data: PageDone(PageAnswer.model_validate_json(data)),
    "done": lambda data: DocumentDone(Document.model_validate_json(data)),
}


def read_event(event: httpx.ServerSentEvent) -> ReadEvent | None:
    """None for an unknown name. Raises `ServiceError` for the event `error`."""
    with understood():
        if event.event == "error":
            raise error_of_event(json.loads(event.data))
        parse = _READ.get(event.event)
        return parse(event.data) if parse else None


def job_event(event: httpx.ServerSentEvent) -> JobEvent | None:
    """None for an unknown name."""
    with understood():
        if event.event == "page_done":
            return JobPageDone(event.id, PageSummary.model_validate_json(event.data))
        if event.event not in ("job", "done"):
            return None
        job = Job.model_validate_json(event.data)
    return JobDone(event.id, job) if event.event == "done" else JobChanged(event.id, job)
