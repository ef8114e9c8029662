"""A worker in this process, with the fake engine: failures, retries, exports, the error budget."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dsocr.batch.workspace.budget import ErrorBudget, TooManyErrors, parse_budget
from dsocr.batch.workspace.claims import Claims, Heartbeat
from dsocr.batch.workspace.export import ExportJob, export_documents
from dsocr.batch.workspace.layout import BatchOptions, Plan, ShardFormat, write_options
from dsocr.batch.workspace.planner import plan_documents, plan_retry
from dsocr.batch.workspace.records import PageRecord
from dsocr.batch.workspace.report import find_problems, pages_to_retry, read_status
from dsocr.batch.workspace.shards import read_shard
from dsocr.batch.workspace.sources import find_files
from dsocr.batch.workspace.stores.store import Store, open_store
from dsocr.batch.workspace.worker import Counts, RunConfig, run_worker
from dsocr.engines.ppocr.config import PpocrConfig
from dsocr.errors import BadRequest, EngineUnavailable
from dsocr.host import EngineHost, HostConfig
from dsocr.pages.config import PagesConfig
from dsocr.types import OcrOptions, PageImage, PageResult
from tests.batch.workspace.worker_process import PageLines
from tests.batch.workspace.workspaces import make_documents, planned, shards_of
from tests.fakes import OPTIONS, FakeEngine, pdf, png


class DownEngine(FakeEngine):
    async def recognize(  # type: ignore[override]
        self, page: PageImage, options: OcrOptions, **rest: object
    ) -> PageResult:
        raise EngineUnavailable("it is down")


class DraftingEngine(FakeEngine):
    """Each page has 8 drafted tokens, of which 5 are right."""

    async def recognize(self, *page: Any, **rest: Any) -> PageResult:
        result = await super().recognize(*page, **rest)
        usage = replace(result.usage, drafted_tokens=8, accepted_tokens=5)
        return replace(result, usage=usage)


async def run(
    store: Store, engine: FakeEngine | None = None, config: RunConfig | None = None
) -> Counts:
    settings = HostConfig("ppocr", {"ppocr": PpocrConfig()})
    host = EngineHost(settings, create_engine=lambda name, config: engine or FakeEngine())
    await host.start_once()
    try:
        return await run_worker(store, host, config or RunConfig(), PageLines())
    finally:
        await host.close()


def made(folder: Path) -> None:
    make_documents(folder, 3)
    (folder / "two.pdf").write_bytes(pdf([["first"], ["@crash"]]))
    (folder / "broken.png").write_bytes(png(["x"])[:60])
    (folder / "again.png").write_bytes((folder / "00000.png").read_bytes())
    (folder / "notes.txt").write_text("no document")


async def test_drafted_tokens_are_summed_and_not_recorded(tmp_path: Path) -> None:
    make_documents(tmp_path / "in", 3)
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))

    counts = await run(store, DraftingEngine())

    assert (counts.drafted, counts.accepted) == (24, 15)
    records = [record for key in shards_of(store) for record in read_shard(store, key)]
    usages = [record.result.usage for record in records if isinstance(record, PageRecord)]
    assert [(usage.drafted_tokens, usage.accepted_tokens) for usage in usages] == [(0, 0)] * 3


async def test_failures_keep_their_place_and_other_files_are_listed(tmp_path: Path) -> None:
    made(tmp_path / "in")
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))

    counts = await run(store)

    status = read_status(store)
    assert (status.documents, status.duplicates, status.unsupported) == (6, 1, 1)
    assert (status.is_complete, status.pages_done, counts.pages) == (True, 7, 5)
    names = {(one.document.name, one.page, one.code) for one in status.failures}
    assert ("two.pdf", 1, "engine_crash") in names
    assert {name for name, _, _ in names} == {"two.pdf", "broken.png"}
    assert list(find_problems(store)) == []


@pytest.mark.parametrize("shards", ["jsonl", "parquet"])
async def test_a_retry_reads_failed_pages_and_its_results_are_exported(
    tmp_path: Path, shards: ShardFormat
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "two.pdf").write_bytes(pdf([["first"], ["@crash"]]))
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"), shards=shards)
    await run(store)
    (tmp_path / "in" / "two.pdf").write_bytes(pdf([["first"], ["second"]]))

    assert plan_retry(store, pages_to_retry(read_status(store)))
    counts = await run(store)

    assert counts.pages == 1
    assert read_status(store).failures == []
    assert list(find_problems(store)) == []
    job = ExportJob(tmp_path / "out", "text")
    done = await export_documents(store, job, PagesConfig(), print)
    assert (done.written, done.failed, done.not_read) == (1, 0, 0)
    assert (tmp_path / "out" / "two.pdf.txt").read_text().split() == ["first", "second"]


async def test_an_export_with_images_opens_the_inputs(tmp_path: Path) -> None:
    make_documents(tmp_path / "in", 1)
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))
    await run(store)
    messages: list[str] = []
    job = ExportJob(tmp_path / "out", "html")

    first = await export_documents(store, job, PagesConfig(), messages.append)
    (tmp_path / "in" / "00000.png").unlink()
    second = await export_documents(store, job, PagesConfig(), messages.append)

    assert (first.written, second.failed) == (1, 1)
    assert b"text 0" in (tmp_path / "out" / "00000.png.html").read_bytes()
    assert "00000.png" in messages[0]


async def test_a_shard_that_was_cut_off_makes_its_documents_fail(tmp_path: Path) -> None:
    make_documents(tmp_path / "in", 2)
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))
    await run(store)
    key = store.keys("shards/")[1]
    (tmp_path / "work" / key).write_bytes((store.get(key) or b"").splitlines(keepends=True)[0])
    messages: list[str] = []

    job = ExportJob(tmp_path / "out", "text")
    done = await export_documents(store, job, PagesConfig(), messages.append)

    assert (done.written, done.failed) == (1, 1)
    assert messages[0].endswith(f"{key} is broken.")


async def test_too_many_errors_stop_the_worker_and_running_it_again_resumes(
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.pdf").write_bytes(pdf([["@oom"]] * 4 + [["last"]]))
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))

    with pytest.raises(TooManyErrors):
        await run(store, config=RunConfig(budget=ErrorBudget(number=1)))
    await run(store)

    assert len(read_status(store).failures) == 4
    assert list(find_problems(store)) == []


async def test_an_engine_that_is_down_makes_no_page_fail(tmp_path: Path) -> None:
    make_documents(tmp_path / "in", 2)
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))

    with pytest.raises(EngineUnavailable):
        await run(store, DownEngine())
    await run(store)

    assert (read_status(store).pages_done, read_status(store).failures) == (2, [])


async def test_a_page_in_progress_at_three_losses_is_failed_without_a_further_try(
    tmp_path: Path,
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.pdf").write_bytes(pdf([["one"], ["two"]]))
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))
    (entry,) = next(iter(_plan(store).groups.values()))
    for epoch in (1, 2, 3):
        store.create(f"claims/{entry.group}.{epoch:06}", b"gone")
    for number in (1, 2):
        store.create(f"tries/{entry.group}/{entry.id}/000001.{number}", b"")
    engine = FakeEngine()

    await run(store, engine)

    assert engine.read == ["one"]
    (failure,) = read_status(store).failures
    assert (failure.page, failure.code) == (1, "worker_lost")


async def test_a_run_gives_its_claims_back_and_ends_its_heartbeat(tmp_path: Path) -> None:
    make_documents(tmp_path / "in", 2)
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))
    with pytest.raises(EngineUnavailable):
        await run(store, DownEngine())

    assert store.keys("workers/") == []
    claims = Claims(store, Heartbeat(store, 60))
    assert claims.claim(list(_plan(store).groups)) is not None


async def test_the_records_are_the_same_bytes_after_each_run(tmp_path: Path) -> None:
    make_documents(tmp_path / "in", 3)
    stores = [planned(str(tmp_path / name), str(tmp_path / "in")) for name in ("a", "b")]
    for store in stores:
        await run(store)

    assert shards_of(stores[0]) == shards_of(stores[1])
    line = json.loads((stores[0].get(stores[0].keys("shards/")[0]) or b"").splitlines()[1])
    assert line["result"]["usage"]["seconds"] == 0


def test_planning_again_adds_new_files_only(tmp_path: Path) -> None:
    make_documents(tmp_path / "in", 2)
    store = planned(str(tmp_path / "work"), str(tmp_path / "in"))
    make_documents(tmp_path / "in", 3)

    again = plan_documents(store, find_files([str(tmp_path / "in")]))

    assert (again.documents, again.known) == (1, 2)
    assert len(_plan(store).documents) == 3


def test_other_options_than_those_of_the_workspace_are_refused(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    write_options(store, BatchOptions(OPTIONS))
    write_options(store, BatchOptions(OPTIONS))
    with pytest.raises(BadRequest, match="other options"):
        write_options(store, BatchOptions(OPTIONS, dpi=100))


def test_a_budget_is_a_number_or_a_share() -> None:
    assert parse_budget("20") == ErrorBudget(number=20)
    assert parse_budget("5%") == ErrorBudget(share=0.05)
    parse_budget("5%").check(failed=50, done=99)  # too few to compare
    with pytest.raises(TooManyErrors):
        parse_budget("5%").check(failed=6, done=100)
    for wrong in ("", "x", "-1", "101%", "1.5"):
        with pytest.raises(BadRequest):
            parse_budget(wrong)


def _plan(store: Store) -> Plan:
    plan = Plan()
    plan.refresh(store)
    return plan
