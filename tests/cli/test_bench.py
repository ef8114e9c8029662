"""`dsocr bench` with the embedded engine, which every machine has."""

from __future__ import annotations

from itertools import islice

import pytest
from typer.testing import CliRunner

from dsocr.cli import app
from dsocr.cli.bench import generate_pages


def test_bench_prints_pages_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    result = CliRunner().invoke(
        app, ["bench", "--engine", "ppocr", "--mode", "tiny", "--in-flight", "1", "--pages", "2"]
    )

    assert result.exit_code == 0, result.output
    assert "ppocr was requested" in result.output
    row = next(line for line in result.output.splitlines() if line.startswith("│ 1 "))
    assert float(row.split("│")[4]) > 0


def test_generated_pages_differ() -> None:
    pages = list(islice(generate_pages(), 3))

    assert len({page.image.tobytes() for page in pages}) == 3


@pytest.mark.parametrize("counts", ["", "a", "0", "1,,2"])
def test_counts_that_are_not_a_list_of_numbers_are_refused(counts: str) -> None:
    result = CliRunner().invoke(app, ["bench", "--in-flight", counts])

    assert result.exit_code == 2 and "not a list of positive numbers" in result.output
