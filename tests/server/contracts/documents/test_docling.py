"""docling-serve v1, as docling's client, LangChain's loader and Open WebUI call it."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.fakes import pdf, png
from tests.server.conftest import Client

PAGES = pdf([["Title", "one"], ["two"]])
FILES = {"files": ("a.pdf", PAGES, "application/pdf")}


def convert(http: TestClient, path: str = "/v1/convert/file", **fields: Any) -> Any:
    return http.post(path, files=FILES, data=fields)


def finished(http: TestClient, task: str) -> Any:
    return http.get(f"/v1/status/poll/{task}", params={"wait": 30}).json()


def test_request_of_open_webui_gets_markdown(client: Client) -> None:
    with client() as http:
        answer = convert(http, image_export_mode="placeholder").json()
    assert answer["document"]["md_content"] == "Title\n\none\n\ntwo"
    assert answer["document"]["filename"] == "a.pdf"
    assert (answer["status"], answer["errors"]) == ("success", [])


def test_all_formats_are_given_that_are_asked_for(client: Client) -> None:
    with client() as http:
        formats = ["md", "html", "text", "json", "doctags"]
        document = convert(http, to_formats=formats).json()["document"]
        refused = convert(http, to_formats=["md", "docx"])
    assert "<p>one</p>" in document["html_content"]
    assert document["text_content"] == "Title\n\none\n\ntwo"
    assert document["json_content"]["schema_name"] == "DoclingDocument"
    assert document["doctags_content"].startswith("<doctag>")
    assert refused.status_code == 422
    assert "to_formats" in refused.json()["detail"]


def test_options_that_clients_always_send_are_reported_as_ignored(client: Client) -> None:
    with client() as http:
        sent = {"ocr_engine": "easyocr", "table_mode": "fast", "do_ocr": "true", "new": "1"}
        answer = convert(http, **sent)
        wrong = convert(http, table_mode="slow")
    assert answer.status_code == 200
    assert answer.headers["x-ignored-options"] == "do_ocr, new, ocr_engine, table_mode"
    assert wrong.status_code == 422


def test_fields_beside_the_options_of_a_source_are_reported_as_ignored(client: Client) -> None:
    source = {"kind": "file", "base64_string": base64.b64encode(png(["a"])).decode()}
    body = {"sources": [source], "callbacks": [{"url": "http://localhost/"}]}
    with client() as http:
        answer = http.post("/v1/convert/source", json=body)
    assert answer.status_code == 200
    assert answer.headers["x-ignored-options"] == "callbacks"


def test_first_page_beyond_the_document_is_an_invalid_value(client: Client) -> None:
    with client() as http:
        for path in ("/v1/convert/file", "/v1/convert/file/async"):
            answer = http.post(
                path, files={"files": ("a.png", png(["a"]))}, data={"page_range": ["2", "3"]}
            )
            assert answer.status_code == 422
            assert answer.json()["detail"].startswith("pages: there is no page 2")


def test_page_range_beyond_the_document_ends_with_it(client: Client) -> None:
    with client() as http:
        second = convert(http, page_range=["2", "9"]).json()
        every = convert(http, page_range=["1", "9223372036854775807"]).json()
        wrong = convert(http, page_range=["2", "1"])
    assert second["document"]["md_content"] == "two"
    assert every["document"]["md_content"] == "Title\n\none\n\ntwo"
    assert wrong.status_code == 422


def test_page_breaks_are_written_as_asked_for(client: Client) -> None:
    with client() as http:
        text = convert(http, md_page_break_placeholder="=PAGE=").json()["document"]["md_content"]
    assert text == "Title\n\none\n\n=PAGE=\n\ntwo"


@pytest.mark.parametrize("key", ["sources", "file_sources"])
def test_source_may_be_base64_but_no_url(client: Client, key: str) -> None:
    file = {"base64_string": base64.b64encode(PAGES).decode(), "filename": "b.pdf"}
    kind = {"kind": "file"} if key == "sources" else {}
    with client() as http:
        found = http.post(
            "/v1/convert/source", json={"options": {"to_formats": ["text"]}, key: [file | kind]}
        )
        url = {"kind": "http", "url": "http://localhost/a.pdf"}
        refused = http.post("/v1/convert/source", json={"sources": [url]})
    assert found.json()["document"]["text_content"] == "Title\n\none\n\ntwo"
    assert refused.status_code == 422
    assert "does not fetch" in refused.json()["detail"]


def test_several_files_are_a_zip(client: Client) -> None:
    files = [("files", (name, PAGES, "application/pdf")) for name in ("a.pdf", "b.pdf")]
    with client() as http:
        answer = http.post("/v1/convert/file", files=files)
        later = http.post("/v1/convert/file/async", files=files).json()["task_id"]
        assert finished(http, later)["task_status"] == "success"
        stored = http.get(f"/v1/result/{later}")
    for data in (answer.content, stored.content):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert sorted(archive.namelist()) == ["a-1.md", "b-2.md"]
            assert archive.read("b-2.md") == b"Title\n\none\n\ntwo"


def test_task_is_polled_and_its_result_is_as_at_once(client: Client) -> None:
    with client() as http:
        task = convert(http, "/v1/convert/file/async", to_formats=["text", "md"]).json()
        ended = finished(http, task["task_id"])
        later = http.get(f"/v1/result/{task['task_id']}").json()
        now = convert(http, to_formats=["text", "md"]).json()
    assert task["task_status"] in ("pending", "started")
    assert (ended["task_status"], ended["task_type"]) == ("success", "convert")
    assert later["document"] == now["document"]


def test_target_that_cannot_be_given_makes_the_client_ask_for_inbody(client: Client) -> None:
    with client() as http:
        answer = convert(http, "/v1/convert/file/async", target_type="presigned_url")
    assert answer.status_code == 422
    assert "presigned_url" in answer.json()["detail"]
    assert "Input should be" in answer.json()["detail"]


def test_unknown_task_has_the_words_that_the_client_looks_for(client: Client) -> None:
    with client() as http:
        for path in ("/v1/status/poll/nothing", "/v1/result/nothing", "/v1/result/a.!!"):
            answer = http.get(path)
            assert (answer.status_code, answer.json()) == (404, {"detail": "Task not found."})


def test_failed_task_says_why_and_has_no_result(client: Client) -> None:
    with client() as http:
        files = {"files": ("a.png", png(["@oom"]), "image/png")}
        task = http.post("/v1/convert/file/async", files=files).json()["task_id"]
        ended = finished(http, task)
        result = http.get(f"/v1/result/{task}")
    assert ended["task_status"] == "failure"
    assert ended["error_message"]
    assert result.status_code == 404
    assert result.json()["detail"].startswith("Task result not found")


def test_chunks_have_their_pages(client: Client) -> None:
    data = {"convert_do_ocr": "true", "chunking_max_tokens": "100", "include_converted_doc": "true"}
    with client() as http:
        now = http.post("/v1/chunk/hybrid/file", files=FILES, data=data).json()
        path = "/v1/chunk/hierarchical/file/async"
        task = http.post(path, files=FILES, data=data).json()
        ended = finished(http, task["task_id"])
        later = http.get(f"/v1/result/{task['task_id']}").json()
    assert [chunk["page_numbers"] for chunk in now["chunks"]] == [[1, 2]]
    assert "one" in now["chunks"][0]["text"]
    assert now["documents"][0]["content"]["md_content"] == "Title\n\none\n\ntwo"
    assert ended["task_type"] == "chunk"
    assert later["chunks"] == now["chunks"]


def test_socket_sends_the_states_of_a_task_until_its_end(client: Client) -> None:
    with client() as http:
        task = convert(http, "/v1/convert/file/async").json()["task_id"]
        with http.websocket_connect(f"/v1/status/ws/{task}") as socket:
            first = socket.receive_json()
            states = []
            with pytest.raises(WebSocketDisconnect):
                while True:
                    states.append(socket.receive_json())
    assert (first["message"], first["task"]["task_id"]) == ("connection", task)
    assert states[-1]["message"] == "update"
    assert states[-1]["task"]["task_status"] == "success"


def test_socket_needs_a_key_an_own_task_and_an_allowed_origin(client: Client) -> None:
    key = {"X-Api-Key": "secret"}
    with client(api_keys=("secret",), allowed_origins=("https://own.example",)) as http:
        foreign = key | {"Origin": "https://else.example"}
        for headers in ({}, foreign):
            with (
                pytest.raises(WebSocketDisconnect),
                http.websocket_connect("/v1/status/ws/x", headers=headers),
            ):
                pass
        with http.websocket_connect("/v1/status/ws/x", headers=key) as socket:
            assert socket.receive_json()["error"] == "Task not found."


def test_task_of_another_key_is_not_found(client: Client) -> None:
    with client(api_keys=("one", "two")) as http:
        own = http.post("/v1/convert/file/async", files=FILES, headers={"X-Api-Key": "one"})
        task = own.json()["task_id"]
        other = http.get(f"/v1/result/{task}", headers={"X-Api-Key": "two"})
    assert (other.status_code, other.json()) == (404, {"detail": "Task not found."})


def test_the_first_paths_of_docling_serve_are_answered_too(client: Client) -> None:
    with client() as http:
        assert convert(http, "/v1alpha/convert/file").json()["status"] == "success"
        assert http.get("/version").json()["docling-serve"] == "1"
        assert http.get("/health").json()["status"] == "ok"


def test_failed_page_is_an_error_beside_the_others(client: Client) -> None:
    files = {"files": ("a.pdf", pdf([["fine"], ["@oom"]]), "application/pdf")}
    with client() as http:
        answer = http.post("/v1/convert/file", files=files).json()
    assert answer["status"] == "partial_success"
    assert [error["page_no"] for error in answer["errors"]] == [2]
    assert json.dumps(answer["document"]["md_content"]).startswith('"fine')
