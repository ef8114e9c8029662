"""What holds for every contract: a document has the same words, and a full queue says so."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.server.admission import AdmissionLimiter
from tests.fakes import pdf
from tests.waiting import wait_until

PDF = pdf([["Heading one", "body text"], ["page two"]])
WORDS = ["Heading", "one", "body", "text", "page", "two"]
BASE64 = base64.b64encode(PDF).decode()
DATA_URL = f"data:application/pdf;base64,{BASE64}"
FORM_FILE = ("a.pdf", PDF, "application/pdf")
Read = Callable[[TestClient], str]


def posted(http: TestClient, path: str, field: str, **data: str) -> Any:
    return http.post(path, files={field: FORM_FILE}, data=data).json()


def sent(http: TestClient, path: str, **body: Any) -> Any:
    return http.post(path, json={"model": "any", **body}).json()


def ended(http: TestClient, url: str, running: tuple[str, ...]) -> Any:
    found: dict[str, Any] = {}

    def has_ended() -> bool:
        found.update(http.get(url).json())
        return found["status"] not in running

    wait_until(has_ended)
    return found


def own(http: TestClient) -> str:
    return str(posted(http, "/api/ocr", "image")["text"])


def chat(http: TestClient) -> str:
    part = {"type": "file", "file": {"file_data": DATA_URL}}
    messages = [{"role": "user", "content": [part]}]
    answer = sent(http, "/v1/chat/completions", messages=messages)
    return str(answer["choices"][0]["message"]["content"])


def chat_with_a_document_url(http: TestClient) -> str:
    part = {"type": "document_url", "document_url": DATA_URL}
    messages = [{"role": "user", "content": [part]}]
    answer = sent(http, "/v1/chat/completions", messages=messages)
    return str(answer["choices"][0]["message"]["content"])


def response(http: TestClient) -> str:
    part = {"type": "input_file", "file_data": DATA_URL}
    answer = sent(http, "/v1/responses", input=[{"role": "user", "content": [part]}])
    return str(answer["output"][0]["content"][0]["text"])


def mistral(http: TestClient) -> str:
    document = {"type": "document_url", "document_url": DATA_URL}
    pages = sent(http, "/v1/ocr", document=document)["pages"]
    return " ".join(page["markdown"] for page in pages)


def tika(http: TestClient) -> str:
    return http.put("/tika", content=PDF, headers={"Accept": "text/plain"}).text


def open_webui(http: TestClient) -> str:
    headers = {"Content-Type": "application/pdf"}
    pages = http.put("/process", content=PDF, headers=headers).json()
    return " ".join(page["page_content"] for page in pages)


def docling(http: TestClient) -> str:
    return str(posted(http, "/v1/convert/file", "files")["document"]["md_content"])


def docling_chunks(http: TestClient) -> str:
    chunks = posted(http, "/v1/chunk/hybrid/file", "files")["chunks"]
    return " ".join(chunk["text"] for chunk in chunks)


def azure(http: TestClient) -> str:
    path = "/documentintelligence/documentModels/prebuilt-read:analyze"
    answer = http.post(path, json={"base64Source": BASE64})
    url = answer.headers["operation-location"]
    return str(ended(http, url, ("notStarted", "running"))["analyzeResult"]["content"])


def mineru(http: TestClient) -> str:
    return str(posted(http, "/file_parse", "files")["results"]["a"]["md_content"])


def marker(http: TestClient) -> str:
    return str(posted(http, "/marker/upload", "file")["output"])


def datalab(http: TestClient) -> str:
    url = posted(http, "/api/v1/marker", "file")["request_check_url"]
    return str(ended(http, url, ("processing",))["markdown"])


def paddleocr(http: TestClient) -> str:
    answer = sent(http, "/layout-parsing", file=BASE64, fileType=0)
    pages = answer["result"]["layoutParsingResults"]
    return " ".join(page["markdown"]["text"] for page in pages)


def liteparse(http: TestClient) -> str:
    """It sends a page at a time."""
    texts = []
    for lines in (["Heading one", "body text"], ["page two"]):
        answer = http.post("/ocr", files={"file": ("a.pdf", pdf([lines]), "application/pdf")})
        texts += [line["text"] for line in answer.json()["results"]]
    return " ".join(texts)


CONTRACTS = (
    own, chat, chat_with_a_document_url, response, mistral, tika, open_webui, docling,
    docling_chunks, azure, mineru, marker, datalab, paddleocr, liteparse,
)  # fmt: skip


@pytest.mark.parametrize("read", CONTRACTS, ids=lambda read: read.__name__)
def test_document_has_the_same_words_by_every_contract(shared: TestClient, read: Read) -> None:
    found = read(shared).replace("---", " ").replace("#", " ")
    assert found.split() == WORDS


FORM = {"file": FORM_FILE}
FORMS = {"files": FORM_FILE}
CHAT = {
    "messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": DATA_URL}}]}]
}
INPUT = [{"role": "user", "content": [{"type": "input_file", "file_data": DATA_URL}]}]
SOURCES = {"sources": [{"kind": "file", "base64_string": BASE64}]}
PREBUILT_READ = "/documentintelligence/documentModels/prebuilt-read:analyze"
DOCLING = {"detail"}
MINERU = {"error", "detail"}
OPENAI = {"error.message", "error.type", "error.param", "error.code"}
MARKER = {"success", "error"}
MISTRAL = {"object", "message", "type", "param", "code"}
TIKA = {"status", "error", "message"}
Sent = dict[str, Any]
REFUSED: tuple[tuple[str, str, Sent, set[str]], ...] = (
    ("POST", "/v1/chat/completions", {"json": CHAT}, OPENAI),
    ("POST", "/v1/chat/completions", {"json": CHAT | {"stream": True}}, OPENAI),
    ("POST", "/v1/responses", {"json": {"input": INPUT}}, OPENAI),
    ("POST", "/v1/ocr", {"json": {"document": {"document_url": DATA_URL}}}, MISTRAL),
    ("POST", "/v1/files", {"files": FORM, "data": {"purpose": "ocr"}}, MISTRAL),
    ("PUT", "/tika", {"content": PDF}, TIKA),
    ("PUT", "/rmeta/text", {"content": PDF}, TIKA),
    ("PUT", "/process", {"content": PDF}, {"detail"}),
    ("POST", "/v1/convert/file", {"files": FORMS}, DOCLING),
    ("POST", "/v1/convert/source", {"json": SOURCES}, DOCLING),
    ("POST", "/v1/chunk/hybrid/file", {"files": FORMS}, DOCLING),
    ("POST", "/v1/convert/file/async", {"files": FORMS}, DOCLING),
    (
        "POST",
        PREBUILT_READ,
        {"json": {"base64Source": BASE64}},
        {"error.code", "error.message", "error.innererror"},
    ),
    ("POST", "/file_parse", {"files": FORMS}, MINERU),
    ("POST", "/tasks", {"files": FORMS}, MINERU),
    ("POST", "/ocr", {"files": FORM}, {"error"}),
    ("POST", "/marker/upload", {"files": FORM}, MARKER),
    ("POST", "/api/v1/marker", {"files": FORM}, MARKER),
    ("POST", "/layout-parsing", {"json": {"file": BASE64}}, {"logId", "errorCode", "errorMsg"}),
)


def fields_of(body: dict[str, Any]) -> set[str]:
    """The names of the fields; those of an object `error` inside it."""
    if isinstance(body.get("error"), dict):
        return {f"error.{name}" for name in body["error"]}
    return set(body)


@pytest.mark.parametrize(
    ("method", "path", "request_", "fields"),
    REFUSED,
    ids=[f"{number} {path}" for number, (_, path, *_) in enumerate(REFUSED)],
)
def test_full_queue_is_an_error_of_the_contract_with_a_time_to_wait(
    shared: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    request_: Sent,
    fields: set[str],
) -> None:
    full = AdmissionLimiter(max_requests=lambda: 0, max_bytes=lambda: 0)
    for name in ("admission", "uploads"):
        monkeypatch.setattr(shared.app.state.service, name, full)  # type: ignore[attr-defined]
    answer = shared.request(method, path, **request_)
    assert (answer.status_code, fields_of(answer.json())) == (429, fields), answer.text
    assert int(answer.headers["retry-after"]) > 0
