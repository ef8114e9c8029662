"""Open WebUI's external document loader, as its own code calls it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.testclient import TestClient

from tests.fakes import pdf, png
from tests.server.conftest import Client


def load(http: TestClient, data: bytes, name: str, media_type: str) -> Any:
    """The request of Open WebUI's `ExternalDocumentLoader`."""
    headers = {
        "Content-Type": media_type,
        "Authorization": "Bearer secret",
        "X-Filename": quote(name),
    }
    return http.put("/process", content=data, headers=headers)


def test_document_is_a_list_with_an_entry_a_page(client: Client) -> None:
    with client(api_keys=("secret",)) as http:
        answer = load(http, pdf([["one"], ["two"]]), "Überblick 1.pdf", "application/pdf")
    assert [page["page_content"] for page in answer.json()] == ["one", "two"]
    assert [page["metadata"]["page"] for page in answer.json()] == [0, 1]
    assert answer.json()[0]["metadata"]["source"] == "Überblick 1.pdf"


def test_document_without_text_is_a_422_that_makes_the_client_use_its_own_parser(
    client: Client,
) -> None:
    with client(api_keys=("secret",)) as http:
        answer = load(http, png([]), "a.png", "image/png")
    assert answer.status_code == 422
    assert "No extractable text" in answer.json()["detail"]


def test_failure_is_never_text_in_a_200(client: Client) -> None:
    with client(api_keys=("secret",)) as http:
        answer = load(http, png(["@oom"]), "a.png", "image/png")
        wrong_key = http.put("/process", content=b"x")
    assert answer.status_code >= 400
    assert set(answer.json()) == {"detail"}
    assert (wrong_key.status_code, set(wrong_key.json())) == (401, {"detail"})
