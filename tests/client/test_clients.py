"""Documents and jobs through both clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dsocr.client
from dsocr.client import (
    BlockDone,
    Conflict,
    DocumentDone,
    InvalidRequest,
    Job,
    JobDone,
    JobPageDone,
    NotFound,
    PageDone,
    PageStarted,
    RequestTooLarge,
    ServiceUnreachable,
    TextDelta,
    Unauthorized,
)
from dsocr.errors import BadRequest
from tests.fakes import pdf, png

ROOT = Path(__file__).parents[2]
SCHEMAS = json.loads((ROOT / "docs" / "openapi.json").read_text())["components"]["schemas"]


@pytest.fixture(scope="module")
def finished(url: str) -> Job:
    """A job of two files, of whose three pages one failed."""
    with dsocr.client.Client(url, "open-sesame") as client:
        job = client.create_job([pdf([["one"], ["@crash"]]), png(["three"])], name="a.pdf")
        return client.wait(job.jobId)


def test_a_document_is_read_from_a_path_and_from_bytes(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "scan.png"
    path.write_bytes(png(["Invoice"]))
    document = client.read(path, mode="tiny")
    assert (document.text, document.fileName, document.mode) == ("Invoice", "scan.png", "tiny")
    assert document.pages[0].layout.items[0].text == "Invoice"
    assert client.read(str(path)).text == "Invoice"
    named = client.read(pdf([["one"], ["two"]]), name="book.pdf", pages="2")
    assert (named.text, named.fileName) == ("two", "book.pdf")


def test_a_stream_has_typed_events_and_ends_with_the_document(client: Any) -> None:
    events = list(client.stream(pdf([["one"], ["two"]])))
    kinds = {type(event) for event in events}
    assert kinds == {PageStarted, TextDelta, BlockDone, PageDone, DocumentDone}
    assert events[-1].document.text == "one\n\n---\n\ntwo"
    deltas = [event for event in events if isinstance(event, TextDelta)]
    for index, word in enumerate(("one", "two")):  # two pages may be read at once
        assert word in "".join(delta.text for delta in deltas if delta.pageIndex == index)
    assert {event.page.text for event in events if isinstance(event, PageDone)} == {"one", "two"}


def test_an_error_before_the_first_page_has_its_code_status_and_request_id(client: Any) -> None:
    with pytest.raises(InvalidRequest) as invalid:
        client.read(png(["a"]), mode="huge")
    assert (invalid.value.status, invalid.value.code) == (422, "unsupported_mode")
    assert len(invalid.value.request_id or "") == 32
    with pytest.raises(RequestTooLarge, match="4 pages are more than 3"):
        client.read(pdf([["a"]] * 4))


def test_an_error_event_is_raised_with_its_code(client: Any) -> None:
    with pytest.raises(dsocr.client.Unavailable) as crashed:
        client.read(pdf([["@crash"]]))
    assert (crashed.value.code, crashed.value.status) == ("engine_crash", None)


def test_a_missing_file_and_a_wrong_url_are_named(client: Any, kind: Any) -> None:
    with pytest.raises(BadRequest, match=r"nowhere\.pdf: No such file"):
        client.read("nowhere.pdf")
    with pytest.raises(BadRequest, match="begins with http"):
        kind("localhost:8000", None)


def test_a_wrong_key_is_unauthorized(kind: Any, url: str) -> None:
    wrong = kind(url, "wrong")
    with pytest.raises(Unauthorized, match="key"):
        wrong.jobs()
    wrong.close()


def test_without_a_service_the_error_names_the_url(kind: Any) -> None:
    alone = kind("http://127.0.0.1:9", None, retries=0)
    with pytest.raises(ServiceUnreachable, match="no answer from http://127.0.0.1:9"):
        alone.job("a")
    alone.close()


def test_a_job_is_submitted_once_for_a_key_followed_listed_and_deleted(client: Any) -> None:
    content = pdf([["one"], ["two"]])
    job = client.create_job([content], name="lone.pdf", idempotency_key=type(client).__name__)
    again = client.create_job([content], name="lone.pdf", idempotency_key=type(client).__name__)
    assert again.jobId == job.jobId
    events = list(client.job_events(job.jobId))
    assert [event.page.pageIndex for event in events if isinstance(event, JobPageDone)] == [0, 1]
    assert isinstance(events[-1], JobDone)
    assert events[-1].job.status == "succeeded" and events[-1].job.finished
    rest = list(client.job_events(job.jobId, after=events[-2].id))
    assert [type(event) for event in rest] == [JobDone]
    assert list(client.job_events(job.jobId, after=events[-1].id))[-1].job.finished
    found = client.jobs(search="lone.pdf", status="succeeded")
    assert [one.jobId for one in found.jobs] == [job.jobId] and found.total == 1
    client.delete(job.jobId)
    with pytest.raises(NotFound) as gone:
        client.job(job.jobId)
    assert gone.value.code == "not_found"


def test_a_job_is_exported_in_memory_to_a_file_and_as_a_zip(
    client: Any, finished: Job, tmp_path: Path
) -> None:
    text = client.export(finished.jobId, "text").decode()
    assert text.startswith("one") and text.rstrip().endswith("three")
    client.export_to(tmp_path / "a.md", finished.jobId, frontmatter=True)
    assert (tmp_path / "a.md").read_text().startswith("---\n")
    assert client.export_jobs([finished.jobId], "text")[:2] == b"PK"
    assert {"key": "markdown", "missing": []} in [
        known.model_dump() for known in client.formats(finished.jobId)
    ]
    with pytest.raises(InvalidRequest):
        client.export_to(tmp_path / "b.rtf", finished.jobId, "rtf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.md"]


def test_a_page_of_a_job_is_corrected_and_the_export_has_the_correction(
    client: Any, finished: Job
) -> None:
    page = client.page(finished.jobId, 2)
    block = page.layout.items[0].id
    corrected = client.correct(finished.jobId, 2, [{"id": block, "text": "3"}])
    assert (corrected.text, corrected.correctedText) == ("three", "3")
    assert client.export(finished.jobId, "text").decode().rstrip().endswith("3")
    with pytest.raises(Conflict):
        client.retry_page(finished.jobId, 2)
    reset = client.correct(finished.jobId, 2, [{"id": block}])
    assert reset.correctedText == "three"
    assert client.page_image(finished.jobId, 2)[:2] == b"\xff\xd8"


def test_a_running_job_is_cancelled(client: Any) -> None:
    job = client.create_job([pdf([["@hang"]])])
    assert client.cancel(job.jobId).status == "cancelled"
    assert client.wait(job.jobId).status == "cancelled"


def test_a_document_is_exported_without_a_job(client: Any) -> None:
    content = png(["Invoice 4711"])
    document = client.read(content, name="invoice.png")
    html = client.export_document(document, "html", content, toc=False).decode()
    assert "Invoice 4711" in html
    redacted = client.export_document(document, "text", redact=["4711", "nothing"]).decode()
    assert "4711" not in redacted and "Invoice" in redacted


def test_an_id_with_other_characters_is_refused_before_it_is_sent(client: Any) -> None:
    with pytest.raises(BadRequest, match="not the id of a job"):
        client.job("../health")


def test_health_and_modes_are_those_of_the_service(client: Any) -> None:
    assert client.health()["status"] == "ok"
    assert "gundam" in client.modes()["modes"]


@pytest.mark.parametrize(
    ("record", "schema"),
    [
        ("Document", "OcrAnswer"),
        ("Job", "JobAnswer"),
        ("JobFile", "JobFileAnswer"),
        ("JobList", "JobList"),
        ("JobPage", "JobPageAnswer"),
        ("Correction", "CorrectionAnswer"),
        ("FormatAvailability", "FormatAvailability"),
    ],
)
def test_a_record_has_the_fields_of_the_http_api(record: str, schema: str) -> None:
    fields = set(getattr(dsocr.client, record).model_fields)
    assert fields == set(SCHEMAS[schema]["properties"])


@pytest.mark.parametrize(
    ("options", "path"), [("ReadOptions", "/api/ocr"), ("JobOptions", "/api/jobs")]
)
def test_options_are_the_fields_of_the_form(options: str, path: str) -> None:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    form = document["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]
    own = {"image", "file", "url"}
    known = getattr(dsocr.client, options).__annotations__
    assert set(known) == set(form["schema"]["properties"]) - own
