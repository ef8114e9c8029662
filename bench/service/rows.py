"""The rows: what the running service is given, and how long it takes."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench.service import cores
from bench.service.clients.client import Kind
from bench.service.clients.load import Clients, Load
from bench.service.documents.corpus import Corpus
from bench.service.server import LAUNCH, Launch, Server
from bench.service.timeline import MeanTimes, between, mean_times, read_trace
from bench.service.waiting import wait_until

JOB_CONNECTIONS = 16
MAX_AT_ONCE = 512
ROW_SECONDS = 900
"""Most rows end long before."""
LONE_REQUESTS = 9
BESIDE_REQUESTS = 4
IMAGE_TIMES = 2
"""How often the row `images` sends each file."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One row."""

    name: str
    workload: str
    """Of the engine alone, or of decoding alone, that it is compared with."""
    pages: int
    seconds: float
    failed: int
    busy: dict[str, float]
    """Cores by role, the clients' and the whole machine's too."""
    where: MeanTimes | None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Pages a second."""
        return self.pages / self.seconds

    @property
    def cpu_seconds(self) -> float:
        """Of the service and its clients."""
        return self.seconds * sum(busy for role, busy in self.busy.items() if role != "machine")


@dataclass(frozen=True, slots=True)
class Context:
    """What the rows are measured with."""

    server: Server
    corpus: Corpus
    seconds: float = ROW_SECONDS
    """That a row's requests, and then its jobs, may take. A row that takes longer fails."""

    def health(self) -> dict[str, Any]:
        health: dict[str, Any] = self.get("/health")
        return health

    def at_once(self) -> int:
        """As many requests in flight as the service admits, or the most that a client sends."""
        return min(MAX_AT_ONCE, int(self.health()["queue"]["maxRequests"]))

    def clients(self, kind: Kind, files: Sequence[Path], at_once: int) -> Clients:
        return Clients(self.server.port, kind, files, at_once, self.seconds)

    def get(self, path: str) -> Any:
        return self._json(path, None)

    def post(self, path: str) -> Any:
        """Without a body."""
        return self._json(path, b"")

    def _json(self, path: str, body: bytes | None) -> Any:
        url = f"http://127.0.0.1:{self.server.port}{path}"
        with urlopen(url, data=body, timeout=60) as answer:
            return json.load(answer)


def images(context: Context) -> Figures:
    """Each JPEG `IMAGE_TIMES`, as many requests at a time as the service admits."""
    files = [*context.corpus.images] * IMAGE_TIMES
    return _uploads(context, "images over HTTP", "images", files)


def streams(context: Context) -> Figures:
    """Each JPEG once, with `Accept: text/event-stream`."""
    name, files = "streaming clients", [*context.corpus.images]
    return _uploads(context, name, "images", files, stream=True)


def small_uploads(context: Context) -> Figures:
    files = [*context.corpus.small]
    return _uploads(context, f"{len(files)} small files, as uploads", "small", files)


def scanned_job(context: Context) -> Figures:
    return _jobs(context, "scanned PDF job", "scanned", [*context.corpus.scanned])


def born_digital_job(context: Context) -> Figures:
    files = [*context.corpus.born_digital]
    return _jobs(context, "born-digital PDF job", "born_digital", files)


def small_jobs(context: Context) -> Figures:
    """One job a file, all submitted at once."""
    files = [*context.corpus.small]
    return _jobs(context, f"{len(files)} small files", "small", files)


def lone_images(context: Context) -> Load:
    """Single images, one after another, on a service that does nothing else."""
    files = [*context.corpus.images][:LONE_REQUESTS]
    return context.clients("ocr", files, 1).run()


def images_beside_a_job(context: Context) -> Load:
    """A few single images at once beside a job of the scanned PDF, which is then cancelled."""
    files = [*context.corpus.images][:BESIDE_REQUESTS]
    clients = context.clients("ocr", files, BESIDE_REQUESTS)
    [job] = context.clients("jobs", [*context.corpus.scanned], 1).run().jobs
    status = lambda: context.get(f"/api/jobs/{job}")["status"]  # noqa: E731
    wait_until(lambda: status() != "queued", context.seconds, "the start of a job")
    load = clients.run()
    if context.health()["queue"]["jobs"]:
        context.post(f"/api/jobs/{job}/cancel")
    _wait_for_jobs(context)
    return load


def read_folder(launch: Launch, corpus: Corpus, seconds: float = ROW_SECONDS) -> Figures:
    """`dsocr read` on the folder of small files. The time runs from the engine's start being
    complete to the last page; the command starts an engine of its own. Raises `TimeoutError` if the
    start, or reading, takes longer than `seconds`."""
    folder = next(iter(corpus.small)).parent
    out = launch.folder / "read"
    launch.trace.unlink(missing_ok=True)
    process = subprocess.Popen(
        [*LAUNCH, "read", str(folder), "-o", f"{out}/", "--quiet"], env=launch.environment()
    )
    try:
        wait_until(partial(_is_ready, launch, process), seconds, "the engine of dsocr read")
        began, before = time.monotonic(), cores.sample(process.pid)
        watch = _Watch(process, before)
        wait_until(watch.has_ended, seconds, "the end of dsocr read")
        ended = time.monotonic()
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, f"dsocr read failed: {process.returncode}"
    shutil.rmtree(out)
    _, spans = read_trace(launch.trace)
    return Figures(
        "dsocr read on a folder",
        "small",
        pages=len(spans),
        seconds=ended - began,
        failed=sum(corpus.small.values()) - len(spans),
        busy=watch.last.cores_since(before),
        where=mean_times(spans, began, ended),
    )


def _is_ready(launch: Launch, process: subprocess.Popen[bytes]) -> bool:
    """Whether the command's engine has started."""
    assert process.poll() is None, "dsocr read ended before its engine was ready"
    return launch.trace.exists() and launch.trace.stat().st_size > 0


@dataclass(slots=True)
class _Watch:
    """A process and its CPU times while it ran."""

    process: subprocess.Popen[bytes]
    last: cores.CpuSample

    def has_ended(self) -> bool:
        if self.process.poll() is not None:
            return True
        with contextlib.suppress(OSError):  # it or a child of it has ended since
            now = cores.sample(self.process.pid)
            if now.seconds["engine"] >= self.last.seconds["engine"]:
                self.last = now
        return False


def _uploads(
    context: Context, name: str, workload: str, files: Sequence[Path], *, stream: bool = False
) -> Figures:
    at_once = min(len(files), context.at_once())
    clients = context.clients("stream" if stream else "ocr", files, at_once)
    before = cores.sample(context.server.pid)
    load = clients.run()
    busy = cores.sample(context.server.pid).cores_since(before)
    notes: dict[str, Any] = {"at once": at_once, "refused": load.refused}
    notes["median s"] = round(statistics.median(load.latencies), 2)
    if load.first_texts:
        notes["first text s"] = round(statistics.median(load.first_texts), 2)
    return _figures(context, name, workload, load, load.ended, load.pages, load.failed, busy, notes)


def _jobs(context: Context, name: str, workload: str, files: Sequence[Path]) -> Figures:
    clients = context.clients("jobs", files, min(len(files), JOB_CONNECTIONS))
    before = cores.sample(context.server.pid)
    load = clients.run()
    _wait_for_jobs(context)
    ended = time.monotonic()
    busy = cores.sample(context.server.pid).cores_since(before)
    done, failed = _pages_of(context, load.jobs)
    notes = {"submitted s": round(load.ended - load.began, 2), "refused": load.refused}
    return _figures(context, name, workload, load, ended, done - failed, failed, busy, notes)


def _figures(
    context: Context,
    name: str,
    workload: str,
    load: Load,
    ended: float,
    pages: int,
    failed: int,
    busy: dict[str, float],
    notes: dict[str, Any],
) -> Figures:
    seconds = ended - load.began
    _, spans = read_trace(context.server.launch.trace)
    where = mean_times(between(spans, load.began, ended), load.began, ended)
    busy = {**busy, "clients": load.cpu_seconds / seconds}
    return Figures(name, workload, pages, seconds, failed, busy, where, notes)


def _wait_for_jobs(context: Context) -> None:
    wait_until(
        lambda: not context.health()["queue"]["jobs"], context.seconds, "the end of all jobs"
    )


def _pages_of(context: Context, jobs: Sequence[str]) -> tuple[int, int]:
    """Pages done and, among them, failed."""
    wanted, done, failed = set(jobs), 0, 0
    for offset in itertools.count(0, 200):
        listed = context.get(f"/api/jobs?limit=200&offset={offset}")["jobs"]
        for job in listed:
            if job["jobId"] in wanted:
                wanted.discard(job["jobId"])
                done, failed = done + job["pagesDone"], failed + job["pagesFailed"]
        if not wanted or not listed:
            return done, failed
    raise AssertionError("unreachable")


SERVER_ROWS: dict[str, Callable[[Context], Figures]] = {
    "images": images,
    "scanned": scanned_job,
    "born_digital": born_digital_job,
    "small": small_jobs,
    "uploads": small_uploads,
    "streams": streams,
}
"""By the name that `--rows` knows."""
