"""Workers that are killed: the batch is complete, no page is there twice, none is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.batch.workspace.report import find_problems, read_status
from dsocr.batch.workspace.stores.store import Store
from tests.batch.workspace.workspaces import (
    finish,
    kill,
    make_documents,
    planned,
    shards_of,
    start_worker,
    wait_for_pages,
)
from tests.fakes import pdf


def check_equal_to_an_undisturbed_run(store: Store, documents: Path, folder: Path) -> None:
    other = planned(str(folder), str(documents))
    assert finish([start_worker(folder)]) == [0]
    assert list(find_problems(store)) == []
    assert shards_of(store) == shards_of(other)
    assert store.keys("pages/") == [] and store.keys("tries/") == []


def test_a_batch_whose_worker_is_killed_is_completed_by_the_next(tmp_path: Path) -> None:
    make_documents(tmp_path / "in", 12, num_pages=3)
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))
    first = start_worker(tmp_path / "work", 0.01)
    wait_for_pages(first, 10)
    kill([first])
    assert not read_status(store).is_complete

    assert finish([start_worker(tmp_path / "work")]) == [0]

    assert read_status(store).pages_done == 36
    check_equal_to_an_undisturbed_run(store, tmp_path / "in", tmp_path / "other")


def test_a_page_that_kills_each_worker_is_failed_and_its_neighbours_are_read(
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    pages = [["one"], ["@kill"], ["three"], ["four"]]
    (tmp_path / "in" / "a.pdf").write_bytes(pdf(pages))
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))

    codes = [finish([start_worker(tmp_path / "work")])[0] for _ in range(4)]

    assert codes == [-9, -9, -9, 0]
    assert list(find_problems(store)) == []
    failures = read_status(store).failures
    assert [(failure.page, failure.code) for failure in failures] == [(1, "worker_lost")]


@pytest.mark.slow
def test_five_kills_in_2000_pages_leave_a_complete_batch(tmp_path: Path) -> None:
    """One of three workers is killed, then all, five times."""
    make_documents(tmp_path / "in", 2000)
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))
    for _ in range(5):
        workers = [start_worker(tmp_path / "work", 0.01) for _ in range(3)]
        wait_for_pages(workers[0], 50)
        kill(workers[:1])
        wait_for_pages(workers[1], 50)
        kill(workers[1:])
    assert not read_status(store).is_complete

    workers = [start_worker(tmp_path / "work") for _ in range(3)]

    assert finish(workers) == [0, 0, 0]
    assert read_status(store).pages_done == 2000
    check_equal_to_an_undisturbed_run(store, tmp_path / "in", tmp_path / "other")
