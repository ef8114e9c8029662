"""`dsocr read --url`: a running service reads, the command writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsocr.client import Client
from dsocr.config import ServerConfig, Settings
from tests.cli.conftest import Dsocr
from tests.fakes import FakeEngine, pdf, png
from tests.served import served

KEY = "open-sesame"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(
        engine="ppocr",
        runs_dir=tmp_path_factory.mktemp("runs"),
        server=ServerConfig(api_keys=(KEY,)),
    )
    with served(settings, FakeEngine()) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def at(service: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setenv("DSOCR_KEY", KEY)
    return ("--url", service)


def test_documents_of_a_folder_are_read_elsewhere_and_written_here(
    dsocr: Dsocr, at: tuple[str, str], tmp_path: Path
) -> None:
    scans = tmp_path / "scans"
    (scans / "more").mkdir(parents=True)
    (scans / "a.pdf").write_bytes(pdf([["one"], ["two"]]))
    (scans / "more" / "b.png").write_bytes(png(["three"]))
    (scans / "notes.txt").write_text("no document")
    ran = dsocr("read", scans, "-o", tmp_path / "out", *at)
    assert ran.status == 0, ran.err
    assert (tmp_path / "out" / "a.md").read_text() == "one\n\n---\n\ntwo\n"
    assert (tmp_path / "out" / "more" / "b.md").read_text() == "three\n"
    assert "2 documents, 3 pages" in ran.err and "1 other file skipped" in ran.err
    assert "Engine:" not in ran.err


def test_figures_are_files_beside_the_markdown(
    dsocr: Dsocr, at: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "scan.png").write_bytes(png(["one", "@figure"]))
    assert dsocr("read", tmp_path / "scan.png", "-o", tmp_path / "out.md", *at).status == 0
    assert (tmp_path / "out.md").read_text().endswith("](out-images/0_0.jpg)\n")
    assert [path.name for path in (tmp_path / "out-images").iterdir()] == ["0_0.jpg"]


def test_documents_reach_standard_output_in_the_order_of_the_arguments(
    dsocr: Dsocr, at: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "slow.pdf").write_bytes(pdf([["@slow=0.2", "first"], ["left out"]]))
    (tmp_path / "fast.png").write_bytes(png(["second"]))
    paths = (tmp_path / "slow.pdf", tmp_path / "fast.png")
    ran = dsocr("read", *paths, "--pages", "1", "-f", "json", "--mode", "tiny", "-q", *at)
    assert ran.status == 0, ran.err
    documents = [json.loads(line) for line in ran.out.splitlines()]
    assert [document["fileName"] for document in documents] == ["slow.pdf", "fast.png"]
    assert [len(document["pages"]) for document in documents] == [1, 1]
    assert documents[0]["mode"] == "tiny"


def test_standard_input_is_read_with_a_task_and_export_options(
    dsocr: Dsocr, at: tuple[str, str]
) -> None:
    options = ("--task", "text", "--frontmatter", "-f", "markdown")
    ran = dsocr("read", "-", *options, *at, stdin=png(["Invoice"]))
    assert ran.status == 0, ran.err
    assert ran.out.startswith(b"---\n") and b"Invoice" in ran.out


def test_failed_pages_and_documents_are_named_and_the_others_are_written(
    dsocr: Dsocr, at: tuple[str, str], service: str, tmp_path: Path
) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf([["one"], ["@crash"]]))
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.7 broken")
    ran = dsocr("read", tmp_path / "a.pdf", tmp_path / "b.pdf", tmp_path / "c.pdf",
                "-o", tmp_path / "out", *at)  # fmt: skip
    assert ran.status == 1
    assert "a.pdf: page 2: The engine crashed" in ran.err
    assert "b.pdf: " in ran.err and "c.pdf: No such file" in ran.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.md"]
    with Client(service, KEY) as client:
        assert client.jobs().total == 0, "jobs are deleted when they are exported"


def test_a_wrong_key_and_a_missing_service_end_the_command(
    dsocr: Dsocr, service: str, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png(["a"]))
    wrong = dsocr("read", tmp_path / "a.png", "--url", service, "--key", "wrong")
    assert wrong.status == 1 and "key" in wrong.err
    for url in ("127.0.0.1:8000", "ftp://a", "http://", "http://[::1"):
        assert dsocr("read", tmp_path / "a.png", "--url", url).status == 2
    missing = dsocr("read", tmp_path / "a.png", "--url", "http://127.0.0.1:9")
    assert missing.status == 1
    assert "dsocr: There is no answer from http://127.0.0.1:9." in missing.err
