"""The words of jobs on the wire, as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dsocr.schema import Layout, PageAnswer, PageError, PageLine
from dsocr.server.schemas import OcrForm

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
}


class JobForm(OcrForm):
    """The words that stand beside the files of a job."""

    dpi: float | None = Field(
        default=None, ge=36, le=600, description="Of PDF pages; unset: what suits the engine"
    )
    callback: str | None = Field(
        default=None, description="https URL to be told when the job is over, if that is allowed"
    )


class JobFileAnswer(BaseModel):
    fileName: str
    fileSize: int
    pages: int = Field(description="Of the whole file, whichever of them are read")


class JobAnswer(BaseModel):
    """A job as it stands."""

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
    etaSeconds: float | None = Field(description="Until it is done, as far as that can be told")
    error: PageError | None


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
    """A page as the engine read it, and what people corrected. `pageIndex` counts from 0 over all
    pages of the job."""

    fileName: str
    fileIndex: int
    filePageIndex: int = Field(description="From 0, in its file")
    corrections: list[CorrectionAnswer]
    correctedText: str = Field(description="`text` with the corrections in place")


class BlockCorrection(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: int = Field(ge=0, description="Of the layout item")
    text: str | None = Field(default=None, max_length=1 << 20)
    label: str | None = Field(default=None, min_length=1, max_length=64)


class Corrections(BaseModel):
    """Blocks as they should be; one with neither text nor label is the engine's again."""

    model_config = ConfigDict(extra="forbid")

    blocks: list[BlockCorrection] = Field(max_length=10_000)


class PageRetry(BaseModel):
    """What shall be different this time; the rest is the job's."""

    model_config = ConfigDict(extra="forbid")

    mode: str | None = None
    prompt: str | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    no_repeat_ngram: str | None = None
    dpi: float | None = Field(default=None, ge=36, le=600)
    discard_corrections: bool = Field(
        default=False, description="Without it, a page that has corrections is not read again"
    )


class Bundle(BaseModel):
    """Jobs to be had as one zip."""

    model_config = ConfigDict(extra="forbid")

    jobIds: list[str] = Field(min_length=1, max_length=200)
    format: str = "markdown"


class HeldPage(BaseModel):
    """A page of an answer that a client holds; what it lacks is empty."""

    pageIndex: int = Field(ge=0)
    text: str = ""
    rawText: str = ""
    layout: Layout | None = None
    lines: list[PageLine] = []
    durationMs: float = 0
    finishReason: Literal["stop", "length", "repetition", "error"] = "stop"
    flags: list[str] = []
    error: PageError | None = None
    fileName: str | None = None


class HeldResult(BaseModel):
    """The answer of `/api/ocr`, or the JSON export of a job."""

    fileName: str = "document"
    mode: str = "gundam"
    prompt: str = ""
    engine: str = ""
    model: str = ""
    pages: list[HeldPage] = Field(min_length=1, max_length=10_000)


def _form(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": required}
    content = {"multipart/form-data": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


_FILE = {"type": "string", "format": "binary"}
JOB_REQUEST_BODY = _form(
    {"file": {"type": "array", "items": _FILE}, **JobForm.model_json_schema()["properties"]},
    ["file"],
)
EXPORT_REQUEST_BODY = _form(
    {
        "format": {"type": "string", "description": "A key of `formats` of `/api/modes`"},
        "result": {**_FILE, "description": "The answer of `/api/ocr` as JSON, a file or a field"},
        "file": {**_FILE, "description": "The document itself, for figures and page images"},
    },
    ["format", "result"],
)
