from pathlib import Path

import pytest

from dsocr.config import Settings
from tests.cli.conftest import Dsocr


def test_the_service_gets_the_settings_and_where_to_listen(
    dsocr: Dsocr, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran_with: list[tuple[Settings, str, int]] = []
    monkeypatch.setattr("dsocr.server.serve.run", lambda *given: ran_with.append(given))
    monkeypatch.setenv("DEEPSEEK_OCR_ENGINE", "native")
    assert dsocr("serve").status == 0
    assert dsocr("serve", "--host", "0.0.0.0", "--port", 9000, "--engine", "ppocr").status == 0
    (first, *where), (second, *elsewhere) = ran_with
    assert (first.engine, where) == ("native", ["127.0.0.1", 8000])
    assert (second.engine, elsewhere) == ("ppocr", ["0.0.0.0", 9000])


@pytest.mark.parametrize("place", ["/proc/x", __file__, f"{__file__}/x"])
def test_a_runs_folder_that_cannot_be_used_is_told_in_one_line(
    dsocr: Dsocr, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("DEEPSEEK_OCR_RUNS_DIR", place)
    ran = dsocr("serve", "--port", 0)
    assert ran.status == 1
    (line,) = [line for line in ran.err.splitlines() if "WARNING" not in line]
    assert line.startswith(f"dsocr: DEEPSEEK_OCR_RUNS_DIR: {place} cannot be used: ")


def test_a_page_folder_without_a_page_is_told_in_one_line(
    dsocr: Dsocr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DEEPSEEK_OCR_RUNS_DIR", str(tmp_path))
    monkeypatch.setenv("DEEPSEEK_OCR_SERVER__PAGE_DIR", "/nonexist")
    ran = dsocr("serve", "--port", 0)
    assert ran.status == 1
    assert "dsocr: DEEPSEEK_OCR_SERVER__PAGE_DIR: there is no index.html in /nonexist." in ran.err
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_cannot_be_is_a_usage_error(dsocr: Dsocr) -> None:
    assert dsocr("serve", "--port", 70000).status == 2
