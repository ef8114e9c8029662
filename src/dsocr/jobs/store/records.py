"""Results, options, summaries and corrections as the JSON text that a column has, and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import from_json, to_json

from dsocr.jobs.job import Correction, JobPage, PageSummary
from dsocr.types import Box, OcrOptions, PageResult, TextLine

_OPTIONS = TypeAdapter(OcrOptions)
_RESULT = TypeAdapter(PageResult)
_LINE = TypeAdapter(TextLine)
_SUMMARY = TypeAdapter(PageSummary)
_CORRECTIONS = TypeAdapter(dict[int, Correction])

BOX_SCALE = 100_000
"""Sides of a line's box are stored as whole numbers from 0 to this."""
CONFIDENCE_DIGITS = 4
WORD_SCALE = 1000
"""Scores of words are stored as whole numbers from 0 to this."""


def options_to_text(options: OcrOptions) -> str:
    """Without a rotation of 0: the options of a batch are compared with those of its workspace,
    which an earlier version may have written."""
    left_out = None if options.rotation else {"rotation"}
    return _OPTIONS.dump_json(options, exclude=left_out).decode()


def options_of(text: str) -> OcrOptions:
    return _OPTIONS.validate_json(text)


def rotation_of(text: str | None) -> int:
    """Of a page by its own options, which it has if they are not the job's: those turn no page."""
    return options_of(text).rotation if text else 0


def result_to_text(result: PageResult) -> str:
    """JSON of the result. Its `lines` are `{"scale": 100000, "values": [...]}`; a value is an array
    of the text, x0, y0, x1 and y1 as whole numbers up to `scale`, and the confidence if known.
    Where its words have scores, the confidence may be `null`, and start, end and per mille of each
    word follow.
    """
    return to_json(result_to_values(result)).decode()


def result_to_values(result: PageResult) -> dict[str, Any]:
    """The values of `result_to_text` before they are JSON."""
    values: dict[str, Any] = _RESULT.dump_python(result, mode="json", exclude={"lines"})
    if result.lines:
        lines = [_line_to_values(line) for line in result.lines]
        values["lines"] = {"scale": BOX_SCALE, "values": lines}
    return values


def result_of(text: str) -> PageResult:
    """Also of text that was stored without lines, or with lines of an older form."""
    return result_of_values(from_json(text))


def result_of_values(values: dict[str, Any]) -> PageResult:
    """As `result_of`; `values` loses its lines."""
    lines = values.pop("lines", ())
    result = _RESULT.validate_python(values)
    return dataclasses.replace(result, lines=_lines_of(lines))


def summary_to_text(summary: PageSummary) -> str:
    return _SUMMARY.dump_json(summary).decode()


def summary_of(text: str) -> PageSummary:
    return _SUMMARY.validate_json(text)


def summarize(page: JobPage, file_name: str, seq: int, result: PageResult) -> PageSummary:
    return PageSummary(
        page,
        file_name,
        seq,
        result.usage.seconds,
        result.finish_reason,
        result.flags,
        result.error,
        result.review_share,
    )


def corrections_to_text(corrections: dict[int, Correction]) -> str | None:
    return _CORRECTIONS.dump_json(corrections).decode() if corrections else None


def corrections_of(text: str | None) -> dict[int, Correction]:
    return _CORRECTIONS.validate_python(
        {int(key): value for key, value in json.loads(text).items()} if text else {}
    )


def _line_to_values(line: TextLine) -> list[Any]:
    box = line.box
    sides = [round(side * BOX_SCALE) for side in (box.x0, box.y0, box.x1, box.y1)]
    confidence = line.confidence
    if confidence is not None:
        confidence = round(confidence, CONFIDENCE_DIGITS)
    words = [n for start, end, score in line.words for n in (start, end, round(WORD_SCALE * score))]
    measured = [confidence] if words or confidence is not None else []
    return [line.text, *sides, *measured, *words]


def _lines_of(stored: dict[str, Any] | Sequence[Any]) -> tuple[TextLine, ...]:
    """Lines of earlier forms are a list: of objects, of arrays with fractions as sides and `null`
    for no confidence, or of arrays with whole numbers."""
    if isinstance(stored, dict):
        return tuple(_line_of(values, stored["scale"]) for values in stored["values"])
    return tuple(
        _LINE.validate_python(line)
        if isinstance(line, dict)
        else _line_of(line, BOX_SCALE if max(line[1:5]) > 1 else 1)
        for line in stored
    )


def _line_of(values: Sequence[Any], scale: int) -> TextLine:
    text, *sides = values[:5]
    confidence = values[5] if len(values) > 5 else None
    box = Box(*(side / scale for side in sides))
    numbers = iter(values[6:])
    words = tuple(
        (start, end, mille / WORD_SCALE) for start, end, mille in zip(*[numbers] * 3, strict=True)
    )
    return TextLine(text, box, None if confidence is None else float(confidence), words)
