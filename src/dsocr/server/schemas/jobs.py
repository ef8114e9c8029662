"""Requests and responses of `/api/jobs`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dsocr.schema import PageAnswer, PageError
from dsocr.server.schemas.export import ExportFields
from dsocr.server.schemas.ocr import OcrForm, requires

STATUSES = Literal["queued", "running", "succeeded", "failed", "cancelled"]
EXAMPLE_JOB: dict[str, Any] = {
    "jobId": "5f2c6f0e9b1d4b7d8f0a4c7e2a913b55",
    "status": "running",
    "pagesTotal": 300,
    "pagesDone": 120,
    "pagesFailed": 0,
    "files": [{"fileName": "book.pdf", "fileSize": 18480032, "pages": 300}],
    "mode": "gundam",
    "prompt": "<image>\n<|grounding|>Convert the document to markdown.",
    "engine": "ppocr",
    "model": "PP-OCRv6",
    "createdAt": "2026-01-31T12:00:00.000Z",
    "startedAt": "2026-01-31T12:00:00.120Z",
    "finishedAt": None,
    "queuePosition": None,
    "etaSeconds": 214.5,
    "error": None,
    "editable": True,
}


class JobForm(OcrForm):
    """The fields of a job's form beside its files."""

    callback: str | None = Field(
        default=None,
        description="https URL that is called when the job has finished, if its host is allowed",
    )


class JobFileAnswer(BaseModel):
    fileName: str
    fileSize: int
    pages: int = Field(description="Of the whole file, also if only some of them are read")


class JobAnswer(BaseModel):
    """A job and its progress."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_JOB]})

    jobId: str
    status: STATUSES
    pagesTotal: int
    pagesDone: int = Field(description="Read or failed")
    pagesFailed: int
    files: list[JobFileAnswer]
    mode: str
    prompt: str
    engine: str
    model: str
    createdAt: str
    startedAt: str | None
    finishedAt: str | None
    queuePosition: int | None = Field(description="From 1, while it is queued")
    etaSeconds: float | None = Field(description="Estimated time until it is done")
    error: PageError | None
    editable: bool = Field(description="Whether the caller may change, cancel and delete it")


class JobList(BaseModel):
    """Newest first."""

    jobs: list[JobAnswer]
    total: int
    limit: int
    offset: int


class CorrectionAnswer(BaseModel):
    id: int
    text: str | None
    label: str | None


class JobPageAnswer(PageAnswer):
    """A page as the engine read it, with its corrections. `pageIndex` counts from 0 over all pages
    of the job."""

    fileName: str
    fileIndex: int
    filePageIndex: int = Field(description="From 0, in its file")
    rotation: int = Field(
        default=0, description="Degrees clockwise by which the page was turned to be read"
    )
    corrections: list[CorrectionAnswer]
    correctedText: str = Field(description="`text` with the corrections applied")


class PageVersionAnswer(BaseModel):
    """A former state of a page, as it was with its corrections."""

    number: int
    replacedAt: str
    mode: str
    prompt: str
    rotation: int = Field(default=0, description="Degrees clockwise by which the page was turned")
    durationMs: float = Field(description="Of its reading")
    corrections: int = Field(description="Corrected blocks")
    text: str


class PageVersions(BaseModel):
    """Newest first."""

    versions: list[PageVersionAnswer]


class FoundPage(BaseModel):
    pageIndex: int
    blocks: int = Field(description="With the text")


class FoundPages(BaseModel):
    pages: list[FoundPage]


class ExcerptPart(BaseModel):
    text: str
    match: bool = Field(description="Whether it is what was searched for")


class FoundText(BaseModel):
    """A page that has the words."""

    jobId: str
    fileName: str
    createdAt: str = Field(description="Of the job")
    pageIndex: int
    block: int | None = Field(description="The block that the excerpt is from")
    excerpt: list[ExcerptPart]


class FoundTexts(BaseModel):
    """Of the newest job first."""

    found: list[FoundText]
    more: bool = Field(description="Whether there are more after these")


class BlockCorrection(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: int = Field(ge=0, description="Of the layout item")
    text: str | None = Field(default=None, max_length=1 << 20)
    label: str | None = Field(default=None, min_length=1, max_length=64)


class Corrections(BaseModel):
    """Corrected blocks. A block with neither text nor label is reset to the engine's result."""

    model_config = ConfigDict(extra="forbid")

    blocks: list[BlockCorrection] = Field(max_length=10_000)


class JobChanges(BaseModel):
    """What a job is changed to."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        min_length=1, max_length=255, description="Of the document: its first file has this name"
    )


class PageRetry(BaseModel):
    """Options that differ from the job's."""

    model_config = ConfigDict(extra="forbid")

    mode: str | None = None
    prompt: str | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    no_repeat_ngram: str | None = None
    languages: str | None = None
    dpi: float | None = Field(default=None, ge=36, le=600)
    rotation: int | None = Field(
        default=None,
        ge=0,
        le=270,
        multiple_of=90,
        description="Degrees clockwise by which the page of the file is turned before it is read; "
        "without it as it is turned now",
    )
    discard_corrections: bool = Field(
        default=False, description="Required to read a page again that has corrections"
    )


class Bundle(ExportFields):
    """Jobs to export as one zip."""

    model_config = ConfigDict(extra="forbid")

    jobIds: list[str] = Field(min_length=1, max_length=200)
    format: str = "markdown"


def multipart_body(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """The OpenAPI description of a multipart form."""
    schema = {"type": "object", "properties": properties, "required": required}
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


FILE_PROPERTY = {"type": "string", "format": "binary"}


def _job_request_body() -> dict[str, Any]:
    """Files, URLs, or both."""
    file = {"type": "array", "items": FILE_PROPERTY}
    fields = JobForm.model_json_schema()["properties"]
    body = multipart_body({"file": file, **fields}, [])
    form = body["requestBody"]["content"]["multipart/form-data"]["schema"]
    del form["required"]
    either = [requires("file", file), requires("url", {"type": "string"})]
    form["allOf"] = [{"anyOf": either}]
    return body


JOB_REQUEST_BODY = _job_request_body()
