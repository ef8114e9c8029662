"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, Table

from dsocr.jobs.store.text_type import String, Text

metadata = MetaData()
Bytes = Integer().with_variant(BigInteger(), "postgresql")
"""SQLite's integers have 8 bytes in any case."""

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("status", String(16), nullable=False),
    Column("names", Text, nullable=False),  # of its files, lower case, for the search
    Column("bytes", Bytes, nullable=False),
    Column("options", Text, nullable=False),
    Column("dpi", Float),
    Column("wanted_engine", String(32)),
    Column("engine", String(32), nullable=False),
    Column("model", Text, nullable=False),
    Column("pages_total", Integer, nullable=False),
    Column("pages_done", Integer, nullable=False),
    Column("pages_failed", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("error_code", String(64)),
    Column("error_message", Text),
    Column("leased_by", String(32)),
    Column("epoch", Integer, nullable=False),
    Column("leased_at", Float),  # with done_at_lease: its pages per second
    Column("done_at_lease", Integer, nullable=False),
    Column("idempotency_key", String(256)),
    Column("fingerprint", String(64)),
    Column("callback_url", Text),
    Column("callback_tries", Integer, nullable=False),
    Column("callback_due_at", Float),
)
# PostgreSQL has a trigram index of `names` under this name, and `jobs_by_age` for the order.
Index("jobs_by_name", jobs.c.created_at, jobs.c.id, jobs.c.owner, jobs.c.status, jobs.c.names)
Index("jobs_by_status", jobs.c.status, jobs.c.created_at, jobs.c.id)
Index("jobs_by_owner", jobs.c.owner, jobs.c.created_at, jobs.c.id)
Index("jobs_by_end", jobs.c.finished_at)
Index("jobs_by_callback", jobs.c.callback_due_at)
Index("jobs_once", jobs.c.owner, jobs.c.idempotency_key, unique=True)

files = Table(
    "files",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("size", Bytes, nullable=False),
    Column("num_pages", Integer, nullable=False),
    Column("password", Text),
)

pages = Table(
    "pages",
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("file", Integer, nullable=False),
    Column("file_page", Integer, nullable=False),
    Column("wanted", Boolean, nullable=False),  # pending: to read, for the first time or again
    Column("options", Text),  # of the pending read, where they are not the job's
    Column("read_options", Text),  # the same of the last read
    Column("dpi", Float),
    Column("seq", Integer),
    Column("failed", Boolean, nullable=False),
    Column("news", Text),  # a `PageSummary`, for events
    Column("result", Text),
    Column("corrections", Text),
)
Index("pages_by_seq", pages.c.job_id, pages.c.seq)

versions = Table(
    "versions",  # former states of pages
    metadata,
    Column("job_id", String(32), primary_key=True),
    Column("page", Integer, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("replaced_at", Float, nullable=False),
    Column("options", Text),
    Column("result", Text, nullable=False),
    Column("corrections", Text),
)

page_texts = Table(
    "page_texts",  # for the search
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", String(32), nullable=False),
    Column("page", Integer, nullable=False),
    Column("words", Text, nullable=False),
)
Index("page_texts_by_page", page_texts.c.job_id, page_texts.c.page, unique=True)

processes = Table(
    "processes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("beat", Integer, nullable=False),
)
