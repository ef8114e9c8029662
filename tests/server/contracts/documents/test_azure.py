"""Azure's `prebuilt-read`, as the SDK and paperless-ngx call it."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from starlette.testclient import TestClient

from dsocr.server.contracts.azure.words import words_json
from dsocr.types import Box, TextLine
from tests.fakes import pdf, png
from tests.server.conftest import Client
from tests.waiting import wait_until

MODELS = "/documentintelligence/documentModels"
PATH = f"{MODELS}/prebuilt-read:analyze"
PAGES = pdf([["one two", "three"], ["page two"]])
QUERY = {"api-version": "2024-11-30", "outputContentFormat": "text", "output": "pdf"}


def analyze(http: TestClient, data: bytes = PAGES, **query: str) -> Any:
    body = {"base64Source": base64.b64encode(data).decode()}
    return http.post(PATH, json=body, params=QUERY | query)


def operation(answer: Any) -> str:
    """The path of the operation; the SDK takes its id by this expression."""
    location = answer.headers["operation-location"]
    assert re.match(r"[^:]+://[^/]+/documentintelligence/.+/([^?/]+)", location)
    return str(location.partition("://")[2].partition("/")[2])


def result(http: TestClient, path: str) -> Any:
    found: dict[str, Any] = {}

    def ended() -> bool:
        found.update(http.get("/" + path).json())
        return found["status"] in ("succeeded", "failed")

    wait_until(ended)
    return found


def test_request_of_paperless_gets_text_words_and_a_searchable_pdf(client: Client) -> None:
    with client(api_keys=("secret",)) as http:
        http.headers["Ocp-Apim-Subscription-Key"] = "secret"
        answer = analyze(http)
        path = operation(answer)
        found = result(http, path)["analyzeResult"]
        document = http.get("/" + path.partition("?")[0] + "/pdf", params=QUERY)
    assert answer.status_code == 202
    assert found["content"] == "one two\nthree\npage two"
    assert [page["pageNumber"] for page in found["pages"]] == [1, 2]
    assert document.content.startswith(b"%PDF")
    assert document.headers["content-type"] == "application/pdf"


def test_spans_of_words_lines_and_paragraphs_are_places_in_the_content(client: Client) -> None:
    with client() as http:
        found = result(http, operation(analyze(http)))["analyzeResult"]
    content = found["content"]
    page = found["pages"][0]
    parts = [*page["lines"], *found["paragraphs"]]
    spans = [(part["content"], part["spans"][0]) for part in parts]
    spans += [(word["content"], word["span"]) for word in page["words"]]
    for text, span in spans:
        assert content[span["offset"] : span["offset"] + span["length"]] == text
    assert [word["content"] for word in page["words"]] == ["one", "two", "three"]
    for word in page["words"]:
        assert len(word["polygon"]) == 8
        assert max(word["polygon"][::2]) <= page["width"]


def test_offsets_may_count_utf_16_units(client: Client) -> None:
    with client() as http:
        counted = analyze(http, png(["\U0001f600 two"]), stringIndexType="utf16CodeUnit")
        found = result(http, operation(counted))["analyzeResult"]
    assert found["stringIndexType"] == "utf16CodeUnit"
    assert [word["span"]["offset"] for word in found["pages"][0]["words"]] == [0, 3]


def test_words_are_json_whatever_their_letters() -> None:
    text = 'a"b\tc\\d \u2028 \U0001f600 e'
    line = TextLine(text, Box(0.1, 0.1, 0.9, 0.2), 0.5, ((0, 3, 0.98765432), (4, 7, 0.25)))
    polygon = [10.0, 20.0, 90.0, 20.0, 90.0, 40.0, 10.0, 40.0]
    words = [json.loads(word) for word in words_json(line, polygon, 100, 7, is_utf16=False)]
    units = [json.loads(word)["span"] for word in words_json(line, polygon, 100, 7, is_utf16=True)]
    assert [word["content"] for word in words] == text.split()
    assert [word["confidence"] for word in words] == [0.9877, 0.25, 0.5, 0.5]
    assert [word["span"]["offset"] - 7 for word in words] == [0, 4, 10, 12]
    assert units[2:] == [{"offset": 17, "length": 2}, {"offset": 20, "length": 1}]
    assert words[0]["polygon"][::7] == [10.0, 40.0] and words[-1]["polygon"][2] == 90.0


def test_markdown_pages_and_a_raw_body_are_honoured(client: Client) -> None:
    query = {"pages": "2", "outputContentFormat": "markdown", "features": "barcodes", "new": "1"}
    query["api-version"] = "2023-07-31"
    with client() as http:
        headers = {"Content-Type": "application/pdf"}
        answer = http.post(PATH, content=PAGES, params=query, headers=headers)
        found = result(http, operation(answer))["analyzeResult"]
    assert answer.headers["x-ignored-options"] == "api-version, features, new"
    assert (found["contentFormat"], found["content"]) == ("markdown", "page two")
    assert [page["pageNumber"] for page in found["pages"]] == [2]


def test_failure_is_a_state_of_the_operation(client: Client) -> None:
    with client() as http:
        path = operation(analyze(http, png(["@oom"])))
        found = result(http, path)
        document = http.get("/" + path.partition("?")[0] + "/pdf")
    assert found["status"] == "failed"
    assert set(found["error"]) == {"code", "message"}
    assert document.status_code == 404


def test_errors_have_the_shape_of_azure(client: Client) -> None:
    with client() as http:
        answers = [
            http.post(f"{MODELS}/prebuilt-layout:analyze", json={}),
            http.post(PATH, json={"urlSource": "http://localhost/a.pdf"}),
            http.post(PATH, json={"base64Source": "%"}),
            analyze(http, output="figures"),
            analyze(http, pages="two"),
            http.get(f"{MODELS}/prebuilt-read/analyzeResults/none"),
        ]
    assert [answer.status_code for answer in answers] == [404, 422, 422, 422, 422, 404]
    for answer in answers:
        assert set(answer.json()["error"]) == {"code", "message", "innererror"}
