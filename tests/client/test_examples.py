"""The examples of docs/clients.md run as they are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dsocr.client import Client
from tests.client.conftest import KEY
from tests.fakes import pdf, png

DOCS = (Path(__file__).parents[2] / "docs" / "clients.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_of_the_documentation_runs(
    number: int,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "invoice.png").write_bytes(png(["Invoice 4711"]))
    (tmp_path / "report.pdf").write_bytes(pdf([["first"], ["second"]]))
    monkeypatch.chdir(tmp_path)
    example = EXAMPLES[number].replace("http://127.0.0.1:8000", url)
    exec(compile(example, f"example {number}", "exec"), {"__name__": "example"})
    with Client(url, KEY) as client:
        assert all(job.finished for job in client.jobs().jobs)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 4
