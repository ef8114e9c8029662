"""LiteParse's OCR server and PaddleOCR-VL's service."""

from __future__ import annotations

import base64

from dsocr.server.contracts.liteparse import LiteparseOptions
from tests.fakes import pdf, png
from tests.server.conftest import Client


def test_liteparse_gets_lines_in_pixels(client: Client) -> None:
    with client() as http:
        files = {"file": ("page.png", png(["one two", "three"]), "image/png")}
        answer = http.post("/ocr", files=files, data={"language": "el"})
    lines = answer.json()["results"]
    assert [line["text"] for line in lines] == ["one two", "three"]
    assert lines[0]["bbox"] == [6, 0, 54, 32]
    assert "x-ignored-options" not in answer.headers


def test_default_language_of_liteparse_leaves_the_choice_to_the_engine() -> None:
    assert LiteparseOptions(language="eng").languages() == []
    assert LiteparseOptions(language="deu").languages() == ["deu"]


def test_liteparse_errors_have_one_field(client: Client) -> None:
    with client() as http:
        files = {"file": ("a.pdf", pdf([["one"], ["two"]]), "application/pdf")}
        many = http.post("/ocr", files=files)
        none = http.post("/ocr", data={"language": "en"}, files={"other": b""})
    assert (many.status_code, set(many.json())) == (400, {"error"})
    assert (none.status_code, set(none.json())) == (422, {"error"})


def test_request_of_open_webui_to_paddleocr_gets_a_markdown_a_page(client: Client) -> None:
    body = {
        "file": base64.b64encode(pdf([["one"], ["two"]])).decode(),
        "fileType": 0,
        "useDocOrientationClassify": False,
        "useDocUnwarping": False,
        "useChartRecognition": False,
    }
    with client(api_keys=("secret",)) as http:
        headers = {"Authorization": "token secret"}
        answer = http.post("/layout-parsing", json=body, headers=headers)
    results = answer.json()["result"]["layoutParsingResults"]
    assert [page["markdown"]["text"] for page in results] == ["one", "two"]
    blocks = results[0]["prunedResult"]["parsing_res_list"]
    assert [block["block_content"] for block in blocks] == ["one"]
    assert answer.json()["errorCode"] == 0


def test_paddleocr_errors_have_a_number_and_a_message(client: Client) -> None:
    with client() as http:
        answers = [
            http.post("/layout-parsing", json=body)
            for body in ({}, {"file": "https://localhost/a.pdf"}, {"file": "", "fileType": 7})
        ]
    for answer in answers:
        assert answer.status_code == 422
        assert set(answer.json()) == {"logId", "errorCode", "errorMsg"}
