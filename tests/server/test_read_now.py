"""The seam below `/api/ocr` that contracts call: admit, open, run."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.errors import TooManyPages, UnsupportedTask
from dsocr.pipeline.events import PageDone, PageEvent
from dsocr.server.admission import AdmissionRefused
from dsocr.server.deps import Service
from dsocr.server.problems import PageFailed
from dsocr.server.read_now import ReadRequest, admit
from dsocr.server.received.uploads import Upload
from dsocr.types import Document, OcrOptions, ReadOptions
from tests.fakes import OPTIONS, pdf
from tests.server.conftest import Client


def service_in(http: TestClient) -> Service:
    service: Service = http.app.state.service  # type: ignore[attr-defined]
    return service


def read(http: TestClient, folder: Path, content: bytes, **request: Any) -> Document:
    """The document as a contract reads it, in the event loop of the service."""
    path = folder / "a.pdf"
    path.write_bytes(content)
    options: OcrOptions = request.pop("options", OPTIONS)
    service = service_in(http)

    async def admit_open_run() -> Document:
        async with AsyncExitStack() as stack:
            admitted = await admit(service, len(content), stack)
            how = ReadOptions(options, **request)
            wanted = ReadRequest(Upload("a.pdf", path, len(content)), how)
            opened = await admitted.open(wanted, stack)
            return await opened.run(events.append)

    events: list[PageEvent] = []
    assert http.portal is not None
    document = http.portal.call(admit_open_run)
    assert sum(isinstance(event, PageDone) for event in events) == len(document.pages)
    return document


def test_a_document_is_read_and_its_admission_released(client: Client, tmp_path: Path) -> None:
    with client() as http:
        document = read(http, tmp_path, pdf([["one"], ["two"], ["three"]]), pages="2-")
        admission = service_in(http).admission
        assert (admission.running, admission.waiting, admission.bytes) == (0, 0, 0)
    assert [page.markdown for page in document.pages] == ["two", "three"]


def test_errors_are_raised_and_release_the_admission(client: Client, tmp_path: Path) -> None:
    describe = OcrOptions(task="describe", mode="tiny", prompt="<image>\nDescribe it.")
    with client(max_pages=1) as http:
        with pytest.raises(TooManyPages, match="POST /api/jobs"):
            read(http, tmp_path, pdf([["one"], ["two"]]))
        with pytest.raises(UnsupportedTask):
            read(http, tmp_path, pdf([["one"]]), options=describe)
        with pytest.raises(PageFailed):
            read(http, tmp_path, pdf([["@crash"]]))
        assert service_in(http).admission.waiting == 0


def test_a_request_over_the_bytes_of_the_queue_is_refused(client: Client, tmp_path: Path) -> None:
    with client(max_queue_mb=0.0001) as http, pytest.raises(AdmissionRefused) as refused:
        read(http, tmp_path, pdf([["one"]]))
    assert refused.value.retry_after >= 1
