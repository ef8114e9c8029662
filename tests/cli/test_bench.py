"""`dsocr bench` with the embedded engine, which every machine has."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from itertools import islice

import pytest
from typer.testing import CliRunner

from dsocr.cli import app
from dsocr.cli.bench import generate_pages
from dsocr.engines import registry
from dsocr.engines.pool import EnginePool
from dsocr.errors import EngineUnavailable
from tests.fakes import FakeEngine


def test_bench_prints_pages_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys.modules[generate_pages.__module__], "HEIGHT", 400)  # few lines
    result = CliRunner().invoke(
        app, ["bench", "--engine", "ppocr", "--mode", "tiny", "--in-flight", "1", "--pages", "2"]
    )

    assert result.exit_code == 0, result.output
    assert "ppocr was requested" in result.output
    row = next(line for line in result.output.splitlines() if line.startswith("│ 1 "))
    assert float(row.split("│")[4]) > 0


def test_bench_waits_for_all_workers_and_names_those_that_do_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class StartsLast(FakeEngine):
        async def start(self) -> None:
            await asyncio.sleep(0.3)
            await super().start()

    class NeverStarts(FakeEngine):
        async def start(self) -> None:
            raise EngineUnavailable("There is no cuda:2.")

    engines = [FakeEngine(max_concurrency=4), StartsLast(max_concurrency=4), NeverStarts()]
    for number, engine in enumerate(engines):
        engine.info = replace(engine.info, device=f"cuda:{number}")
    monkeypatch.setattr(registry, "create", lambda name, config: EnginePool(engines))
    monkeypatch.setenv("COLUMNS", "120")

    result = CliRunner().invoke(app, ["bench", "--engine", "ppocr", "--mode", "tiny"])

    assert result.exit_code == 0, result.output
    assert "cuda:2 is not used: There is no cuda:2." in result.output
    rows = [line.split("│")[1].strip() for line in result.output.splitlines() if line[:1] == "│"]
    assert rows == ["1", "8"]


def test_generated_pages_differ() -> None:
    pages = list(islice(generate_pages(), 3))

    assert len({page.image.tobytes() for page in pages}) == 3
    assert all(page.text_lines is None for page in pages)


def test_generated_pages_have_their_text_for_drafts() -> None:
    page = next(generate_pages(text_layers=True))

    assert page.text_lines is not None and page.text_lines[0].text.startswith("Page 1: ")
    assert len(page.text_lines) == 40


def test_an_unknown_kind_of_drafts_is_refused() -> None:
    result = CliRunner().invoke(app, ["bench", "--drafts", "some"])

    assert result.exit_code == 2 and "not one of off, exact, fast" in result.output


@pytest.mark.parametrize("counts", ["", "a", "0", "1,,2"])
def test_counts_that_are_not_a_list_of_numbers_are_refused(counts: str) -> None:
    result = CliRunner().invoke(app, ["bench", "--in-flight", counts])

    assert result.exit_code == 2 and "not a list of positive numbers" in result.output
