"""Names of before that go on working: of the embedded engine, and of its settings."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.cli import main
from tests.fakes import FakeEngine, png
from tests.golden.compare import ENGINE_NAMES
from tests.golden.service import finished, ocr, service, submit

NAMES = {*ENGINE_NAMES, *ENGINE_NAMES.values()}


def named(name: str, config: Any = None) -> FakeEngine:
    """An engine of that name."""
    engine = FakeEngine()
    engine.info = dataclasses.replace(engine.info, name=name)
    return engine


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.png"
    file.write_bytes(png(["Hello"]))
    return file


def test_settings_of_the_embedded_engine_keep_their_names(tmp_path: Path) -> None:
    configs: list[Any] = []

    def create(name: str, config: Any) -> FakeEngine:
        configs.append(config)
        return named(name)

    variables = {
        "DEEPSEEK_OCR_EMBEDDED__THREADS": "3",
        "DEEPSEEK_OCR_EMBEDDED__PAGE_TIMEOUT_SECONDS": "45",
        "DEEPSEEK_OCR_EMBEDDED__STALL_SECONDS": "30",
    }
    with service(tmp_path, create_engine=create, **variables) as http:
        assert http.get("/health").json()["engine"]["name"] in NAMES
    config = configs[0]
    assert (config.threads, config.page_timeout_seconds, config.stall_seconds) == (3, 45, 30)


def test_the_old_name_is_taken_in_requests(tmp_path: Path, page: Path) -> None:
    with service(tmp_path, create_engine=named) as http:
        assert ocr(http, page, engine="rapidocr")["text"] == "Hello"
        job = finished(http, submit(http, [page], engine="rapidocr"))
        assert (job["status"], job["pagesFailed"]) == ("succeeded", 0)
        assert _refused(http, page, "native") and _refused(http, page, "nonsense")


def test_the_old_name_is_taken_by_the_command(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("dsocr.engines.registry.create", named)
    arguments = ["dsocr", "read", str(page), "--engine", "rapidocr", "--quiet"]
    monkeypatch.setattr("sys.argv", arguments)
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)  # the command sets it
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert capsysbinary.readouterr().out == b"Hello\n"


def _refused(http: TestClient, page: Path, engine: str) -> bool:
    image = {"image": (page.name, page.read_bytes())}
    answer = http.post("/api/ocr", files=image, data={"engine": engine})
    return answer.status_code in (400, 422) and "engine" in answer.json()["error"]["message"]
