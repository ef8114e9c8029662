"""A document in the shape of Azure's `analyzeResult`, as JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic_core import to_json

from dsocr.exports.layout.lines import Region, regions_of
from dsocr.exports.markdown import join_pages
from dsocr.exports.running_heads import without_running_heads
from dsocr.server.contracts.azure.words import utf16_length, words_json
from dsocr.server.contracts.reading import Reading
from dsocr.types import Box, PageResult, TextLine

StringIndex = Literal["textElements", "unicodeCodePoint", "utf16CodeUnit"]
SEPARATOR = "\n"


def analyzed(
    reading: Reading, model: str, api_version: str, content_format: str, index: StringIndex
) -> bytes:
    """Boxes are pixels of the upright page. Offsets count code points, or UTF-16 code units."""
    writer = _Writer(index == "utf16CodeUnit")
    pages = [
        writer.page(page, number + 1)
        for page, number in zip(reading.document.pages, reading.numbers, strict=True)
    ]
    content = writer.content
    if content_format == "markdown":
        content = join_pages(
            page.markdown for page in without_running_heads(reading.document).pages
        )
    head = {
        "apiVersion": api_version,
        "modelId": model,
        "stringIndexType": "utf16CodeUnit" if index == "utf16CodeUnit" else "unicodeCodePoint",
        "content": content,
        "contentFormat": content_format,
    }
    tail = {"paragraphs": writer.paragraphs, "styles": []}
    return _object(head, "pages", pages, tail).encode()


def _object(head: dict[str, Any], name: str, items: list[str], tail: dict[str, Any]) -> str:
    """A JSON object with a list of written items between other members."""
    before, after = to_json(head).decode()[:-1], to_json(tail).decode()[1:]
    return f'{before},"{name}":[{",".join(items)}],{after}'


class _Writer:
    """Appends lines to the content and counts their offsets."""

    def __init__(self, is_utf16: bool) -> None:
        self._is_utf16 = is_utf16
        self._parts: list[str] = []
        self._offset = 0
        self.paragraphs: list[dict[str, Any]] = []

    @property
    def content(self) -> str:
        return SEPARATOR.join(self._parts)

    def page(self, page: PageResult, number: int) -> str:
        """A page of the file, from 1, as JSON."""
        start, size = self._offset, (page.width, page.height)
        words: list[str] = []
        lines: list[dict[str, Any]] = []
        for region in regions_of(page):
            first = self._offset
            for line in region.lines:
                polygon = _polygon(line.box, size)
                words += words_json(
                    line, polygon, page.width, self._offset, is_utf16=self._is_utf16
                )
                lines.append(self._line(line, polygon))
            if region.lines:
                self._paragraph(region, first, number, size)
        place = {"pageNumber": number, "angle": 0, "width": page.width, "height": page.height}
        head = place | {"unit": "pixel"}
        spans = [_span(start, max(0, self._offset - start - 1))]
        return _object(head, "words", words, {"lines": lines, "spans": spans})

    def _paragraph(self, region: Region, first: int, page: int, size: tuple[int, int]) -> None:
        text = SEPARATOR.join(line.text for line in region.lines)
        self.paragraphs.append(
            {
                "content": text,
                "spans": [_span(first, self._length(text))],
                "boundingRegions": [{"pageNumber": page, "polygon": _polygon(region.box, size)}],
            }
        )

    def _line(self, line: TextLine, polygon: list[float]) -> dict[str, Any]:
        """Appends the line to the content."""
        length = self._length(line.text)
        span = _span(self._offset, length)
        self._parts.append(line.text)
        self._offset += length + len(SEPARATOR)
        return {"content": line.text, "polygon": polygon, "spans": [span]}

    def _length(self, text: str) -> int:
        return utf16_length(text) if self._is_utf16 else len(text)


def _span(offset: int, length: int) -> dict[str, int]:
    return {"offset": offset, "length": length}


def _polygon(box: Box, size: tuple[int, int]) -> list[float]:
    """Clockwise from the top left."""
    width, height = size
    x0, x1 = _tenths(box.x0 * width), _tenths(box.x1 * width)
    y0, y1 = _tenths(box.y0 * height), _tenths(box.y1 * height)
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def _tenths(value: float) -> float:
    """A length, which is not negative, rounded to tenths; `round` takes three times as long."""
    return int(value * 10 + 0.5) / 10
