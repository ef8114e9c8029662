from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path

import jsonschema
import pytest

from dsocr import exports
from dsocr.exports.markdown import PAGE_BREAK
from dsocr.schema import document_schema, serialize_page
from dsocr.types import Box, TextLine, Usage
from tests.exports.documents import RAW, document, failed_page, page
from tests.exports.samples import report

render = partial(exports.render, format="json")


def test_a_page_has_the_promised_keys() -> None:
    wire = serialize_page(page(RAW["issue75_title"]))
    assert list(wire) == [
        "pageIndex",
        "text",
        "rawText",
        "layout",
        "lines",
        "durationMs",
        "finishReason",
        "flags",
        "reviewShare",
        "usage",
        "error",
        "mode",
    ]
    assert wire["text"] == "# LORA: LOW-RANK ADAPTATION OF LARGE LANGUAGE MODELS"
    assert wire["rawText"] == RAW["issue75_title"]
    assert wire["durationMs"] == 1250.0
    assert (wire["finishReason"], wire["flags"], wire["error"]) == ("stop", [], None)


def test_a_page_has_its_tokens_where_the_engine_counts_them() -> None:
    usage = Usage(273, 284, 900, 12.5, drafted_tokens=700, accepted_tokens=450)
    assert serialize_page(page("x"))["usage"] is None
    assert serialize_page(dataclasses.replace(page("x"), usage=usage))["usage"] == {
        "visionTokens": 273,
        "promptTokens": 284,
        "completionTokens": 900,
        "draftedTokens": 700,
        "acceptedTokens": 450,
    }


def test_lines_have_their_boxes_in_fractions() -> None:
    line = TextLine("Invoice 4711", Box(0.1, 0.05, 0.48, 0.09), 0.98)
    of_the_layer = TextLine("plain", Box(0, 0, 1, 1 / 3))
    wire = serialize_page(dataclasses.replace(page("x"), lines=(line, of_the_layer)))
    assert wire["lines"] == [
        {"text": "Invoice 4711", "box": [0.1, 0.05, 0.48, 0.09], "confidence": 0.98, "words": []},
        {"text": "plain", "box": [0, 0, 1, 0.333333], "confidence": None, "words": []},
    ]


def test_layout_items_have_their_boxes_in_pixels_and_in_fractions() -> None:
    layout = serialize_page(page(RAW["issue75_title"]))["layout"]
    assert layout == {
        "width": 901,
        "height": 1277,
        "items": [
            {
                "id": 0,
                "label": "title",
                "text": "# LORA: LOW-RANK ADAPTATION OF LARGE LANGUAGE MODELS",
                "confidence": None,
                "score": None,
                "review": False,
                "boxes": [
                    {
                        "index": 0,
                        "absolute": [157, 198, 768, 299],
                        "normalized": [0.175175, 0.155155, 0.852853, 0.234234],
                    }
                ],
            }
        ],
    }


def test_a_failed_page_carries_its_error_and_keeps_its_place() -> None:
    wire = json.loads(render(document(page("first"), failed_page(1), page("third", 2))))
    assert [item["pageIndex"] for item in wire["pages"]] == [0, 1, 2]
    assert {item["fileName"] for item in wire["pages"]} == {"paper.pdf"}
    assert wire["pages"][1]["error"] == {
        "code": "timeout",
        "message": "Reading the page took too <long>.",
        "retryable": True,
    }
    first, second, third = wire["text"].split(PAGE_BREAK)
    assert (first, third) == ("first", "third")
    assert second.startswith("*Page 2 could not be read")


def test_what_is_written_page_by_page_is_one_json_text() -> None:
    odd = 'a "word"\n\\ and \u2028 \x0c \x85 lines'
    for whole in (document(), document(page(odd)), document(page(odd), page("b", 1))):
        text = render(whole).decode()
        assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n"
        assert json.loads(text)["text"] == PAGE_BREAK.join(p.markdown for p in whole.pages)


SCHEMA = Path(__file__).parents[2] / "docs" / "schema" / "dsocr-document-1.json"


def test_the_published_schema_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text("utf-8")) == document_schema()


def test_the_json_is_valid_against_its_schema() -> None:
    written = json.loads(exports.render(report(), "json"))
    assert written["schema"] == SCHEMA.stem
    schema = json.loads(SCHEMA.read_text("utf-8"))
    jsonschema.validate(written, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**written, "schema": "another"}, schema)


def test_json_lines_have_a_page_each() -> None:
    whole = report()
    lines = [json.loads(line) for line in exports.render(whole, "jsonl").splitlines()]
    pages = json.loads(exports.render(whole, "json"))["pages"]
    assert lines == pages and len(lines) == 3
