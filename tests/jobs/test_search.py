"""The full-text search over all jobs of a store."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from dsocr.jobs.job import Correction, FoundText, Lease
from dsocr.jobs.store import commands, leases, search, versions
from dsocr.jobs.store.database import Database
from dsocr.jobs.store.search import TextQuery
from dsocr.types import Block, PageResult
from tests.jobs.rows import accepted, claimed, read


async def stored(database: Database, *texts: str, **fields: object) -> Lease:
    """The lease on a job of these pages, which are stored."""
    await accepted(database, len(texts), **fields)
    lease = await claimed(database)
    for index, text in enumerate(texts):
        await database.write(leases.store_page, lease, read(index, text), 0)
    return lease


async def find(database: Database, text: str, owner: str | None = None) -> list[FoundText]:
    found, _ = await database.read(search.find, TextQuery(text, owner))
    return found


async def pages(database: Database, text: str) -> list[int]:
    return [each.page for each in await find(database, text)]


def marked(found: FoundText) -> list[str]:
    return [part.text for part in found.excerpt if part.match]


async def test_a_chinese_word_of_two_characters_is_found_inside_a_sentence(
    database: Database,
) -> None:
    await stored(database, "港口的货物记录保存至今。", "港的口", "The harbour.", "货 物")
    (found,) = await find(database, "记录")
    assert (found.page, marked(found)) == (0, ["记录"])
    assert "".join(part.text for part in found.excerpt) == "港口的货物记录保存至今。"
    assert await pages(database, "港口") == [0]  # not the two characters apart
    assert await pages(database, "货物 保存") == [0]


async def test_words_of_other_scripts_without_blanks_are_found(database: Database) -> None:
    await stored(
        database, "本日は晴天なり", "한국어문서입니다", "สวัสดีชาวโลก", "ｆｕｌｌ ｗｉｄｔｈ"
    )
    for text, page in (("晴天", 0), ("문서", 1), ("ชาว", 2), ("full width", 3)):
        assert await pages(database, text) == [page], text


async def test_case_accents_and_the_end_of_a_word_do_not_count(database: Database) -> None:
    await stored(
        database, "Die Straße nach Zürich", "A zebra", "<table><tr><td>Grain</td></tr></table>"
    )
    assert await pages(database, "zurich") == [0]
    assert await pages(database, "ZÜR nach") == [0]
    assert await pages(database, "ebra") == []
    assert await pages(database, "grain") == [2]
    assert await pages(database, "td") == []


@pytest.mark.parametrize("text", ['"', "AND", "a* OR", "NEAR(", "words:x", "%", "-", "x" * 200])
async def test_no_query_is_an_error(database: Database, text: str) -> None:
    await stored(database, "some text")
    assert await find(database, text) == []


async def test_a_correction_and_a_version_taken_back_change_what_is_found(
    database: Database,
) -> None:
    lease = await stored(database, "Grain")
    change = {0: Correction("Timber")}
    await database.write(commands.correct, lease.job_id, 0, change, 0)
    assert (await pages(database, "grain"), await pages(database, "timber")) == ([], [0])
    await database.write(versions.take, lease.job_id, 0, 1, 0)
    assert (await pages(database, "grain"), await pages(database, "timber")) == ([0], [])
    await database.write(leases.store_page, lease, read(0, "Coal"), 0)
    assert (await pages(database, "grain"), await pages(database, "coal")) == ([], [0])


async def test_a_deleted_job_leaves_nothing_in_the_index(database: Database) -> None:
    lease = await stored(database, "Grain", "Timber")
    await database.write(commands.remove, lease.job_id)

    def rest(connection: Connection) -> list[object]:
        is_sqlite = connection.dialect.name == "sqlite"  # whose FTS5 counts its own rows apart
        tables = ("page_texts", "page_words_docsize" if is_sqlite else "page_words")
        return [connection.exec_driver_sql(f"select count(*) from {t}").scalar() for t in tables]

    assert await database.read(rest) == [0, 0]
    assert await find(database, "grain") == []


async def test_owners_find_their_own_pages_and_those_of_no_owner(database: Database) -> None:
    for owner in ("mine", "", "theirs"):
        await stored(database, f"Grain of {owner}", owner=owner)
    texts = {part.text for each in await find(database, "grain", "mine") for part in each.excerpt}
    assert texts == {"Grain", " of mine", " of"}
    assert len(await find(database, "grain")) == 3


async def test_the_excerpt_is_of_the_block_with_most_words_and_begins_near_them(
    database: Database,
) -> None:
    blocks = (Block("title", "Grain"), Block("text", "filler " * 60 + "the Grain of the Ledger"))
    await accepted(database)
    lease = await claimed(database)
    result = PageResult(0, 10, 10, "", blocks)
    await database.write(leases.store_page, lease, result, 0)
    (found,) = await find(database, "ledger grain")
    assert (found.block, marked(found)) == (1, ["Grain", "Ledger"])
    assert found.excerpt[0].text == "… " and len(found.excerpt[1].text) < 70


async def test_results_come_newest_job_first_and_some_at_a_time(database: Database) -> None:
    old = await stored(database, "Grain", "Grain")
    new = await stored(database, "Grain", now=5)
    found, more = await database.read(search.find, TextQuery("grain", limit=2))
    assert ([(each.job_id, each.page) for each in found], more) == (
        [(new.job_id, 0), (old.job_id, 0)],
        True,
    )
    rest, more = await database.read(search.find, TextQuery("grain", limit=2, offset=2))
    assert ([each.page for each in rest], more) == ([1], False)


async def test_the_migration_indexes_what_was_read_before(database: Database) -> None:
    lease = await stored(database, "Grain", "Timber")
    await database.write(commands.correct, lease.job_id, 1, {0: Correction("Coal")}, 0)

    def before_and_again(connection: Connection) -> None:
        connection.exec_driver_sql("delete from page_texts")
        search.index_all(connection)

    await database.write(before_and_again)
    assert (await pages(database, "grain"), await pages(database, "coal")) == ([0], [1])
