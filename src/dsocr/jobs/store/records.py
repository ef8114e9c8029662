"""Results and options as the text that a column holds, and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from pydantic import TypeAdapter

from dsocr.jobs.job import Correction, JobPage, PageSummary
from dsocr.types import Box, OcrOptions, PageResult, TextLine

LINE_DIGITS = 5
"""Decimal places of a line's box: a tenth of a pixel on a page of 10,000."""

_OPTIONS = TypeAdapter(OcrOptions)
_RESULT = TypeAdapter(PageResult)
_NEWS = TypeAdapter(PageSummary)
_CORRECTIONS = TypeAdapter(dict[int, Correction])


def options_to_text(options: OcrOptions) -> str:
    return _OPTIONS.dump_json(options).decode()


def options_of(text: str) -> OcrOptions:
    return _OPTIONS.validate_json(text)


def result_to_text(result: PageResult) -> str:
    """JSON. Lines are arrays `[text, x0, y0, x1, y1, confidence]`, a quarter of their size as
    objects: a dense page has hundreds."""
    stored = _RESULT.dump_python(result, mode="json", exclude={"lines"})
    stored["lines"] = [_line_to_list(line) for line in result.lines]
    return json.dumps(stored, ensure_ascii=False, separators=(",", ":"))


def result_of(text: str) -> PageResult:
    """Also of a text that was stored without lines."""
    stored = json.loads(text)
    lines = tuple(_line_of(line) for line in stored.pop("lines", ()))
    return dataclasses.replace(_RESULT.validate_python(stored), lines=lines)


def _line_to_list(line: TextLine) -> list[Any]:
    box = line.box
    sides = [round(side, LINE_DIGITS) for side in (box.x0, box.y0, box.x1, box.y1)]
    return [line.text, *sides, line.confidence]


def _line_of(stored: list[Any]) -> TextLine:
    text, x0, y0, x1, y1, confidence = stored
    return TextLine(text, Box(x0, y0, x1, y1), confidence)


def news_to_text(news: PageSummary) -> str:
    return _NEWS.dump_json(news).decode()


def news_of(text: str) -> PageSummary:
    return _NEWS.validate_json(text)


def news_about(page: JobPage, file_name: str, seq: int, result: PageResult) -> PageSummary:
    return PageSummary(
        page,
        file_name,
        seq,
        result.usage.seconds,
        result.finish_reason,
        result.flags,
        result.error,
    )


def corrections_to_text(corrections: dict[int, Correction]) -> str | None:
    return _CORRECTIONS.dump_json(corrections).decode() if corrections else None


def corrections_of(text: str | None) -> dict[int, Correction]:
    return _CORRECTIONS.validate_python(
        {int(key): value for key, value in json.loads(text).items()} if text else {}
    )
