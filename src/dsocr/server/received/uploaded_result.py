"""Converts an uploaded result to a document. It is untrusted input."""

from __future__ import annotations

from dsocr.errors import BadRequest
from dsocr.options import OptionLimits, build_options
from dsocr.schema import PageLine
from dsocr.server.schemas.uploaded_result import UploadedPage, UploadedResult
from dsocr.types import Block, Box, Document, PageFailure, PageResult, TextLine, Usage


def document_of(result: UploadedResult) -> Document:
    """Raises `UnsupportedMode`, and `BadRequest` for boxes outside the page."""
    return Document(
        name=result.fileName,
        engine=result.engine,
        model=result.model,
        options=build_options(OptionLimits(), prompt=result.prompt, mode=result.mode),
        pages=tuple(map(_page, result.pages)),
        page_names=tuple(page.fileName or result.fileName for page in result.pages),
    )


def _page(page: UploadedPage) -> PageResult:
    layout, error = page.layout, page.error
    return PageResult(
        index=page.pageIndex,
        width=layout.width if layout else 0,
        height=layout.height if layout else 0,
        markdown=page.text,
        blocks=tuple(
            Block(
                item.label,
                item.text,
                tuple(_box(box.normalized) for box in item.boxes),
                item.confidence,
                item.score,
                item.review,
            )
            for item in (layout.items if layout else ())
        ),
        lines=tuple(map(_line, page.lines)),
        raw=page.rawText,
        finish_reason=page.finishReason,
        flags=tuple(page.flags),
        review_share=page.reviewShare,
        usage=Usage(seconds=page.durationMs / 1000),
        error=PageFailure(error.code, error.message, error.retryable) if error else None,
        mode=page.mode,
    )


def _line(line: PageLine) -> TextLine:
    return TextLine(line.text, _box(line.box), line.confidence, tuple(line.words))


def _box(sides: list[float]) -> Box:
    if len(sides) != 4 or not all(0 <= side <= 1 for side in sides):
        raise BadRequest("A box must be four fractions of the page, 0-1.")
    x0, y0, x1, y1 = sides
    return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
