from __future__ import annotations

import json
from typing import Any

import pytest

from dsocr.errors import InvalidField
from dsocr.exports import render
from dsocr.exports.options import ExportOptions
from dsocr.types import Document
from tests.exports.documents import document
from tests.exports.samples import block, long_document, made, report

ROWS = "".join(f"<tr><td>{n}</td><td>value {n}</td></tr>" for n in range(60))
LONG_TABLE = f"<table><tr><th>No</th><th>Value</th></tr>{ROWS}</table>"


def chunks(whole: Document, **options: Any) -> list[dict[str, Any]]:
    lines = render(whole, "chunks", None, ExportOptions(**options)).decode().splitlines()
    return [json.loads(line) for line in lines]


def test_a_chunk_has_its_headings_pages_and_boxes() -> None:
    whole = document(
        made(block("title", "# Book", 0.1, 0.2), block("sub_title", "## One", 0.2, 0.3)),
        made(
            block("text", "Words.", 0.1, 0.2),
            block("sub_title", "## Two", 0.3, 0.4),
            block("text", "More.", 0.5, 0.6),
            index=1,
        ),
    )
    first, second = chunks(whole)
    assert first["headings"] == ["Book", "One"] and first["pages"] == [1, 2]
    assert first["text"] == "# Book\n\n## One\n\nWords." and first["characters"] == 22
    assert first["boxes"][-1] == {"page": 2, "box": [0.1, 0.1, 0.9, 0.2]}
    assert second["headings"] == ["Book", "Two"] and second["text"] == "## Two\n\nMore."


def test_no_text_is_lost_and_no_chunk_is_too_long() -> None:
    found = chunks(long_document(20), chunk_size=500)
    text = " ".join(each["text"] for each in found)
    assert all(f"Words {n} of page {page}." in text for page in range(20) for n in range(2, 8))
    assert max(each["characters"] for each in found) <= 500
    assert [each["id"] for each in found] == list(range(len(found)))


def test_a_long_table_is_divided_between_rows_with_its_header_repeated() -> None:
    found = chunks(document(made(block("table", LONG_TABLE, 0.1, 0.9))), chunk_size=500)
    assert len(found) > 3
    for each in found:
        assert each["text"].startswith("<table><tr><th>No</th>")
        assert each["text"].endswith("</table>") and each["characters"] <= 500
    assert sum(each["text"].count("<td>value") for each in found) == 60


def test_a_table_of_a_chunk_is_markdown_if_asked() -> None:
    (found,) = chunks(
        document(made(block("table", LONG_TABLE, 0, 1))), tables="markdown", chunk_size=5000
    )
    assert found["text"].startswith("| No | Value |\n| --- | --- |\n| 0 | value 0 |")


def test_a_chunk_repeats_the_end_of_the_one_before() -> None:
    words = " ".join(f"word{n}." for n in range(300))
    found = chunks(document(made(block("text", words, 0, 1))), chunk_size=400, chunk_overlap=100)
    for before, after in zip(found, found[1:], strict=False):
        overlap = after["text"].split("\n\n")[0]
        assert overlap.startswith("word") and before["text"].endswith(overlap)
        assert after["characters"] <= 400


def test_chunks_have_no_table_of_contents() -> None:
    whole = document(made(block("title", "# One", 0, 0.1), block("text", "Words.", 0.2, 0.3)))
    assert chunks(whole, toc=True) == chunks(whole)


def test_failed_pages_are_left_out() -> None:
    assert all(each["pages"][1] < 3 for each in chunks(report()))


def test_the_overlap_is_less_than_half_of_a_chunk() -> None:
    with pytest.raises(InvalidField, match="chunk_overlap"):
        ExportOptions(chunk_size=200, chunk_overlap=150)
