"""Leases, queue order and full disks: the rules of the store, without a service."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, inspect
from sqlalchemy.exc import DBAPIError

from dsocr.errors import DiskFull, QueueFull, StoreUnavailable
from dsocr.jobs.document import corrected, exported
from dsocr.jobs.job import (
    ClaimRequest,
    Correction,
    IdempotencyConflict,
    JobConflict,
    JobFile,
    JobNotFound,
    NewJob,
)
from dsocr.jobs.store import commands, leases, listing, queries, queue_order, versions
from dsocr.jobs.store.database import Database, UnsupportedStore, parse_url
from dsocr.jobs.store.leases import LeaseLost
from dsocr.jobs.store.listing import JobFilter
from dsocr.jobs.store.tables import metadata
from dsocr.jobs.worker_registry import HeartbeatMonitor, WorkerRegistry
from dsocr.types import Box, PageFailure, PageResult, TextLine
from tests.fakes import OPTIONS
from tests.jobs.rows import accepted, claim, claimed, finished_job, new_job, read
from tests.postgres import PostgresServer


def pragma(connection: Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


async def test_the_writer_is_durable_and_the_readers_cannot_write(sqlite: Database) -> None:
    assert await sqlite.write(pragma, "journal_mode") == "wal"
    assert await sqlite.write(pragma, "synchronous") == 2
    assert await sqlite.write(pragma, "wal_autocheckpoint") == 0
    assert await sqlite.read(pragma, "wal_autocheckpoint") == 0
    with pytest.raises(Exception, match="readonly"):
        await sqlite.read(leases.heartbeat, "me")


async def test_the_migrations_make_the_tables_of_the_code(database: Database) -> None:
    def shape(connection: Connection) -> dict[str, set[str]]:
        inspector = inspect(connection)
        tables = set(inspector.get_table_names()) - {"alembic_version"}
        tables = {name for name in tables if not name.startswith("page_words")}  # the search's
        return {
            table: {column["name"] for column in inspector.get_columns(table)} for table in tables
        }

    in_the_code = {table.name: set(table.columns.keys()) for table in metadata.sorted_tables}
    assert await database.read(shape) == in_the_code


async def test_a_reopened_store_has_its_jobs(store_place: Path | str) -> None:
    for number in range(2):
        database = Database(store_place)
        await database.open()
        await accepted(database)
        assert await database.read(queries.num_unfinished) == number + 1
        await database.close()


@pytest.mark.parametrize(
    "url", ["postgresql://a/b", "mysql://a/b", "sqlite://", "sqlite:///:memory:", "x"]
)
def test_another_database_is_refused_with_the_form_of_the_url(url: str) -> None:
    with pytest.raises(UnsupportedStore, match="sqlite:///"):
        parse_url(url)


async def test_a_lost_lease_cannot_write(database: Database) -> None:
    job_id = await accepted(database, 3)
    old = await claimed(database, "old")
    await database.write(leases.store_page, old, read(0, "of the first worker"), 0)
    new = await claimed(database, "new", lost=("old",))
    assert new.epoch > old.epoch
    assert (old.recovered, new.recovered) == (False, True)
    for late in (
        database.write(leases.store_page, old, read(0, "too late"), 0),
        database.write(leases.store_page, old, read(1, "too late"), 0),
        database.write(leases.finish, old, 1),
        database.write(leases.fail, old, PageFailure("x", "y"), 1),
    ):
        with pytest.raises(LeaseLost):
            if await late is False:
                raise LeaseLost  # finish returns False for pending pages before it checks the lease
    await database.write(leases.store_page, new, read(1, "of the second worker"), 0)
    job = await database.read(queries.job, job_id, 0)
    assert (job.status, job.pages_done) == ("running", 2)
    texts = [page and page.result.raw for page in await database.read(queries.stored_pages, job_id)]
    assert texts == ["of the first worker", "of the second worker", None]


async def test_a_page_of_a_cancelled_or_deleted_job_is_not_stored(database: Database) -> None:
    for end in (
        lambda job_id: (commands.cancel, job_id, 1),
        lambda job_id: (commands.remove, job_id),
    ):
        job_id = await accepted(database)
        lease = await claimed(database)
        await database.write(*end(job_id))
        with pytest.raises(LeaseLost):
            await database.write(leases.store_page, lease, read(0), 0)


async def test_a_job_of_a_live_worker_is_not_claimed(database: Database) -> None:
    await accepted(database)
    await claimed(database, "one")
    assert await database.write(claim, ClaimRequest("two", "fake"), 0) is None


async def test_the_jobs_of_a_released_worker_are_claimed_first(database: Database) -> None:
    first = await accepted(database, now=1)
    await claimed(database, "one")
    await accepted(database, now=0)
    await database.write(leases.release_worker, "one")
    assert (await claimed(database, "two")).job_id == first


async def test_a_job_for_another_engine_is_not_claimed(database: Database) -> None:
    await accepted(database, wanted_engine="native")
    other = await accepted(database, now=1)
    assert (await claimed(database)).job_id == other
    assert await database.write(claim, ClaimRequest("me", "fake", (), 100), 0) is None


async def test_a_job_for_the_former_name_of_an_engine_is_claimed(database: Database) -> None:
    job_id = await accepted(database, wanted_engine="rapidocr")
    lease = await database.write(claim, ClaimRequest("me", "ppocr", (), 100), 0)
    assert lease is not None and lease.job_id == job_id


async def test_owners_alternate_and_each_is_served_in_order(database: Database) -> None:
    a = [await accepted(database, now=number, owner="a") for number in range(4)]
    b = [await accepted(database, now=10 + number, owner="b") for number in range(2)]
    order = await database.read(queue_order.queue_order)
    assert order == [a[0], b[0], a[1], b[1], a[2], a[3]]
    taken = [(await claimed(database)).job_id for _ in order]
    assert taken == order


async def test_an_owner_at_its_limit_does_not_block_other_owners(database: Database) -> None:
    for number in range(4):
        await accepted(database, now=number, owner="a")
    request = ClaimRequest("me", "fake", max_jobs_of_owner=2)
    for _ in range(2):
        assert await database.write(claim, request, 0)
    assert await database.write(claim, request, 0) is None
    b = await accepted(database, now=9, owner="b")
    lease = await database.write(claim, request, 0)
    assert lease is not None and lease.job_id == b
    elsewhere = dataclasses.replace(request, worker="you", lost_workers=("me",))  # lost jobs count
    assert all([await database.write(claim, elsewhere, 0) for _ in range(3)])
    assert await database.write(claim, elsewhere, 0) is None


async def test_an_owner_of_short_jobs_gets_more_of_them_than_one_of_long_jobs(
    database: Database,
) -> None:
    for number in range(5):
        await accepted(database, 5, now=number, owner="long")
        await accepted(database, 1, now=number, owner="short")
    request = ClaimRequest("me", "fake", (), 4, few_jobs=2, enough_pages=8)
    taken = [await database.write(claim, request, 0) for _ in range(7)]
    owners = [(await database.read(queries.job, lease.job_id, 0)).owner for lease in taken if lease]
    assert (owners.count("long"), owners.count("short")) == (2, 4)


async def test_pages_that_are_done_make_room_for_another_job(database: Database) -> None:
    for number in range(2):
        await accepted(database, 3, now=number)
    request = ClaimRequest("me", "fake", (), 4, few_jobs=1, enough_pages=3)
    lease = await database.write(claim, request, 0)
    assert lease is not None
    assert await database.write(claim, request, 0) is None
    await database.write(leases.store_page, lease, read(0), 0)
    assert await database.write(claim, request, 0)


async def test_every_change_has_its_own_seq(database: Database) -> None:
    job_id = await accepted(database, 2)
    lease = await claimed(database)
    for index in (1, 0):
        await database.write(leases.store_page, lease, read(index), 0)
    await database.write(leases.finish, lease, 1)
    job, summaries, more = await database.read(queries.changes_since, job_id, 0, 0)
    assert [page.page.index for page in summaries] == [1, 0]
    numbers = [page.seq for page in summaries]
    assert numbers == sorted(set(numbers))
    assert job.seq > numbers[-1]
    assert not more
    _, later, _ = await database.read(queries.changes_since, job_id, numbers[0], 0)
    assert [page.page.index for page in later] == [0]


async def test_the_same_request_is_one_job_and_another_one_a_conflict(database: Database) -> None:
    key = {"idempotency_key": "k", "fingerprint": "f"}
    first = await accepted(database, owner="a", **key)
    assert await accepted(database, owner="a", **key) == first
    assert await accepted(database, owner="b", **key) != first
    with pytest.raises(IdempotencyConflict):
        await accepted(database, owner="a", idempotency_key="k", fingerprint="g")


async def test_too_many_unfinished_jobs_are_refused(database: Database) -> None:
    await accepted(database, owner="a")
    limits = {"max_unfinished": 2, "max_of_owner": 1}
    with pytest.raises(QueueFull):
        await database.write(commands.accept, new_job(owner="a"), 0, **limits)
    await database.write(commands.accept, new_job(owner="b"), 0, **limits)
    with pytest.raises(QueueFull):
        await database.write(commands.accept, new_job(owner="c"), 0, **limits)


async def test_a_page_read_again_replaces_itself_and_is_counted_once(database: Database) -> None:
    job_id = await finished_job(database)
    await database.write(commands.correct, job_id, 0, {0: Correction("better")}, 0)
    await database.write(commands.requeue_page, job_id, 0, OPTIONS, None, discard_corrections=True)
    with pytest.raises(JobConflict):
        await database.write(commands.requeue_page, job_id, 0, OPTIONS, None)
    job = await database.read(queries.job, job_id, 0)
    assert (job.status, job.pages_done, job.finished_at) == ("queued", 1, None)
    lease = await claimed(database)
    failure = PageFailure("engine_crash", "It died.")
    await database.write(leases.store_page, lease, PageResult(0, 1, 1, error=failure), 0)
    await database.write(leases.finish, lease, 2)
    job = await database.read(queries.job, job_id, 0)
    assert (job.status, job.pages_done, job.pages_failed) == ("failed", 1, 1)
    assert job.error == failure
    assert (await database.read(queries.page, job_id, 0)).corrections == {}


async def test_a_write_that_is_repeated_after_its_commit_leaves_no_version(
    database: Database,
) -> None:
    job_id = await accepted(database, 2)
    lease = await claimed(database)
    for _ in range(2):
        await database.write(leases.store_page, lease, read(1), 0)
    assert await database.read(versions.of_page, job_id, 1) == []
    assert (await database.read(queries.job, job_id, 0)).pages_done == 1


async def test_a_page_with_corrections_is_requeued_only_on_request(database: Database) -> None:
    job_id = await finished_job(database)
    await database.write(commands.correct, job_id, 0, {0: Correction("better")}, 0)
    with pytest.raises(JobConflict, match="has corrections"):
        await database.write(commands.requeue_page, job_id, 0, OPTIONS, None)
    assert (await database.read(queries.job, job_id, 0)).status == "succeeded"
    await database.write(commands.correct, job_id, 0, {0: None}, 0)
    await database.write(commands.requeue_page, job_id, 0, OPTIONS, None)
    with pytest.raises(JobConflict, match="being read again"):
        await database.write(commands.correct, job_id, 0, {0: Correction("too soon")}, 0)
    await database.write(leases.store_page, await claimed(database), read(0), 0)
    await database.write(commands.correct, job_id, 0, {0: Correction("now")}, 0)
    assert (await database.read(queries.page, job_id, 0)).corrections == {0: Correction("now")}


async def test_a_cancelled_job_stays_so_when_one_of_its_pages_is_read_again(
    database: Database,
) -> None:
    job_id = await accepted(database, 3)
    await database.write(commands.cancel, job_id, 1)
    await database.write(commands.requeue_page, job_id, 1, OPTIONS, None)
    lease = await claimed(database)
    (batch,) = await database.read(queries.pending_pages, job_id)
    assert batch.pages == (1,)
    await database.write(leases.store_page, lease, read(1), 0)
    assert await database.write(leases.finish, lease, 2)
    job = await database.read(queries.job, job_id, 0)
    assert (job.status, job.pages_done) == ("cancelled", 1)


async def test_a_full_disk_refuses_writes_and_reads_go_on(sqlite: Database) -> None:
    job_id = await accepted(sqlite, 1)
    lease = await claimed(sqlite)
    long = read(0, "long " * 100_000)
    used = await sqlite.write(pragma, "page_count")
    await sqlite.write(pragma, f"max_page_count={used}")
    with pytest.raises(DiskFull):
        await sqlite.write(leases.store_page, lease, long, 0)
    assert (await sqlite.read(queries.job, job_id, 0)).pages_done == 0
    await sqlite.write(pragma, "max_page_count=1000000")
    await sqlite.write(leases.store_page, lease, long, 0)
    assert (await sqlite.read(queries.job, job_id, 0)).pages_done == 1
    assert await sqlite.read(pragma, "integrity_check") == "ok"


async def test_writes_that_share_a_commit_fail_each_for_itself(database: Database) -> None:
    same = new_job()

    async def accept(new: NewJob, most: int = 100) -> str:
        return await database.write_in_turn(
            "accept", commands.accept, new, 0, max_unfinished=most, max_of_owner=None
        )

    outcomes = await asyncio.gather(
        *(accept(new_job()) for _ in range(5)),
        accept(new_job(), most=0),
        accept(same),
        accept(same),
        *(accept(new_job()) for _ in range(5)),
        return_exceptions=True,
    )
    failed = [type(one).__name__ for one in outcomes if isinstance(one, Exception)]
    assert failed == ["QueueFull", "IntegrityError"]
    assert await database.read(queries.num_unfinished) == 11


async def test_a_full_disk_refuses_only_the_writes_that_do_not_fit(sqlite: Database) -> None:
    job_id = await accepted(sqlite, 3)
    lease = await claimed(sqlite)
    used = await sqlite.write(pragma, "page_count")
    await sqlite.write(pragma, f"max_page_count={used + 2}")
    texts = ("short", "long " * 100_000, "short")
    outcomes = await asyncio.gather(
        *(
            sqlite.write(leases.store_page, lease, read(index, text), 0)
            for index, text in enumerate(texts)
        ),
        return_exceptions=True,
    )
    assert [isinstance(one, DiskFull) for one in outcomes] == [False, True, False]
    assert (await sqlite.read(queries.job, job_id, 0)).pages_done == 2


async def test_a_cancelled_write_that_waits_is_not_done(database: Database) -> None:
    holding, release = threading.Event(), threading.Event()

    def hold(connection: Connection) -> None:
        holding.set()
        release.wait()

    def accept() -> asyncio.Future[str]:
        return asyncio.ensure_future(
            database.write_in_turn(
                "accept", commands.accept, new_job(), 0, max_unfinished=9, max_of_owner=None
            )
        )

    first = asyncio.ensure_future(database.write_in_turn("accept", hold))
    await asyncio.to_thread(holding.wait)
    second, third = accept(), accept()
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait({second})  # before the writer takes what waits
    release.set()
    await asyncio.gather(first, third)
    assert second.cancelled()
    assert await database.read(queries.num_unfinished) == 1


async def test_the_writer_checkpoints_the_log(
    sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsocr.jobs.store.backends.sqlite.CHECKPOINT_BYTES", 100_000)
    await accepted(sqlite, 20)
    lease = await claimed(sqlite)
    path = sqlite.place
    assert isinstance(path, Path)
    log = path.with_name(f"{path.name}-wal")
    for index in range(20):
        await sqlite.write(leases.store_page, lease, read(index, "word " * 4000), 0)
        assert log.stat().st_size < 300_000
    assert path.stat().st_size > 20 * 20_000


async def test_two_writers_share_one_store(database: Database) -> None:
    other = Database(database.place)
    await other.open()
    await asyncio.gather(*(accepted(each) for each in (database, other) * 20))
    await other.close()
    assert await database.read(queries.num_unfinished) == 40


async def test_an_unknown_job_is_not_found(database: Database) -> None:
    for call in (
        database.read(queries.job, "x", 0),
        database.write(commands.cancel, "x", 0),
        database.write(commands.remove, "x"),
        database.write(commands.requeue_page, "x", 0, OPTIONS, None),
    ):
        with pytest.raises(JobNotFound):
            await call


def test_the_registry_finds_dead_workers(tmp_path: Path) -> None:
    one, two = WorkerRegistry(tmp_path), WorkerRegistry(tmp_path)
    one.register()
    two.register()
    assert one.is_alive(two.id) and two.is_alive(one.id) and one.is_alive(one.id)
    assert one.dead() == set()
    (tmp_path / "long-dead").touch()
    assert one.dead() == two.dead() == {"long-dead"}
    one.forget("long-dead")
    two.unregister()
    assert one.dead() == set()
    assert not one.is_alive(two.id)
    one.unregister()
    assert list(tmp_path.iterdir()) == []


def test_heartbeats_expire_by_the_clock_of_the_observer() -> None:
    now = 100.0
    monitor = HeartbeatMonitor(5, clock=lambda: now)
    assert monitor.expired({"a": 7, "b": 1, "c": None}) == set()
    now = 104.0
    assert monitor.expired({"a": 8, "b": 1, "c": None}) == set()
    now = 106.0
    assert monitor.expired({"a": 8, "b": 1, "c": None}) == {"b", "c"}
    now = 107.0
    assert monitor.expired({"a": 8, "b": 2}) == set()
    now = 110.0
    assert monitor.expired({"a": 8, "b": 2}) == {"a"}
    monitor.restart()
    now = 120.0
    assert monitor.expired({"a": 8, "b": 2}) == set()
    now = 125.0
    assert monitor.expired({"a": 8, "b": 2}) == {"a", "b"}


@pytest.mark.parametrize("search", ["", "scan", "scan 1", "SCAN 12.", "%", "none"])
@pytest.mark.parametrize("owner", [None, "a"])
async def test_every_slice_of_the_list_has_the_total(
    database: Database, search: str, owner: str | None
) -> None:
    names = [f"Scan {number}.pdf" for number in range(25)]
    for number, name in enumerate(names):
        file = JobFile(0, name, 1000, 1)
        await accepted(database, now=number, files=(file,), owner="ab"[number % 2])
    mine = names[::2] if owner else names
    found = [name for name in reversed(mine) if search.lower() in name.lower()]
    for offset in range(0, 35, 5):
        wanted = JobFilter(owner, None, search, limit=5, offset=offset)
        listed, total = await database.read(listing.list_jobs, wanted, 0)
        assert [job.name for job in listed] == found[offset : offset + 5]
        assert total == len(found)


@pytest.mark.parametrize(
    "wanted", [JobFilter(), JobFilter(owner="a"), JobFilter(status="succeeded")]
)
async def test_names_are_searched_in_the_index_that_has_them(
    sqlite: Database, wanted: JobFilter
) -> None:
    statements: list[tuple[str, Any]] = []

    def record(connection: Connection) -> None:
        event.listen(
            connection, "before_cursor_execute", lambda *call: statements.append(call[2:4])
        )
        listing.list_jobs(connection, dataclasses.replace(wanted, search="scan"), 0)

    def plan(connection: Connection) -> str:
        statement, values = next(each for each in statements if "LIKE" in each[0])
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return " ".join(row.detail for row in rows)

    await sqlite.read(record)
    assert "SCAN jobs USING COVERING INDEX jobs_by_name" in await sqlite.read(plan)


@pytest.mark.slow
async def test_names_are_searched_in_the_trigrams_of_postgresql(postgres: PostgresServer) -> None:
    database = Database(postgres.new_database())
    await database.open()

    def plan(connection: Connection) -> str:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        statement = "EXPLAIN SELECT id FROM jobs WHERE names LIKE '%%scan%%'"
        rows = connection.exec_driver_sql(statement, ())
        return " ".join(row[0] for row in rows)

    assert "jobs_by_name" in await database.read(plan)
    await database.close()


@pytest.mark.slow
async def test_only_failures_of_the_server_are_called_unavailable(
    postgres: PostgresServer,
) -> None:
    database = Database(postgres.new_database())
    await database.open()

    def run(connection: Connection, statement: str) -> None:
        connection.exec_driver_sql(statement)

    for statement in ("SELECT nothing", "SELECT '\0'"):
        with pytest.raises(DBAPIError):
            await database.write(run, statement)
    with pytest.raises(StoreUnavailable):
        await database.write(run, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert await database.read(queries.num_unfinished) == 0  # on a new connection
    await database.close()


async def test_a_page_keeps_its_lines_in_the_store_and_under_corrections(
    database: Database,
) -> None:
    await accepted(database)
    lease = await claimed(database)
    lines = (TextLine("words", Box(0.1, 0.1, 0.9, 0.2), 0.5),)
    await database.write(leases.store_page, lease, dataclasses.replace(read(0), lines=lines), 0)
    await database.write(commands.correct, lease.job_id, 0, {0: Correction("better")}, 0)
    stored = await database.read(queries.page, lease.job_id, 0)
    assert stored.result.lines == corrected(stored).lines == lines
    (line,) = exported(stored).lines
    assert (line.text, line.box, line.confidence) == ("better", lines[0].box, 1.0)
