"""The words on the wire: what the service takes and answers, as the OpenAPI document shows it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from dsocr.engines.deepseek.modes import DEFAULT_MODE
from dsocr.engines.deepseek.prompts import DEFAULT_PROMPT
from dsocr.schema import Layout, PageAnswer

EXAMPLE_RAW = "<|ref|>title<|/ref|><|det|>[[96, 44, 407, 83]]<|/det|>\n# Invoice 4711\n"
EXAMPLE_LAYOUT: dict[str, Any] = {
    "width": 1240,
    "height": 1754,
    "items": [
        {
            "id": 0,
            "label": "title",
            "text": "# Invoice 4711",
            "confidence": 0.98,
            "boxes": [
                {
                    "index": 0,
                    "absolute": [119, 77, 505, 146],
                    "normalized": [0.0961, 0.044, 0.4074, 0.0831],
                }
            ],
        }
    ],
}
EXAMPLE_LINES: list[dict[str, Any]] = [
    {"text": "Invoice 4711", "box": [0.1, 0.05, 0.48, 0.09], "confidence": 0.98}
]
EXAMPLE_ANSWER: dict[str, Any] = {
    "mode": "gundam",
    "prompt": DEFAULT_PROMPT,
    "text": "# Invoice 4711",
    "rawText": EXAMPLE_RAW,
    "durationMs": 2310.5,
    "fileName": "invoice.png",
    "fileSize": 184832,
    "engine": "ppocr",
    "model": "PP-OCRv6",
    "layout": EXAMPLE_LAYOUT,
    "pages": [
        {
            "pageIndex": 0,
            "text": "# Invoice 4711",
            "rawText": EXAMPLE_RAW,
            "layout": EXAMPLE_LAYOUT,
            "lines": EXAMPLE_LINES,
            "durationMs": 2280.1,
            "finishReason": "stop",
            "flags": [],
            "error": None,
        }
    ],
    "requestId": "5f2c6f0e9b1d4b7d8f0a4c7e2a913b55",
}


class OcrForm(BaseModel):
    """The words that stand beside the file."""

    model_config = ConfigDict(extra="ignore")

    mode: str = Field(default=DEFAULT_MODE, description="gundam, base, small, tiny or large")
    prompt: str | None = Field(
        default=None, description="What to do; `<image>` is put before it when it is missing"
    )
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Most tokens to generate for one page"
    )
    temperature: float = Field(default=0.0, ge=0.0, le=2.0, description="0 is greedy")
    pages: str | None = Field(default=None, description="Which pages, such as `1-3,7`")
    password: str | None = Field(default=None, description="Of a protected PDF")
    engine: str | None = Field(default=None, description="One of the engines that are running")
    no_repeat_ngram: str | None = Field(
        default=None, description="Guard against repetition: `n/window`, `n`, or `off`"
    )


class OcrAnswer(BaseModel):
    """A document as read. `layout` is the first page's."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_ANSWER]})

    mode: str
    prompt: str
    text: str = Field(description="Clean markdown, pages joined by a page break")
    rawText: str = Field(description="The model's output as it came")
    durationMs: float
    fileName: str
    fileSize: int
    engine: str
    model: str
    layout: Layout
    pages: list[PageAnswer]
    requestId: str


class EngineState(BaseModel):
    """Who reads here, and why."""

    name: str
    model: str | None
    device: str | None
    state: str = Field(description="starting, ready, failed or stopped")
    reason: str
    advice: str = Field(description="What to do to get a better engine; empty if there is none")
    trouble: str = Field(description="Why it does not read; empty when it does")
    details: dict[str, str]
    tasks: list[str] | None = Field(
        description="What it can be asked, `custom`: any prompt; null until it reads"
    )


class QueueState(BaseModel):
    running: int
    waiting: int
    maxRequests: int
    jobs: int = Field(description="Jobs that are read or wait for it, whoever's")


class Health(BaseModel):
    """A quick status check; 200 as long as the service lives."""

    status: str
    modelLoaded: bool
    modes: list[str]
    engine: EngineState
    queue: QueueState
    version: str


class ModeAnswer(BaseModel):
    label: str
    description: str
    base_size: int
    image_size: int
    crop_mode: bool
    test_compress: bool
    speed: str
    quality: str


class TaskAnswer(BaseModel):
    key: str
    label: str
    prompt: str


class FormatAnswer(BaseModel):
    key: str
    label: str
    extension: str
    mediaType: str


class EngineAnswer(BaseModel):
    key: str
    state: str
    device: str | None
    reason: str


class Limits(BaseModel):
    maxImageMb: int | float
    maxPages: int
    maxImageMegapixels: int | float
    maxPromptBytes: int
    maxOutputTokens: int
    maxJobMb: int | float
    maxJobPages: int
    maxJobFiles: int


class Modes(BaseModel):
    """All that a page needs to know to offer choices."""

    defaultPrompt: str
    modes: dict[str, ModeAnswer]
    maxImageMb: int | float
    tasks: list[TaskAnswer]
    formats: list[FormatAnswer]
    engines: list[EngineAnswer]
    limits: Limits


class Live(BaseModel):
    status: str


class ErrorWords(BaseModel):
    code: str = Field(description="Stable, for programs")
    message: str = Field(description="For people")
    requestId: str
    retryable: bool = Field(description="Whether the same request may succeed later")


class ErrorAnswer(BaseModel):
    """Every error looks like this."""

    error: ErrorWords
    detail: str


_ERROR_WORDS = {
    400: "The request cannot be understood",
    401: "A key is needed",
    403: "This web page may not do this",
    404: "There is no such thing",
    408: "The body came too slowly",
    409: "The state of things does not allow it",
    413: "Too many bytes, pixels or pages",
    415: "Not a document",
    421: "Unknown host name",
    422: "A field, or the document, is not valid",
    429: "Nothing was started: too many are waiting",
    503: "The engine is starting, restarting or down",
    504: "It took too long",
    507: "The disk is full",
}
_RETRY_AFTER = {
    "Retry-After": {"description": "Seconds until another try", "schema": {"type": "integer"}}
}


def error_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Their place in the OpenAPI document."""
    answers: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        words = _ERROR_WORDS.get(status, HTTPStatus(status).phrase)
        answers[status] = {"model": ErrorAnswer, "description": words}
        if status in (429, 503):
            answers[status]["headers"] = _RETRY_AFTER
    return answers


def _ocr_request_body() -> dict[str, Any]:
    """By hand, because the form is received by hand: streamed to disk, under its limits."""
    schema = OcrForm.model_json_schema()
    image = {"type": "string", "format": "binary", "description": "An image or a PDF"}
    form = {
        "type": "object",
        "properties": {"image": image, **schema["properties"]},
        "required": ["image"],
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


OCR_REQUEST_BODY = _ocr_request_body()
