"""Results, options, summaries and corrections as the JSON text that a column has, and back."""

from __future__ import annotations

import json

from pydantic import TypeAdapter

from dsocr.jobs.job import Correction, JobPage, PageSummary
from dsocr.types import OcrOptions, PageResult

_OPTIONS = TypeAdapter(OcrOptions)
_RESULT = TypeAdapter(PageResult)
_SUMMARY = TypeAdapter(PageSummary)
_CORRECTIONS = TypeAdapter(dict[int, Correction])


def options_to_text(options: OcrOptions) -> str:
    return _OPTIONS.dump_json(options).decode()


def options_of(text: str) -> OcrOptions:
    return _OPTIONS.validate_json(text)


def result_to_text(result: PageResult) -> str:
    return _RESULT.dump_json(result).decode()


def result_of(text: str) -> PageResult:
    return _RESULT.validate_json(text)


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
    )


def corrections_to_text(corrections: dict[int, Correction]) -> str | None:
    return _CORRECTIONS.dump_json(corrections).decode() if corrections else None


def corrections_of(text: str | None) -> dict[int, Correction]:
    return _CORRECTIONS.validate_python(
        {int(key): value for key, value in json.loads(text).items()} if text else {}
    )
