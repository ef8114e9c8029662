"""n8n's HTTP Request node: a form with a binary file, a binary body, and JSON with base64.

The requests are those of its version 4 with the generic credential "Bearer Auth". Its Mistral node
has a fixed host, so its JSON is sent with this node.
"""

from __future__ import annotations

import base64
from typing import Any

from starlette.testclient import TestClient

from tests.fakes import pdf, png
from tests.server.conftest import Client

KEY = "secret"
HEADERS = {
    "authorization": f"Bearer {KEY}",
    "accept": "application/json,text/html,application/xhtml+xml,application/xml,text/*;q=0.9, "
    "image/*;q=0.8, */*;q=0.7",
    "accept-encoding": "gzip, compress, deflate, br",
    "user-agent": "axios/1.12.0",
}
BOUNDARY = "--------------------------123456789012345678901234"
PDF = pdf([["one"], ["two"]])


def post_form(http: TestClient, path: str, name: str, **fields: str) -> Any:
    """Body content type "Form-Data" with the parameter `name` of the type "n8n Binary File"."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{text}\r\n'.encode()
        for field, text in fields.items()
    ]
    parts.append(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="Überblick 1.pdf"'
        "\r\nContent-Type: application/pdf\r\n\r\n".encode()
    )
    content = b"".join([*parts, PDF, f"\r\n--{BOUNDARY}--\r\n".encode()])
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return http.post(path, content=content, headers={**HEADERS, "content-type": kind})


def test_a_form_with_a_binary_file_is_read(client: Client) -> None:
    with client(api_keys=(KEY,)) as http:
        own = post_form(http, "/api/ocr", "image", pages="2")
        docling = post_form(http, "/v1/convert/file", "files", to_formats="md")
        mineru = post_form(http, "/file_parse", "files", return_md="true")
        marker = post_form(http, "/marker/upload", "file", output_format="markdown")
        job = post_form(http, "/api/jobs", "file")
    assert (own.status_code, own.json()["text"]) == (200, "two")
    assert own.json()["fileName"] == "Überblick 1.pdf"
    assert docling.json()["document"]["md_content"].split() == ["one", "two"]
    [result] = mineru.json()["results"].values()
    assert "one" in result["md_content"] and "two" in result["md_content"]
    assert "two" in marker.json()["output"]
    assert job.status_code == 202


def test_a_binary_body_is_read(client: Client) -> None:
    """Body content type "n8n Binary File"."""
    headers = {**HEADERS, "content-type": "application/pdf", "content-length": str(len(PDF))}
    with client(api_keys=(KEY,)) as http:
        tika = http.put("/tika", content=PDF, headers=headers)
        loader = http.put("/process", content=PDF, headers=headers)
        wrong = http.put("/tika", content=PDF, headers={**headers, "authorization": "Bearer x"})
    assert tika.json()["X-TIKA:content"].split() == ["one", "two"]
    assert [page["page_content"] for page in loader.json()] == ["one", "two"]
    assert wrong.status_code == 401


def test_json_with_base64_is_read(client: Client) -> None:
    """Body content type "JSON", with the binary data of an item as base64."""
    data = base64.b64encode(png(["three"])).decode()
    mistral = {
        "model": "mistral-ocr-latest",
        "document": {"type": "image_url", "image_url": f"data:image/png;base64,{data}"},
    }
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
    chat = {"model": "deepseek-ocr", "messages": [{"role": "user", "content": [part]}]}
    with client(api_keys=(KEY,)) as http:
        ocr = http.post("/v1/ocr", json=mistral, headers=HEADERS).json()
        answer = http.post("/v1/chat/completions", json=chat, headers=HEADERS).json()
    assert [page["markdown"] for page in ocr["pages"]] == ["three"]
    assert answer["choices"][0]["message"]["content"] == "three"
