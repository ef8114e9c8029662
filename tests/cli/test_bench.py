"""The command that measures a machine, on the engine that every machine has."""

from __future__ import annotations

from itertools import islice

import pytest
from typer.testing import CliRunner

from dsocr.cli import app
from dsocr.cli.bench import made_pages


def test_it_says_how_many_pages_a_second_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    told = CliRunner().invoke(
        app, ["bench", "--engine", "ppocr", "--mode", "tiny", "--in-flight", "1", "--pages", "2"]
    )

    assert told.exit_code == 0, told.output
    assert "ppocr was requested" in told.output
    row = next(line for line in told.output.splitlines() if line.startswith("│ 1 "))
    assert float(row.split("│")[4]) > 0


def test_no_page_is_like_another() -> None:
    pages = list(islice(made_pages(), 3))

    assert len({page.image.tobytes() for page in pages}) == 3


@pytest.mark.parametrize("counts", ["", "a", "0", "1,,2"])
def test_what_is_no_list_of_numbers_is_refused(counts: str) -> None:
    told = CliRunner().invoke(app, ["bench", "--in-flight", counts])

    assert told.exit_code == 2 and "no list of numbers" in told.output
