"""Results and options as the text that a column holds, and back."""

from __future__ import annotations

import json

from pydantic import TypeAdapter

from dsocr.jobs.job import Correction, JobPage, PageSummary
from dsocr.types import OcrOptions, PageResult

_OPTIONS = TypeAdapter(OcrOptions)
_RESULT = TypeAdapter(PageResult)
_NEWS = TypeAdapter(PageSummary)
_CORRECTIONS = TypeAdapter(dict[int, Correction])


def options_to_text(options: OcrOptions) -> str:
    return _OPTIONS.dump_json(options).decode()


def options_of(text: str) -> OcrOptions:
    return _OPTIONS.validate_json(text)


def result_to_text(result: PageResult) -> str:
    return _RESULT.dump_json(result).decode()


def result_of(text: str) -> PageResult:
    return _RESULT.validate_json(text)


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
