"""A document in the shape of Azure's `analyzeResult`."""

from __future__ import annotations

from typing import Any, Literal

from dsocr.exports.layout.lines import regions_of
from dsocr.exports.layout.words import words_of
from dsocr.exports.markdown import join_pages
from dsocr.exports.running_heads import without_running_heads
from dsocr.server.contracts.reading import Reading
from dsocr.types import Box, PageResult, TextLine

StringIndex = Literal["textElements", "unicodeCodePoint", "utf16CodeUnit"]
UNMEASURED = 1.0
"""The confidence of a text layer's words, and where the engine measures nothing."""
SEPARATOR = "\n"


def analyzed(
    reading: Reading, model: str, api_version: str, content_format: str, index: StringIndex
) -> dict[str, Any]:
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
    return {
        "apiVersion": api_version,
        "modelId": model,
        "stringIndexType": "utf16CodeUnit" if index == "utf16CodeUnit" else "unicodeCodePoint",
        "content": content,
        "contentFormat": content_format,
        "pages": pages,
        "paragraphs": writer.paragraphs,
        "styles": [],
    }


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

    def page(self, page: PageResult, number: int) -> dict[str, Any]:
        start, size = self._offset, (page.width, page.height)
        lines: list[dict[str, Any]] = []
        words: list[dict[str, Any]] = []
        for region in regions_of(page):
            first = self._offset
            for line in region.lines:
                words += self._words(line, size)
                lines.append(self._line(line, size))
            if region.lines:
                self._paragraph(SEPARATOR.join(line.text for line in region.lines), first)
                place = {"pageNumber": number, "polygon": _polygon(region.box, size)}
                self.paragraphs[-1]["boundingRegions"] = [place]
        return {
            "pageNumber": number,
            "angle": 0,
            "width": page.width,
            "height": page.height,
            "unit": "pixel",
            "words": words,
            "lines": lines,
            "spans": [self._span(start, max(0, self._offset - start - 1))],
        }

    def _paragraph(self, text: str, first: int) -> None:
        span = self._span(first, self._length(text))
        self.paragraphs.append({"content": text, "spans": [span]})

    def _line(self, line: TextLine, size: tuple[int, int]) -> dict[str, Any]:
        """Appends the line to the content."""
        length = self._length(line.text)
        span = self._span(self._offset, length)
        self._parts.append(line.text)
        self._offset += length + len(SEPARATOR)
        return {"content": line.text, "polygon": _polygon(line.box, size), "spans": [span]}

    def _words(self, line: TextLine, size: tuple[int, int]) -> list[dict[str, Any]]:
        """The words of the line that is appended next."""
        found, at, text = [], 0, line.text
        scores = {start: score for start, _, score in line.words}
        for word, box in words_of(line):
            at = text.index(word, at)
            before = self._length(text[:at]) if self._is_utf16 else at
            length = self._length(word) if self._is_utf16 else len(word)
            score = scores[at] if at in scores else _score_at(line, at)
            found.append(
                {
                    "content": word,
                    "polygon": _polygon(box, size),
                    "confidence": UNMEASURED if score is None else round(score, 4),
                    "span": {"offset": self._offset + before, "length": length},
                }
            )
            at += len(word)
        return found

    def _length(self, text: str) -> int:
        return len(text.encode("utf-16-le", "surrogatepass")) // 2 if self._is_utf16 else len(text)

    @staticmethod
    def _span(offset: int, length: int) -> dict[str, int]:
        return {"offset": offset, "length": length}


def _score_at(line: TextLine, at: int) -> float | None:
    """Of the scored word around this place of the text, else of the line."""
    return next((score for start, end, score in line.words if start <= at < end), line.confidence)


def _polygon(box: Box, size: tuple[int, int]) -> list[float]:
    """Clockwise from the top left."""
    width, height = size
    x0, x1 = _tenths(box.x0 * width), _tenths(box.x1 * width)
    y0, y1 = _tenths(box.y0 * height), _tenths(box.y1 * height)
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def _tenths(value: float) -> float:
    """A length, which is not negative, rounded to tenths; `round` takes three times as long."""
    return int(value * 10 + 0.5) / 10
