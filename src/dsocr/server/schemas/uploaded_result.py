"""The request of `POST /api/export`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from dsocr.schema import Layout, PageError, PageLine
from dsocr.server.schemas.export import ExportFields
from dsocr.server.schemas.jobs import FILE_PROPERTY, multipart_body
from dsocr.types import Mode


class UploadedPage(BaseModel):
    """A page of an uploaded result. Missing fields are empty."""

    pageIndex: int = Field(ge=0)
    text: str = ""
    rawText: str = ""
    layout: Layout | None = None
    lines: list[PageLine] = []
    durationMs: float = 0
    finishReason: Literal["stop", "length", "repetition", "error"] = "stop"
    flags: list[str] = []
    reviewShare: float | None = None
    error: PageError | None = None
    fileName: str | None = None
    mode: Mode | None = None


class UploadedResult(BaseModel):
    """The response of `/api/ocr`, or the JSON export of a job."""

    fileName: str = "document"
    mode: str = "gundam"
    prompt: str = ""
    engine: str = ""
    model: str = ""
    pages: list[UploadedPage] = Field(min_length=1, max_length=10_000)


EXPORT_REQUEST_BODY = multipart_body(
    {
        "format": {
            "type": "string",
            "description": "The key of a format, see `formats` of `/api/modes`",
        },
        **ExportFields.model_json_schema()["properties"],
        "redact": {
            "type": "string",
            "description": "Patterns of what is taken out, one a line; see docs/exports.md",
        },
        "result": {
            **FILE_PROPERTY,
            "description": "The response of `/api/ocr` as JSON, a file or a field",
        },
        "file": {
            **FILE_PROPERTY,
            "description": "The document itself, for figures and page images",
        },
        "password": {"type": "string", "description": "Password of a protected PDF in `file`"},
    },
    ["format", "result"],
)
