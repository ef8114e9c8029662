"""Marker's server and datalab's form, as Open WebUI calls both."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes import pdf, png
from tests.server.conftest import Client
from tests.waiting import wait_until

FILES = {"file": ("a.pdf", pdf([["one"], ["two"]]), "application/pdf")}
SENT = {
    "use_llm": "false",
    "skip_cache": "false",
    "force_ocr": "false",
    "paginate": "false",
    "strip_existing_ocr": "false",
    "disable_image_extraction": "false",
    "format_lines": "false",
    "output_format": "markdown",
}
"""The form of Open WebUI's `DatalabMarkerLoader`."""


def test_marker_answers_at_once(client: Client) -> None:
    with client() as http:
        answer = http.post("/marker/upload", files=FILES, data=SENT)
    body = answer.json()
    assert (body["success"], body["output"], body["format"]) == (True, "one\n\ntwo", "markdown")
    assert [page["page_id"] for page in body["metadata"]["page_stats"]] == [0, 1]
    assert "use_llm" in answer.headers["x-ignored-options"]


def test_datalab_answers_with_a_url_to_poll(client: Client) -> None:
    found: dict[str, Any] = {}
    with client() as http:
        first = http.post("/api/v1/marker", files=FILES, data=SENT).json()

        def complete() -> bool:
            found.update(http.get(first["request_check_url"]).json())
            return bool(found["status"] != "processing")

        wait_until(complete)
    assert first["success"]
    assert (found["status"], found["success"]) == ("complete", True)
    assert (found["markdown"], found["page_count"]) == ("one\n\ntwo", 2)


def test_datalab_says_why_it_failed(client: Client) -> None:
    found: dict[str, Any] = {}
    with client() as http:
        files = {"file": ("a.png", png(["@oom"]), "image/png")}
        first = http.post("/api/v1/marker", files=files, data=SENT).json()

        def failed() -> bool:
            found.update(http.get(first["request_check_url"]).json())
            return bool(found["status"] != "processing")

        wait_until(failed)
    assert (found["status"], found["success"]) == ("failed", False)
    assert found["error"]


def test_pages_count_from_0_and_are_divided_as_marker_does(client: Client) -> None:
    with client() as http:
        data = {"page_range": "1", "paginate_output": "true"}
        answer = http.post("/marker/upload", files=FILES, data=data).json()
        html = http.post("/marker/upload", files=FILES, data={"output_format": "html"}).json()
    assert answer["output"] == "\n\n{1}" + "-" * 48 + "\n\ntwo"
    assert "<p>one</p>" in html["output"]


@pytest.mark.parametrize(
    "data", [{"output_format": "json"}, {"page_range": "x"}, {"page_range": "9"}]
)
def test_what_cannot_be_given_is_refused(client: Client, data: dict[str, str]) -> None:
    with client() as http:
        answer = http.post("/marker/upload", files=FILES, data=data)
    assert answer.status_code == 422
    assert answer.json()["success"] is False
