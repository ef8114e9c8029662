"""The data of jobs: frozen dataclasses and errors. Imports neither SQL nor HTTP."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from dsocr.errors import DsocrError
from dsocr.types import Block, OcrOptions, PageFailure, PageResult

Status = Literal["queued", "running", "succeeded", "failed", "cancelled"]
BROWSER_OWNER = "browser:"
"""Begins the owner of jobs of a browser, where there are no keys."""
FINISHED: tuple[Status, ...] = ("succeeded", "failed", "cancelled")


class JobNotFound(DsocrError):
    """There is no such job."""

    code = "not_found"


class PageNotFound(DsocrError):
    """The job has no such page."""

    code = "not_found"


class PageNotRead(DsocrError):
    """This page has not been read yet."""

    code = "page_not_read"
    retryable = True


class VersionNotFound(DsocrError):
    """The page has no such version."""

    code = "not_found"


class JobReadOnly(DsocrError):
    """Only the browser that made this document can change it; open it there."""

    code = "read_only"


class JobConflict(DsocrError):
    """The job is in a state in which this cannot be done."""

    code = "conflict"


class IdempotencyConflict(DsocrError):
    """This Idempotency-Key was used for another request."""

    code = "idempotency_conflict"


@dataclass(frozen=True, slots=True)
class JobFile:
    """One of the files of a job. `number` counts from 0 and is its name on the disk."""

    number: int
    name: str
    size: int
    num_pages: int
    """Of the whole file; 1 for a file that cannot be opened: its one page has the error."""
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of a job and its position in the job's files. Both indices count from 0."""

    index: int
    file: int
    file_page: int
    rotation: int = 0
    """Degrees clockwise by which the page was turned for its present reading."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to accept; its files are at `paths`, in the order of `files`."""

    id: str
    owner: str
    """Fingerprint of the API key it came with; without keys of the browser, or empty."""
    options: OcrOptions
    dpi: float | None
    engine: str
    wanted_engine: str | None
    files: tuple[JobFile, ...]
    pages: tuple[JobPage, ...]
    paths: tuple[Path, ...]
    idempotency_key: str | None = None
    fingerprint: str | None = None
    """Hash of the whole request; the same key with another hash is a conflict."""
    callback_url: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """The state of a job at one moment. Times are seconds since 1970."""

    id: str
    owner: str
    status: Status
    options: OcrOptions
    dpi: float | None
    engine: str
    model: str
    files: tuple[JobFile, ...]
    pages_total: int
    pages_done: int
    """Read or failed."""
    pages_failed: int
    seq: int
    """Grows with every change: the number of the job's newest event."""
    created_at: float
    started_at: float | None
    finished_at: float | None
    error: PageFailure | None
    wanted_engine: str | None = None
    """Name of the engine or model that it asks for; None: the default one."""
    queue_position: int | None = None
    """From 1, while it is queued."""
    eta_seconds: float | None = None

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    def is_editable(self, owner: str | None) -> bool:
        """Whether a caller who may open it may change it too. Without keys, everyone may open the
        job of a browser and that browser alone may change it."""
        return owner in (None, self.owner) or not self.owner.startswith(BROWSER_OWNER)

    @property
    def name(self) -> str:
        return self.files[0].name if self.files else "document"


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A worker with capacity for another job."""

    worker: str
    engine: str
    """The default engine; empty while it is not ready, and only jobs for `others` are claimed."""
    lost_workers: Collection[str] = ()
    """Workers whose jobs may be claimed: they died, or their heartbeat expired."""
    max_jobs_of_owner: int = 1
    """An owner with this many jobs running on this worker gets no other one here."""
    few_jobs: int = 1
    """An owner with this many running gets no other one here if at least `enough_pages` of their
    pages are left."""
    enough_pages: int | None = None
    """None: only the number of jobs counts."""
    model: str = ""
    """Of the engine; stored with the job."""
    others: Collection[str] = ()
    """Further names of engines and models that a job may ask for."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a job's pages, valid until a claim with a higher `epoch`."""

    job_id: str
    epoch: int
    recovered: bool = field(default=False, compare=False)
    """Whether the job had been running without a holder, or with one that was lost."""


@dataclass(frozen=True, slots=True)
class PageBatch:
    """Pages to read with the same options."""

    options: OcrOptions
    dpi: float | None
    pages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Correction:
    """A person's change of a block; a field that is None stays as the engine has it."""

    text: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page that was read, with its corrections."""

    page: JobPage
    file_name: str
    seq: int
    result: PageResult
    corrections: Mapping[int, Correction]
    """By the block's index in reading order."""


@dataclass(frozen=True, slots=True)
class PageVersion:
    """A former state of a page."""

    number: int
    """Grows with each version of the page."""
    replaced_at: float
    options: OcrOptions
    """It was read with."""
    stored: StoredPage


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of an excerpt; `match` where it is what was searched for."""

    text: str
    match: bool


@dataclass(frozen=True, slots=True)
class FoundText:
    """A page that has the words of a search."""

    job_id: str
    file_name: str
    created_at: float
    """Of the job."""
    page: int
    """From 0 over all pages of the job."""
    block: int | None
    """The block that the excerpt is from; None for a page without blocks."""
    excerpt: tuple[TextPart, ...]


@dataclass(frozen=True, slots=True)
class PageSummary:
    """A page that was read, without its text and layout: what an event has."""

    page: JobPage
    file_name: str
    seq: int
    seconds: float
    finish_reason: str
    flags: tuple[str, ...]
    error: PageFailure | None
    review_share: float | None = None


def corrected_blocks(
    blocks: Sequence[Block], corrections: Mapping[int, Correction]
) -> tuple[Block, ...]:
    """The blocks as people corrected them."""
    found = list(blocks)
    for index, correction in corrections.items():
        block = found[index]
        found[index] = replace(
            block,
            text=block.text if correction.text is None else correction.text,
            label=block.label if correction.label is None else correction.label,
            confidence=None,
            score=None,
            review=False,
        )
    return tuple(found)
