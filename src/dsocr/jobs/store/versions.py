"""Former states of a page: kept when a reading or a correction replaces them, and taken back."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from dsocr.jobs.job import JobConflict, PageVersion, StoredPage, VersionNotFound
from dsocr.jobs.store import queries, records, search
from dsocr.jobs.store.locks import lock_job
from dsocr.jobs.store.tables import jobs, pages, versions

MAX_VERSIONS = 20
"""Of one page; the oldest is dropped for a further one."""

# Made once: a new statement costs more time than its execution.
_page = (pages.c.job_id == bindparam("job")) & (pages.c.number == bindparam("index"))
_of_page = (versions.c.job_id == bindparam("job")) & (versions.c.page == bindparam("index"))
_STATE = select(pages.c.read_options, pages.c.result, pages.c.corrections).where(_page)
_LAST = select(func.max(versions.c.number)).where(_of_page)


def keep(connection: Connection, job_id: str, index: int, now: float) -> None:
    """Stores the page's present state as a version; nothing for a page that was not read."""
    key = {"job": job_id, "index": index}
    state = connection.execute(_STATE, key).first()
    if state is None or state.result is None:
        return
    number = (connection.scalar(_LAST, key) or 0) + 1
    connection.execute(
        insert(versions),
        {
            "job_id": job_id,
            "page": index,
            "number": number,
            "replaced_at": now,
            "options": state.read_options,
            "result": state.result,
            "corrections": state.corrections,
        },
    )
    connection.execute(
        delete(versions).where(_of_page, versions.c.number <= number - MAX_VERSIONS), key
    )


def of_page(connection: Connection, job_id: str, index: int) -> list[PageVersion]:
    """The former states, newest first. Raises `PageNotFound` and `PageNotRead`."""
    present = queries.page(connection, job_id, index)
    job = queries.options(connection, job_id)
    query = select(versions).where(_of_page).order_by(versions.c.number.desc())
    rows = connection.execute(query, {"job": job_id, "index": index})
    return [
        PageVersion(
            row.number,
            row.replaced_at,
            records.options_of(row.options) if row.options else job,
            StoredPage(
                replace(present.page, rotation=records.rotation_of(row.options)),
                present.file_name,
                present.seq,
                records.result_of(row.result),
                records.corrections_of(row.corrections),
            ),
        )
        for row in rows
    ]


def take(connection: Connection, job_id: str, index: int, number: int, now: float) -> None:
    """Makes a version the page's present state, which becomes a version.

    Raises `PageNotFound`, `PageNotRead`, `VersionNotFound`, and `JobConflict` for a page that is
    being read again.
    """
    lock_job(connection, job_id)
    stored = queries.page(connection, job_id, index)
    key = {"job": job_id, "index": index}
    if connection.scalar(select(pages.c.wanted).where(_page), key):
        raise JobConflict("The page is being read again: take a version when that is done.")
    one = select(versions).where(_of_page, versions.c.number == number)
    row = connection.execute(one, key).first()
    if row is None:
        raise VersionNotFound()
    keep(connection, job_id, index, now)
    connection.execute(delete(versions).where(_of_page, versions.c.number == number), key)
    result = records.result_of(row.result)
    failed = int(result.error is not None) - int(stored.result.error is not None)
    seq = connection.scalar(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(seq=jobs.c.seq + 1, pages_failed=jobs.c.pages_failed + failed)
        .returning(jobs.c.seq)
    )
    assert seq is not None
    page = replace(stored.page, rotation=records.rotation_of(row.options))
    summary = records.summarize(page, stored.file_name, seq, result)
    connection.execute(
        update(pages)
        .where(pages.c.job_id == job_id, pages.c.number == index)
        .values(
            seq=seq,
            failed=result.error is not None,
            news=records.summary_to_text(summary),
            read_options=row.options,
            result=row.result,
            corrections=row.corrections,
        )
    )
    search.index_page(connection, job_id, index, result, records.corrections_of(row.corrections))
