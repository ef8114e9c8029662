"""Apache Tika's server."""

from __future__ import annotations

from tests.fakes import pdf, png
from tests.server.conftest import Client

PAGES = pdf([["one two", "three"], ["page two"]])
TEXT = "one two\n\nthree\n\fpage two\n"


def test_put_of_a_document_is_answered_with_its_plain_text(client: Client) -> None:
    with client() as http:
        answer = http.put("/tika", content=PAGES)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text == TEXT


def test_accept_chooses_a_web_page_or_json(client: Client) -> None:
    with client() as http:
        page = http.put("/tika", content=PAGES, headers={"Accept": "text/html"})
        found = http.put("/tika", content=PAGES, headers={"Accept": "application/json"}).json()
    assert page.headers["content-type"].startswith("text/html")
    assert "<p>one two</p>" in page.text
    assert found["X-TIKA:content"] == TEXT


def test_request_of_open_webui_finds_its_content(client: Client) -> None:
    headers = {"Content-Type": "application/pdf", "X-Tika-PDFextractInlineImages": "true"}
    with client() as http:
        answer = http.put("/tika/text", content=PAGES, headers=headers)
    assert answer.json()["X-TIKA:content"].strip() == TEXT.strip()
    assert answer.json()["Content-Type"] == "application/pdf"
    assert answer.headers["x-ignored-options"] == "x-tika-pdfextractinlineimages"


def test_request_of_the_python_client_finds_metadata_and_content(client: Client) -> None:
    headers = {
        "Accept": "application/json",
        "Content-Disposition": "attachment; filename=scan%20a.pdf",
    }
    with client() as http:
        [found] = http.put("/rmeta/text", content=PAGES, headers=headers).json()
    assert found["resourceName"] == "scan%20a.pdf"
    assert found["xmpTPg:NPages"] == "2"
    assert found["X-TIKA:content"] == TEXT


def test_language_is_honoured_or_reported(client: Client) -> None:
    with client() as http:
        known = http.put("/tika", content=PAGES, headers={"X-Tika-OCRLanguage": "ell+rus"})
        other = http.put("/tika", content=PAGES, headers={"X-Tika-OCRLanguage": "tlh"})
    assert "x-ignored-options" not in known.headers
    assert other.headers["x-ignored-options"] == "x-tika-ocrlanguage"


def test_errors_have_their_own_shape(client: Client) -> None:
    with client(max_image_mb=0.001) as http:
        empty = http.put("/tika", content=b"")
        other = http.put("/tika", content=b"no document")
        large = http.put("/tika", content=b"x" * 2000)
    assert (empty.status_code, empty.json()["error"]) == (422, "invalid_field")
    assert (other.status_code, other.json()["error"]) == (415, "not_a_document")
    assert (large.status_code, large.json()["error"]) == (413, "too_large")


def test_document_with_more_pages_than_are_read_at_once_is_read_as_a_job(client: Client) -> None:
    with client(max_pages=2) as http:
        answer = http.put("/tika", content=pdf([[f"page {n}"] for n in range(5)]))
        jobs = http.get("/api/jobs").json()["total"]
    assert answer.text == "\n\f".join(f"page {n}" for n in range(5)) + "\n"
    assert jobs == 0


def test_image_is_read_too(client: Client) -> None:
    with client() as http:
        assert http.put("/tika", content=png(["a receipt"])).text == "a receipt\n"
