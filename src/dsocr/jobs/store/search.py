"""Full-text search in the pages of all jobs.

`page_texts` has the words of each page that was read. The migration `r0004_search` makes the index
`page_words`: on SQLite an FTS5 table, which triggers on `page_texts` keep up to date; on PostgreSQL
a table of text vectors, whose words are split here and not by the server, so that its locale does
not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    insert,
    literal_column,
    select,
    table,
    text,
)

from dsocr.jobs.job import Correction, FoundText, corrected_blocks
from dsocr.jobs.store import records, search_text
from dsocr.jobs.store.tables import files, jobs, page_texts, pages
from dsocr.types import PageResult

# Made once: a new statement costs more time than its execution.
_INSERT = insert(page_texts)
_DELETE = delete(page_texts).where(
    page_texts.c.job_id == bindparam("job"), page_texts.c.page == bindparam("index")
)
_INSERT_VECTOR = text(
    "INSERT INTO page_words (id, vector) SELECT id, CAST(:vector AS tsvector) FROM page_texts "
    "WHERE job_id = :job AND page = :index"
)
_MATCHING_VECTORS = text(
    "SELECT id FROM page_words WHERE vector @@ CAST(:query AS tsquery)"
).columns(literal_column("id"))
_READ = select(pages.c.job_id, pages.c.number, pages.c.result, pages.c.corrections).where(
    pages.c.result.is_not(None)
)


@dataclass(frozen=True, slots=True)
class TextQuery:
    """What to find, and in which jobs."""

    text: str
    owner: str | None = None
    """As of a `JobFilter`."""
    limit: int = 50
    offset: int = 0


def index_page(
    connection: Connection,
    job_id: str,
    index: int,
    result: PageResult,
    corrections: dict[int, Correction] | None = None,
) -> None:
    """Replaces what the index has of a page."""
    connection.execute(_DELETE, {"job": job_id, "index": index})
    words = search_text.indexed("\n".join(_block_texts(result, corrections or {})))
    if words.strip():
        connection.execute(_INSERT, {"job_id": job_id, "page": index, "words": words})
        if connection.dialect.name == "postgresql":
            vector = search_text.vector(words)
            connection.execute(_INSERT_VECTOR, {"job": job_id, "index": index, "vector": vector})


def index_all(connection: Connection) -> None:
    """Indexes every page of a store that has no index yet."""
    for row in connection.execute(_READ).yield_per(100):
        result = records.result_of(row.result)
        corrections = records.corrections_of(row.corrections)
        index_page(connection, row.job_id, row.number, result, corrections)


def find(connection: Connection, query: TextQuery) -> tuple[list[FoundText], bool]:
    """The pages that have all words of the query, those of the newest job first, and whether there
    are more."""
    wanted = search_text.terms(query.text)
    if not wanted:
        return [], False
    condition = _having(wanted, connection.dialect.name)
    rows = connection.execute(_found(query, condition)).all()
    return [_excerpt_of(row, query.text) for row in rows[: query.limit]], len(rows) > query.limit


def _found(query: TextQuery, condition: ColumnElement[bool]) -> Select[Any]:
    found = (
        select(
            *(pages.c.job_id, pages.c.number, pages.c.result, pages.c.corrections),
            *(jobs.c.created_at, files.c.name),
        )
        .join(page_texts, _same_page(page_texts.c.job_id, page_texts.c.page))
        .join(jobs, jobs.c.id == pages.c.job_id)
        .join(files, (files.c.job_id == pages.c.job_id) & (files.c.number == pages.c.file))
        .where(condition)
        .order_by(jobs.c.created_at.desc(), jobs.c.id.desc(), pages.c.number)
        .limit(query.limit + 1)
        .offset(query.offset)
    )
    return found if query.owner is None else found.where(jobs.c.owner.in_((query.owner, "")))


def _same_page(job_id: Any, page: Any) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = (pages.c.job_id == job_id) & (pages.c.number == page)
    return condition


def _having(wanted: Sequence[str], dialect: str) -> ColumnElement[bool]:
    """Whether a row of `page_texts` has all terms. A term ends anywhere in a word: it may still be
    typed."""
    if dialect == "postgresql":
        return page_texts.c.id.in_(
            _MATCHING_VECTORS.bindparams(query=search_text.vector_query(wanted))
        )
    phrases = ('"' + search_text.indexed(term).replace('"', " ") + '" *' for term in wanted)
    index = table("page_words")
    matching: Select[Any] = select(literal_column("rowid")).select_from(index)
    match = literal_column("page_words").op("MATCH")(" AND ".join(phrases))
    return page_texts.c.id.in_(matching.where(match))


def _excerpt_of(row: Row[Any], text: str) -> FoundText:
    """From the block with most of the words."""
    result = records.result_of(row.result)
    texts = _block_texts(result, records.corrections_of(row.corrections))
    counts = [search_text.num_matches(each, text) for each in texts]
    best = counts.index(max(counts))
    return FoundText(
        row.job_id,
        row.name,
        row.created_at,
        row.number,
        best if result.blocks else None,
        search_text.excerpt(texts[best], text),
    )


def _block_texts(result: PageResult, corrections: dict[int, Correction]) -> list[str]:
    """The text of each block; of the page where it has none."""
    texts = [block.text for block in corrected_blocks(result.blocks, corrections)]
    return texts or [result.markdown]
