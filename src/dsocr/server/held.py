"""A result that a client holds, as a document again. It is input: nothing in it is trusted."""

from __future__ import annotations

import asyncio
import io

from dsocr.errors import BadRequest
from dsocr.options import OptionLimits, build_options
from dsocr.pages.source import DEFAULT_DPI, DocumentFile
from dsocr.server.job_schemas import HeldPage, HeldResult
from dsocr.types import Block, Box, Document, PageFailure, PageResult, TextLine, Usage


def document_of(held: HeldResult) -> Document:
    """Raises `UnsupportedMode` for a mode that no result has."""
    return Document(
        name=held.fileName,
        engine=held.engine,
        model=held.model,
        options=build_options(OptionLimits(), prompt=held.prompt, mode=held.mode),
        pages=tuple(map(_page, held.pages)),
        page_names=tuple(page.fileName or held.fileName for page in held.pages),
    )


class HeldImages:
    """Page images for an export, from the document that came along; it runs in its own thread."""

    def __init__(self, source: DocumentFile, loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._loop = loop

    def page_image(self, index: int) -> bytes:
        if index >= self._source.num_pages:
            raise BadRequest(f"The document that came along has no page {index + 1}.")
        page = self._source.render_page(index, dpi=DEFAULT_DPI)
        rendered = asyncio.run_coroutine_threadsafe(page, self._loop).result()
        out = io.BytesIO()
        rendered.image.save(out, "JPEG", quality=90)
        return out.getvalue()


def _page(held: HeldPage) -> PageResult:
    layout, error = held.layout, held.error
    return PageResult(
        index=held.pageIndex,
        width=layout.width if layout else 0,
        height=layout.height if layout else 0,
        markdown=held.text,
        blocks=tuple(
            Block(
                item.label,
                item.text,
                tuple(_box(box.normalized) for box in item.boxes),
                item.confidence,
            )
            for item in (layout.items if layout else ())
        ),
        lines=tuple(TextLine(line.text, _box(line.box), line.confidence) for line in held.lines),
        raw=held.rawText,
        finish_reason=held.finishReason,
        flags=tuple(held.flags),
        usage=Usage(seconds=held.durationMs / 1000),
        error=PageFailure(error.code, error.message, error.retryable) if error else None,
    )


def _box(sides: list[float]) -> Box:
    if len(sides) != 4 or not all(0 <= side <= 1 for side in sides):
        raise BadRequest("A box is four fractions of the page, 0-1.")
    x0, y0, x1, y1 = sides
    return Box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
