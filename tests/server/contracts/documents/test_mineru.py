"""MinerU 3, as Open WebUI calls it, and its task API."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from starlette.testclient import TestClient

from tests.fakes import pdf, png
from tests.server.conftest import Client
from tests.waiting import wait_until

FILES = {"files": ("a.pdf", pdf([["one"], ["two"], ["three"]]), "application/octet-stream")}


def ended(http: TestClient, url: str) -> Any:
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(http.get(url).json())
        return found["status"] in ("completed", "failed")

    wait_until(has_ended)
    return found


def test_request_of_open_webui_gets_markdown(client: Client) -> None:
    with client() as http:
        data = {"enable_ocr": "false", "language": "en", "return_md": "true"}
        answer = http.post("/file_parse", files=FILES, data=data)
    assert answer.json()["results"] == {"a": {"md_content": "one\n\ntwo\n\nthree"}}
    assert {"backend", "version"} <= set(answer.json())
    assert answer.headers["x-ignored-options"] == "enable_ocr, language"


def test_pages_content_list_and_languages(client: Client) -> None:
    data = {
        "start_page_id": "1",
        "end_page_id": "7",
        "return_content_list": "true",
        "lang_list": ["ch", "el"],
    }
    with client() as http:
        answer = http.post("/file_parse", files=FILES, data=data)
    result = answer.json()["results"]["a"]
    items = json.loads(result["content_list"])
    assert result["md_content"] == "two\n\nthree"
    assert [(item["text"], item["page_idx"]) for item in items] == [("two", 1), ("three", 2)]
    assert "x-ignored-options" not in answer.headers


def test_backend_is_echoed_and_reported_as_ignored(client: Client) -> None:
    with client() as http:
        answer = http.post("/file_parse", files=FILES, data={"backend": "vlm-http-client"})
    assert answer.json()["backend"] == "vlm-http-client"
    assert answer.headers["x-ignored-options"] == "backend"


def test_outputs_that_cannot_be_given_are_refused(client: Client) -> None:
    with client() as http:
        for data in (
            {"return_middle_json": "true"},
            {"parse_method": "guess"},
            {"start_page_id": "2", "end_page_id": "1"},
            {"start_page_id": "3"},
        ):
            answer = http.post("/file_parse", files=FILES, data=data)
            assert answer.status_code == 422
            assert set(answer.json()) == {"error", "detail"}


def test_task_leads_to_the_same_result(client: Client) -> None:
    with client() as http:
        task = http.post("/tasks", files=FILES, data={"return_md": "true"})
        status = ended(http, task.json()["status_url"])
        later = http.get(task.json()["result_url"]).json()
        now = http.post("/file_parse", files=FILES).json()
    assert task.status_code == 202
    assert status["file_names"] == ["a"]
    assert later == now


def test_result_of_a_task_may_be_a_zip(client: Client) -> None:
    data = {"response_format_zip": "true", "return_content_list": "true"}
    with client() as http:
        task = http.post("/tasks", files=FILES, data=data).json()
        ended(http, task["status_url"])
        answer = http.get(task["result_url"])
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read("a/a.md") == b"one\n\ntwo\n\nthree"
        assert "a/a_content_list.json" in archive.namelist()


def test_failed_task_has_no_result(client: Client) -> None:
    with client() as http:
        files = {"files": ("a.png", png(["@oom"]), "image/png")}
        task = http.post("/tasks", files=files).json()
        status = ended(http, task["status_url"])
        assert status["status"] == "failed"
        assert status["error"]
        assert http.get(task["result_url"]).status_code == 409
        assert http.get("/tasks/unknown").status_code == 404


def test_health_has_the_fields_of_the_contracts_that_want_it(client: Client) -> None:
    with client() as http:
        health = http.get("/health").json()
    assert health["status"] == "ok"
    assert health["max_concurrent_requests"] > 0
    assert (health["errorCode"], health["errorMsg"]) == (0, "Healthy")
