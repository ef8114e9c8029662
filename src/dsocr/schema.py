"""The wire shape of what was read: Pydantic models, and the functions that fill them.

The server's answers, its events, the JSON export and the OpenAPI document share this definition.
Names on the wire are camelCase. The models describe; answers are built as plain dicts.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from dsocr.types import Block, Box, PageFailure, PageResult, TextLine, Usage

Wire = dict[str, Any]
"""A JSON object."""

DIGITS = 6
"""Decimal places of fractions."""
DOCUMENT_SCHEMA = "dsocr-document-1"
"""Name and version of the JSON export's shape. Keys may be added to a version; a key that is
removed or changes its meaning makes a new one."""


class LayoutBox(BaseModel):
    index: int
    absolute: list[float] = Field(description="x0, y0, x1, y1 in pixels of the upright page")
    normalized: list[float] = Field(description="The same as fractions of the page, 0-1")


class LayoutItem(BaseModel):
    id: int
    label: str
    text: str
    confidence: float | None
    score: float | None = Field(
        default=None, description="Estimated share of its words that are right, 0-1"
    )
    review: bool = Field(default=False, description="Whether to compare it with the page")
    boxes: list[LayoutBox]


class Layout(BaseModel):
    """The blocks of a page in reading order."""

    width: int
    height: int
    items: list[LayoutItem]


class PageLine(BaseModel):
    """A line of text: recognized, or from the text layer of a PDF."""

    text: str
    box: list[float] = Field(description="x0, y0, x1, y1 as fractions of the page, 0-1")
    confidence: float | None = Field(description="0-1; null for a line of the text layer")
    words: list[tuple[int, int, float]] = Field(
        default=[],
        description="Start and end of each word in `text`, in characters (code points), and the "
        "estimated probability that it is right, 0-1; empty where nothing was measured",
    )


class PageError(BaseModel):
    code: str
    message: str
    retryable: bool = False


class PageUsage(BaseModel):
    """Tokens of a page, those of all attempts together."""

    visionTokens: int = Field(description="Of the image, in the prompt")
    promptTokens: int
    completionTokens: int = Field(description="Written by the model")
    draftedTokens: int = Field(description="Guessed before the model computed them")
    acceptedTokens: int = Field(description="Guesses that the model wrote")


class PageAnswer(BaseModel):
    """One page. A page that could not be read keeps its place and has an error."""

    pageIndex: int
    text: str
    rawText: str
    layout: Layout
    lines: list[PageLine] = Field(description="Empty where the engine has no lines")
    durationMs: float
    finishReason: str
    flags: list[str]
    reviewShare: float | None = Field(
        default=None, description="Share of the words to compare with the page, 0-1"
    )
    usage: PageUsage | None = Field(
        default=None, description="null where the engine counts no tokens"
    )
    error: PageError | None
    mode: str | None = Field(default=None, description="The mode that the page was read in")


class DocumentPage(PageAnswer):
    """A page of an exported document."""

    fileName: str = Field(description="The file that the page is from")


class ExportedDocument(BaseModel):
    """The JSON export of a document."""

    version: Literal["dsocr-document-1"] = Field(alias="schema")
    fileName: str
    engine: str
    model: str
    mode: str
    prompt: str
    text: str = Field(description="The text of all pages as markdown, rules between pages")
    pages: list[DocumentPage]


def document_schema() -> Wire:
    """The JSON Schema of an `ExportedDocument`."""
    schema = ExportedDocument.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def serialize_block(block: Block, id: int, width: int, height: int) -> Wire:
    """A `LayoutItem`. `width` and `height` are pixels of the upright page."""
    return {
        "id": id,
        "label": block.label,
        "text": block.text,
        "confidence": block.confidence,
        "score": block.score,
        "review": block.review,
        "boxes": [
            {
                "index": index,
                "absolute": list(box.pixels(width, height)),
                "normalized": _fractions(box),
            }
            for index, box in enumerate(block.boxes)
        ],
    }


def serialize_layout(page: PageResult) -> Wire:
    """A `Layout`. An item's id is its place in reading order."""
    return {
        "width": page.width,
        "height": page.height,
        "items": [
            serialize_block(block, id, page.width, page.height)
            for id, block in enumerate(page.blocks)
        ],
    }


def serialize_line(line: TextLine) -> Wire:
    """A `PageLine`."""
    return {
        "text": line.text,
        "box": _fractions(line.box),
        "confidence": line.confidence,
        "words": [list(word) for word in line.words],
    }


def serialize_failure(failure: PageFailure) -> Wire:
    """A `PageError`."""
    return {"code": failure.code, "message": failure.message, "retryable": failure.retryable}


def serialize_usage(usage: Usage) -> Wire | None:
    """A `PageUsage`; None for a page without tokens."""
    if not usage.prompt_tokens:
        return None
    return {
        "visionTokens": usage.vision_tokens,
        "promptTokens": usage.prompt_tokens,
        "completionTokens": usage.completion_tokens,
        "draftedTokens": usage.drafted_tokens,
        "acceptedTokens": usage.accepted_tokens,
    }


def serialize_page(page: PageResult) -> Wire:
    """A `PageAnswer`."""
    return {
        "pageIndex": page.index,
        "text": page.markdown,
        "rawText": page.raw,
        "layout": serialize_layout(page),
        "lines": [serialize_line(line) for line in page.lines],
        "durationMs": round(page.usage.seconds * 1000, 1),
        "finishReason": page.finish_reason,
        "flags": list(page.flags),
        "reviewShare": page.review_share,
        "usage": serialize_usage(page.usage),
        "error": serialize_failure(page.error) if page.error else None,
        "mode": page.mode,
    }


def _fractions(box: Box) -> list[float]:
    return [round(side, DIGITS) for side in (box.x0, box.y0, box.x1, box.y1)]
