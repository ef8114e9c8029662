"""A job on the embedded engine, and the memory of very long ones."""

from __future__ import annotations

import asyncio
import io
import time
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont
from starlette.testclient import TestClient

from dsocr.config import Settings
from dsocr.exports import FORMATS
from dsocr.jobs.store import leases
from dsocr.jobs.store.database import Database
from dsocr.server.app import create_app
from tests.jobs.conftest import NewServer, numbered
from tests.jobs.rows import accepted, claimed, read
from tests.processes import FEW_ARENAS, peak_mib, private_mib
from tests.waiting import wait_until

GROWTH_MIB = 300


def scan(*words: str) -> Image.Image:
    """An image of a page with large print."""
    page = Image.new("RGB", (900, 400), "white")
    font = ImageFont.load_default(60)
    for number, word in enumerate(words):
        ImageDraw.Draw(page).text((60, 50 + 120 * number), word, "black", font)
    return page


def test_the_embedded_engine_reads_a_job(tmp_path: Path) -> None:
    book = io.BytesIO()
    first, second = scan("Invoice 4711", "Hamburg"), scan("Total 99.50")
    first.save(book, "PDF", save_all=True, append_images=[second], resolution=144)
    with TestClient(create_app(Settings(engine="ppocr", runs_dir=tmp_path))) as http:
        files = {"file": ("book.pdf", book.getvalue())}
        job_id = http.post("/api/jobs", files=files, data={"mode": "tiny"}).json()["jobId"]
        wait_until(lambda: http.get(f"/api/jobs/{job_id}").json()["finishedAt"])
        job = http.get(f"/api/jobs/{job_id}").json()
        assert (job["status"], job["pagesFailed"], job["engine"]) == ("succeeded", 0, "ppocr")
        pages = http.get(f"/api/jobs/{job_id}/export?format=json").json()["pages"]
        assert "Invoice 4711" in pages[0]["text"] and "Hamburg" in pages[0]["text"]
        assert "Total 99.50" in pages[1]["text"]
        assert pages[0]["layout"]["items"][0]["boxes"]


@pytest.mark.parametrize("pages", [400, pytest.param(3000, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_document(
    new_server: NewServer, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*FEW_ARENAS)
    server = new_server(forked=False)
    warm = server.submit(numbered(20))["jobId"]
    server.until_over(warm)
    assert server.process is not None
    idle = most = private_mib(server.process.pid)
    job_id = server.submit(numbered(pages))["jobId"]

    def over() -> bool:
        nonlocal most
        assert server.process is not None
        most = max(most, private_mib(server.process.pid))
        return server.job(job_id)["finishedAt"] is not None

    server.until(over, seconds=900)
    assert server.job(job_id)["pagesDone"] == pages
    assert most - idle < (GROWTH_MIB if pages == 3000 else 60)


async def stored_job(runs_dir: Path, pages: int) -> str:
    """A finished job of pages of 40 kB and a table each, stored without an engine."""
    database = Database(runs_dir / "jobs" / "jobs.sqlite3")
    await database.open()
    job_id = await accepted(database, pages)
    lease = await claimed(database)
    for index in range(pages):
        text = "words " * 6666 + "\n\n<table><tr><td>a</td><td>b</td></tr></table>"
        await database.write(leases.store_page, lease, read(index, text), 0)
    assert await database.write(leases.finish, lease, time.time())
    await database.close()
    return job_id


@pytest.mark.parametrize("pages", [400, pytest.param(3000, marks=pytest.mark.slow)])
def test_memory_does_not_grow_with_the_exported_file(
    new_server: NewServer, tmp_path: Path, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*FEW_ARENAS)
    short = asyncio.run(stored_job(tmp_path / "runs", 20))
    long = asyncio.run(stored_job(tmp_path / "runs", pages))
    fewer = asyncio.run(stored_job(tmp_path / "runs", pages // 8))
    server = new_server(forked=False)
    assert server.process is not None
    for spec in FORMATS:
        if "images" in spec.needs:
            continue  # these pages have no file
        # an element a word: so many that an eighth of the pages shows whether memory grows
        is_slow = "boxes" in spec.needs or spec.key in ("docx", "xlsx")
        job, size_of = (fewer, pages // 8) if is_slow else (long, pages)
        has_all_text = "tables" not in spec.needs and spec.media_type.startswith(
            ("text/", "application/json")
        )
        assert sum(map(len, server.download(short, spec.key))) > 0
        before = peak_mib(server.process.pid)
        size = sum(map(len, server.download(job, spec.key)))
        assert size > size_of * (39_000 if has_all_text else 5)
        assert peak_mib(server.process.pid) - before < 30, spec.key
