"""The service with the stand-in engine, driven from outside: everything but the rows' size."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.service import report
from bench.service.clients.load import num_processes
from bench.service.documents.corpus import Corpus, make_corpus
from bench.service.rows import SERVER_ROWS, Context, lone_images, read_folder
from bench.service.run import write_stand_in_files
from bench.service.server import Launch, Server
from bench.service.timeline import read_trace

TOKENS = 20
SECONDS = 60
"""A start or a row that takes longer fails."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("files"), pages=2, small=3)


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    write_stand_in_files(checkpoint)
    return Launch(tmp_path, checkpoint, "bench.service.stand_in:main", TOKENS)


@pytest.mark.slow
def test_every_row_reads_all_its_pages(launch: Launch, corpus: Corpus) -> None:
    with Server(launch, start_seconds=SECONDS) as server:
        context = Context(server, corpus, SECONDS)
        load = lone_images(context)
        rows = {name: measure(context) for name, measure in SERVER_ROWS.items()}
    max_pages, spans = read_trace(launch.trace)

    small = sum(corpus.small.values())
    pages = {"images": 4, "scanned": 2, "born_digital": 2, "streams": 2}
    assert {name: row.pages for name, row in rows.items()} == {
        **pages,
        "small": small,
        "uploads": small,
    }
    assert all(row.failed == 0 and row.where is not None for row in rows.values())
    assert "first text s" in rows["streams"].notes
    assert max_pages > 256
    assert len(load.latencies) == 2
    [line] = report.latency_rows({"alone": load}, spans, decoding=0.0)
    assert int(line["engine"]) < int(line["ms"])


@pytest.mark.slow
def test_a_folder_is_read_by_the_command(launch: Launch, corpus: Corpus) -> None:
    row = read_folder(launch, corpus, SECONDS)

    assert (row.pages, row.failed) == (sum(corpus.small.values()), 0)


def test_there_are_no_more_clients_than_requests() -> None:
    assert num_processes(1) == 1
    assert num_processes(1000) >= 1
