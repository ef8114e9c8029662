"""The request and the response of `POST /api/ocr`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from dsocr.engines.deepseek.modes import DEFAULT_MODE
from dsocr.engines.deepseek.prompts import DEFAULT_PROMPT
from dsocr.schema import Layout, PageAnswer
from dsocr.types import Headers

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
            "reviewShare": 0.0,
            "usage": None,
            "error": None,
            "mode": "gundam",
        }
    ],
    "requestId": "5f2c6f0e9b1d4b7d8f0a4c7e2a913b55",
}


class OcrForm(BaseModel):
    """The fields of the form beside the file."""

    model_config = ConfigDict(extra="forbid")

    url: str | None = Field(
        default=None,
        description="In place of a file: a data URL, or an https URL of a host that the service "
        "may fetch from",
    )
    mode: str = Field(
        default=DEFAULT_MODE,
        description="gundam, base, small, tiny or large; auto chooses for each page",
    )
    prompt: str | None = Field(
        default=None, description="The instruction; `<image>` is prepended if it is missing"
    )
    max_tokens: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Most tokens to generate for one page"
    )
    temperature: float = Field(default=0.0, ge=0.0, le=2.0, description="0 is greedy")
    pages: str | None = Field(default=None, description="Pages to read, such as `1-3,7`")
    password: str | None = Field(default=None, description="Of a protected PDF")
    dpi: float | None = Field(
        default=None,
        ge=36,
        le=600,
        description="Resolution of PDF pages; unset: chosen by what is on the page",
    )
    model: str | None = Field(
        default=None, description="Name of a model of `/api/modes`; unset: the default one"
    )
    engine: str | None = Field(
        default=None, description="Name of an engine of this service, or `auto`"
    )
    no_repeat_ngram: str | None = Field(
        default=None, description="No-repeat rule: `n/window`, `n`, or `off`"
    )
    languages: str | None = Field(
        default=None,
        description="Languages of the pages, such as `ko,en`; unset: found by the ppocr engine on "
        "each page. The native engine needs none and ignores them",
    )


class ReadForm(OcrForm):
    """Fields of `POST /api/ocr` that jobs have when they are exported."""

    headers: Headers = Field(
        default="omit",
        description="Running heads, footers and page numbers that repeat over the pages: "
        "`omit` leaves them out of the text, `keep` keeps them. The layout always has them",
    )


class OcrAnswer(BaseModel):
    """A recognized document. `layout` is the first page's."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_ANSWER]})

    mode: str
    prompt: str
    text: str = Field(description="Clean markdown, pages joined by a page break")
    rawText: str = Field(description="The unchanged output of the model")
    durationMs: float
    fileName: str
    fileSize: int
    engine: str
    model: str
    layout: Layout
    pages: list[PageAnswer]
    requestId: str


def requires(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """An object that has this property. It is repeated here, as generators of clients take a
    property that is only required for an unknown one."""
    return {"type": "object", "properties": {name: schema}, "required": [name]}


def _ocr_request_body() -> dict[str, Any]:
    """Written by hand: FastAPI does not parse this form, which is streamed to the disk."""
    schema = ReadForm.model_json_schema()
    image = {"type": "string", "format": "binary", "description": "An image or a PDF"}
    file = {**image, "description": "Another name of `image`"}
    url = {"type": "string"}
    form = {
        "type": "object",
        "properties": {"image": image, "file": file, **schema["properties"]},
        "allOf": [
            {"anyOf": [requires("image", image), requires("file", file), requires("url", url)]}
        ],
    }
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}}


OCR_REQUEST_BODY = _ocr_request_body()
