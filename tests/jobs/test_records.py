"""Results as stored text: what goes in comes out, and what was stored before is read."""

from __future__ import annotations

import json

import pytest

from dsocr.jobs.store.records import result_of, result_to_text
from dsocr.types import Block, Box, PageFailure, PageResult, TextLine, Usage

LINES = (
    TextLine("Invoice 4711", Box(0.1, 0.05, 0.48, 0.09), 0.98),
    TextLine("\u7b2c\u4e00\u884c", Box(0.0, 0.2, 1.0, 0.25)),
)
RESULT = PageResult(
    index=3,
    width=1200,
    height=1600,
    markdown="# Invoice 4711",
    blocks=(Block("title", "# Invoice 4711", (Box(0.1, 0.05, 0.5, 0.1),), 0.9),),
    lines=LINES,
    raw="raw",
    finish_reason="length",
    flags=("length",),
    usage=Usage(seconds=1.5, completion_tokens=7),
)


def test_a_result_with_lines_comes_back_as_it_was() -> None:
    assert result_of(result_to_text(RESULT)) == RESULT


def test_a_failed_page_comes_back_as_it_was() -> None:
    failed = PageResult(0, 0, 0, finish_reason="error", error=PageFailure("timeout", "Too slow."))
    assert result_of(result_to_text(failed)) == failed


def test_a_result_that_was_stored_without_lines_has_none() -> None:
    stored = json.loads(result_to_text(RESULT))
    del stored["lines"]
    assert result_of(json.dumps(stored)).lines == ()


@pytest.mark.parametrize("count", [200])
def test_a_line_costs_little_more_than_its_text(count: int) -> None:
    lines = tuple(
        TextLine("x" * 60, Box(1 / 3, n / 1000 + 1e-7, 2 / 3, n / 1000 + 0.001), 0.987654321)
        for n in range(count)
    )
    bare = PageResult(0, 1200, 1600)
    full = PageResult(0, 1200, 1600, lines=lines)
    assert len(result_to_text(full)) - len(result_to_text(bare)) < count * (60 + 60)
