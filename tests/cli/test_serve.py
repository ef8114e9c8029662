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
    assert dsocr("serve", "--host", "0.0.0.0", "--port", 9000, "--engine", "rapidocr").status == 0
    (first, *where), (second, *elsewhere) = ran_with
    assert (first.engine, where) == ("native", ["127.0.0.1", 8000])
    assert (second.engine, elsewhere) == ("rapidocr", ["0.0.0.0", 9000])


def test_a_port_that_cannot_be_is_a_usage_error(dsocr: Dsocr) -> None:
    assert dsocr("serve", "--port", 70000).status == 2
