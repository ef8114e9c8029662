import io
import logging
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from dsocr.cli import main
from dsocr.engines import registry
from dsocr.engines.selection import EngineSelection
from tests.fakes import FakeEngine


class Ran(NamedTuple):
    """How a command ended."""

    status: Any
    out: bytes
    err: str


Dsocr = Callable[..., Ran]


@pytest.fixture
def dsocr(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Dsocr:
    """Runs the command in this process, as a shell would."""

    def run(*arguments: object, stdin: bytes = b"") -> Ran:
        monkeypatch.setenv("COLUMNS", "400")  # messages are compared, not how they are wrapped
        monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
        monkeypatch.setattr(sys, "argv", ["dsocr", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfdbinary.readouterr()
        return Ran(ended.value.code or 0, out, err.decode())

    return run


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Reads in place of whichever engine would be chosen."""
    engine = FakeEngine()
    monkeypatch.setattr(registry, "create", lambda name, config: engine)
    choice = EngineSelection("ppocr", "a test says so")
    monkeypatch.setattr("dsocr.host.select_engine", lambda wanted, path: choice)
    return engine
