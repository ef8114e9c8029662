"""What the client takes and returns. Names are those of the HTTP API (docs/api.md).

Fields that a newer service adds are kept, so that a document can be sent back as it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from pydantic import BaseModel, ConfigDict

from dsocr.schema import Layout, PageAnswer, PageError
from dsocr.types import Headers

FINISHED = ("succeeded", "failed", "cancelled")


class Record(BaseModel):
    """A JSON object of the service."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Document(Record):
    """A document that was read: the answer of `/api/ocr`. `layout` is the first page's."""

    mode: str
    prompt: str
    text: str
    rawText: str
    durationMs: float
    fileName: str
    fileSize: int
    engine: str
    model: str
    layout: Layout
    pages: list[PageAnswer]
    requestId: str


class JobFile(Record):
    fileName: str
    fileSize: int
    pages: int
    """Of the whole file, also if only some of them are read."""


class Job(Record):
    """A job and its progress."""

    jobId: str
    status: Literal["queued", "running", "succeeded", "failed", "cancelled"]
    pagesTotal: int
    pagesDone: int
    """Read or failed."""
    pagesFailed: int
    files: list[JobFile]
    mode: str
    prompt: str
    engine: str
    model: str
    createdAt: str
    startedAt: str | None
    finishedAt: str | None
    queuePosition: int | None
    etaSeconds: float | None
    error: PageError | None
    editable: bool = True
    """Whether the caller may change and delete it; a job of another browser is only read."""

    @property
    def finished(self) -> bool:
        return self.status in FINISHED


class JobList(Record):
    """Newest first. `total` counts all that match."""

    jobs: list[Job]
    total: int
    limit: int
    offset: int


class Correction(Record):
    """The text and the label that a person gave a block."""

    id: int
    text: str | None
    label: str | None


class JobPage(PageAnswer):
    """A page of a job. `pageIndex` counts from 0 over all its pages."""

    fileName: str
    fileIndex: int
    filePageIndex: int
    rotation: int = 0
    corrections: list[Correction]
    correctedText: str


class PageSummary(Record):
    """A page of a job without its text."""

    pageIndex: int
    fileName: str
    fileIndex: int
    filePageIndex: int
    rotation: int = 0
    durationMs: float
    finishReason: str
    flags: list[str]
    reviewShare: float | None = None
    error: PageError | None


class FormatAvailability(Record):
    """A format, and what it needs and the job lacks."""

    key: str
    missing: list[str]


class FormatList(Record):
    formats: list[FormatAvailability]


class _CommonOptions(TypedDict, total=False):
    mode: str
    prompt: str
    pages: str
    password: str
    dpi: float
    max_tokens: int
    temperature: float
    no_repeat_ngram: str
    model: str
    engine: str
    languages: str


class ReadOptions(_CommonOptions, total=False):
    """The fields of `/api/ocr`."""

    headers: Headers


class JobOptions(_CommonOptions, total=False):
    """The fields of `/api/jobs`."""

    callback: str


class RetryOptions(TypedDict, total=False):
    """What can differ from the job's when a page is read again."""

    mode: str
    prompt: str
    max_tokens: int
    temperature: float
    no_repeat_ngram: str
    languages: str
    dpi: float
    rotation: int
    discard_corrections: bool


class BlockCorrection(TypedDict, total=False):
    """`id` is required. A block with neither text nor label is reset to the engine's result."""

    id: int
    text: str | None
    label: str | None


class ExportOptions(TypedDict, total=False):
    """Options of an export; docs/exports.md describes them."""

    headers: Headers
    math: Literal["brackets", "dollars"]
    tables: Literal["html", "markdown"]
    figures: Literal["linked", "embedded"]
    breaks: Literal["rule", "comment", "none"]
    frontmatter: bool
    toc: bool
    join: bool
    repair: bool
    headings: bool
    captions: bool
    unescape: bool
    chunk_size: int
    chunk_overlap: int
    redact: Sequence[str]
