"""Measures the cost of jobs, and whether they survive kills.

python -m bench.jobs store          storing one page, beside listing 100,000 jobs
python -m bench.jobs accept         from the last byte of a 100 MB PDF to the answer
python -m bench.jobs memory         reading 3,000 pages, beside the idle server
python -m bench.jobs fair           single images beside 2,000 pages; one key beside another
python -m bench.jobs kills FILE...  300 pages of these files on the embedded engine, three kills

`store` needs no engine, `kills` uses the ppocr engine, the others the fake engine of the tests.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pypdfium2 as pdfium
from PIL import Image

from dsocr.jobs.job import ClaimRequest, JobFile, JobPage, NewJob
from dsocr.jobs.store import commands, leases, listing
from dsocr.jobs.store.database import Database
from dsocr.jobs.store.listing import JobFilter
from dsocr.types import Block, Box, OcrOptions, PageResult
from tests.fakes import pdf

OPTIONS = OcrOptions(
    "markdown", "gundam", "<image>\n<|grounding|>Convert the document to markdown."
)
WORDS = "Sixty words of one paragraph stand for what a dense page has in each of its blocks. " * 3
NUM_JOBS = 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("store", "accept", "memory", "fair", "kills"))
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--pages", type=int)
    parser.add_argument("--mode", default="gundam")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if given.what == "store":
            asyncio.run(measure_store(place))
        elif given.what == "accept":
            measure_acceptance(place)
        elif given.what == "memory":
            measure_memory(place, given.pages or 3000)
        elif given.what == "fair":
            measure_fairness(place, given.pages or 2000)
        else:
            survive_kills(place, given.files, given.pages or 300, given.mode)


async def measure_store(place: Path) -> None:
    database = Database(place / "jobs.sqlite3")
    await database.open()
    many = [_job(f"{number:032x}", f"scan {number}.pdf", 3) for number in range(NUM_JOBS)]
    for start in range(0, NUM_JOBS, 10_000):
        await database.write(_accept_all, many[start : start + 10_000])
    for label, wanted in (
        ("first page", JobFilter()),
        ("page 1,000", JobFilter(offset=50_000)),
        ("one status", JobFilter(status="succeeded")),
        ("one owner", JobFilter(owner="a")),
        ("by a name that one has", JobFilter(search="scan 4711.")),
        ("by a name that one of its owner has", JobFilter(owner="a", search="scan 4711.")),
        ("by a name that 111 have", JobFilter(search="n 71")),
        ("by a name that all have", JobFilter(search="scan")),
        ("by a name that all have, page 1,000", JobFilter(search="scan", offset=50_000)),
        ("by a name that all of a status have", JobFilter(search="scan", status="succeeded")),
        ("by a name that none has", JobFilter(search="x")),
    ):
        times = [await _timed(database.read(listing.list_jobs, wanted, 0.0)) for _ in range(20)]
        report(f"list 50 of {NUM_JOBS:,} jobs, {label}", statistics.median(times), max(times))
    await database.write(
        commands.accept,
        _job("f" * 32, "b", 500, 0.0),
        0,
        max_unfinished=10**9,
        max_of_owner=None,
    )
    await database.write(_finish_all)
    [lease] = await database.write(leases.claim, ClaimRequest("me", "fake"), 0, limit=1)
    times = [
        await _timed(database.write(leases.store_page, lease, _page(n), 0)) for n in range(500)
    ]
    report("store a page of 10,000 characters in 40 blocks", statistics.median(times), max(times))
    await database.close()


def measure_acceptance(place: Path) -> None:
    content = pdf([["a page"]] * 300)
    at = content.rindex(b"xref\n0")
    filler = b"%" + b"x" * (100_000_000 - len(content)) + b"\n"
    offset = at + len(filler)
    content = content[:at] + filler + content[at : content.rindex(b"startxref")]
    content += b"startxref\n%d\n%%%%EOF\n" % offset
    with Service(place, "fake", 1.0) as service:
        for _ in range(3):
            head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'
            body = head + content + b"\r\n--b--\r\n"
            request = (
                f"POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            ).encode()
            with socket.create_connection(("127.0.0.1", service.port)) as connection:
                began = time.perf_counter()
                connection.sendall(request + body)
                sent = time.perf_counter()
                status = connection.recv(65536).split(b" ", 2)[1].decode()
                answered = time.perf_counter()
            print(
                f"a PDF of {len(content) / 1e6:.0f} MB: sent in {sent - began:.2f} s, "
                f"{status} after {answered - sent:.3f} s more"
            )


def measure_memory(place: Path, pages: int) -> None:
    content = pdf([[f"page {number}", WORDS[:80]] for number in range(pages)])
    with Service(place, "fake", 0.0) as service:
        warm = service.submit("warm.pdf", pdf([["warm"]] * 20))
        service.until(lambda: service.job(warm)["finishedAt"] is not None)
        idle = service.memory()
        job_id = service.submit("long.pdf", content)
        most = {name: 0.0 for name in idle}
        began = time.monotonic()
        while service.job(job_id)["finishedAt"] is None:
            for name, size in service.memory().items():
                most[name] = max(most.get(name, 0), size)
            time.sleep(0.2)
        seconds = time.monotonic() - began
        job = service.job(job_id)
    print(f"{job['pagesDone']} pages in {seconds:.0f} s, {job['pagesFailed']} failed")
    for name in idle:
        print(f"{name}: {idle[name]:.0f} MiB idle, {most[name]:.0f} MiB at most")


def measure_fairness(place: Path, pages: int) -> None:
    """20 ms a page, two at once."""
    keys = {name: {"X-Api-Key": name} for name in ("one", "two")}
    with Service(place, "fake", 0.02, server={"api_keys": list(keys)}) as service:
        image = ("a.pdf", pdf([["a page"]]))

        def ask() -> float:
            began = time.perf_counter()
            files = {"image": image}
            answer = service.http.post("/api/ocr", files=files, headers=keys["two"])
            assert answer.status_code == 200
            return time.perf_counter() - began

        ask()
        quiet = sorted(ask() for _ in range(60))
        service.http.headers.update(keys["one"])
        ours = [service.submit(f"{n}.pdf", pdf([["one"]] * (pages // 4))) for n in range(4)]
        service.until(lambda: service.job(ours[0])["pagesDone"] > 10)
        busy = sorted(ask() for _ in range(60))
        for label, times in (("nothing else", quiet), (f"jobs of {pages:,} pages", busy)):
            p50, p95 = (1000 * times[int(len(times) * part)] for part in (0.5, 0.95))
            print(f"a single image beside {label}: p50 {p50:.0f} ms, p95 {p95:.0f} ms")
        before = sum(service.job(job_id)["pagesDone"] for job_id in ours)
        files = {"file": ("two.pdf", pdf([["two"]] * (pages // 8)))}
        theirs = service.http.post("/api/jobs", files=files, headers=keys["two"]).json()["jobId"]
        service.http.headers.update(keys["two"])
        service.until(lambda: service.job(theirs)["finishedAt"] is not None, 600)
        service.http.headers.update(keys["one"])
        of_one = sum(service.job(job_id)["pagesDone"] for job_id in ours) - before
        of_two = pages // 8
        print(f"four jobs of one key, {of_one} pages, while one job of another had {of_two}")


def survive_kills(place: Path, files: list[Path], pages: int, mode: str) -> None:
    content = _book(files, pages)
    chance = random.Random(7)
    with Service(place, "ppocr", 0) as service:
        began = time.monotonic()
        job_id = service.submit("book.pdf", content, mode=mode)
        progress = 0
        for kill in range(3):
            goal = pages * (kill + chance.random()) / 4
            service.until(partial(_reached, service, job_id, goal), 3600)
            time.sleep(chance.random())
            before = service.job(job_id)["pagesDone"]
            service.kill()
            down = time.monotonic()
            service.start()
            after = service.job(job_id)["pagesDone"]
            assert after >= before >= progress
            progress = after
            service.until(partial(_reached, service, job_id, after + 1), 600)
            print(
                f"killed at {before} pages; {after} there after the restart; "
                f"the next page {time.monotonic() - down:.1f} s after the kill",
                flush=True,
            )
        service.until(lambda: service.job(job_id)["finishedAt"] is not None, 7200)
        seconds = time.monotonic() - began
        job = service.job(job_id)
        export = service.http.get(f"/api/jobs/{job_id}/export", params={"format": "json"}).json()
    indices = [page["pageIndex"] for page in export["pages"]]
    assert indices == list(range(pages))
    empty = sum(not page["text"] for page in export["pages"])
    print(
        f"{job['status']}: {job['pagesDone']} of {pages} pages in order, {job['pagesFailed']} "
        f"failed, {empty} without text, {seconds:.0f} s ({pages / seconds:.2f} pages/s, kills "
        f"included)"
    )


class Service:
    """The service in a process of its own."""

    def __init__(self, place: Path, engine: str, seconds: float, **settings: Any) -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port: int = sock.getsockname()[1]
        runs = str(place / "runs")
        self._environment = {
            **os.environ,
            "DEEPSEEK_OCR_RUNS_DIR": runs,
            "DEEPSEEK_OCR_ENGINE": "ppocr",
        }
        self._command = [sys.executable, "-m"]
        if engine == "fake":
            self._command += ["tests.jobs.serve", runs, str(self.port), str(seconds)]
            self._command.append(json.dumps(settings))
        else:
            self._command += ["dsocr", "serve", "--port", str(self.port)]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        self.http.close()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, env=self._environment, stderr=subprocess.DEVNULL
        )
        self.until(self._ready, 120)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def submit(self, name: str, content: bytes, **fields: str) -> str:
        answer = self.http.post("/api/jobs", files={"file": (name, content)}, data=fields)
        assert answer.status_code == 202, answer.text
        job_id: str = answer.json()["jobId"]
        return job_id

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.http.get(f"/api/jobs/{job_id}").json()
        return job

    def memory(self) -> dict[str, float]:
        """Private memory in MiB: of the server alone, and with all its children."""
        own = _private(self.process.pid)
        return {"server": own, "server and children": own + sum(map(_private, self._children()))}

    def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            return self.http.get("/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]


def _reached(service: Service, job_id: str, pages: float) -> bool:
    return bool(service.job(job_id)["pagesDone"] >= pages)


def report(what: str, median: float, most: float) -> None:
    print(f"{what}: median {median * 1000:.2f} ms, slowest {most * 1000:.2f} ms")


async def _timed(work: Any) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


def _job(job_id: str, name: str, pages: int, created: float = 0.0) -> NewJob:
    return NewJob(
        id=job_id,
        owner="",
        options=OPTIONS,
        dpi=None,
        engine="fake",
        wanted_engine=None,
        files=(JobFile(0, name, 10_000, pages),),
        pages=tuple(JobPage(index, 0, index) for index in range(pages)),
        paths=(),
    )


def _accept_all(connection: Any, new: list[NewJob]) -> None:
    for number, job in enumerate(new):
        commands.accept(connection, job, float(number), max_unfinished=10**9, max_of_owner=None)
    _finish_all(connection)


def _finish_all(connection: Any) -> None:
    connection.exec_driver_sql("update jobs set status='succeeded' where id < 'f'")


def _page(index: int) -> PageResult:
    blocks = tuple(
        Block("text", WORDS, (Box(0.1, n / 40, 0.9, (n + 0.8) / 40),), 0.97) for n in range(40)
    )
    text = "\n\n".join(block.text for block in blocks)
    return PageResult(index, 1240, 1754, text, blocks, raw=text)


def _book(files: list[Path], pages: int) -> bytes:
    """Pages of these files, over and over, as one PDF."""
    book = pdfium.PdfDocument.new()
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for number, file in enumerate(files):
            if file.suffix.lower() != ".pdf":
                file, image = Path(folder) / f"{number}.pdf", Image.open(file).convert("RGB")
                image.save(file, "PDF", resolution=144)
            parts.append(pdfium.PdfDocument(file.read_bytes()))
        while len(book) < pages:
            for part in parts:
                book.import_pages(part)
        for _ in range(len(book) - pages):
            del book[len(book) - 1]
        path = Path(folder) / "book.pdf"
        book.save(path)
        return path.read_bytes()


def _private(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    sizes = [int(line.split()[1]) for line in lines if line.startswith("Private_")]
    return sum(sizes) / 1024


if __name__ == "__main__":
    main()
