"""`GET /metrics`: counters and gauges of the service in the Prometheus text format."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from fastapi import Response

from dsocr import __version__
from dsocr.engines.stats import EngineStats, WorkerState
from dsocr.errors import StoreUnavailable
from dsocr.jobs.queue import JobQueue
from dsocr.jobs.store.gauges import JobGauges
from dsocr.metrics import CONTENT_TYPE, Sample
from dsocr.pages.sandbox import SandboxStats
from dsocr.server.admission import AdmissionLimiter
from dsocr.server.deps import RunningService, Service, locked_router
from dsocr.server.problems import MetricsOff
from dsocr.server.schemas.errors import error_answers

router = locked_router("system")
STALLED_SECONDS = 60.0
OUTCOMES = ("ok", "busy", "cancelled", "failed", "lost", "refused", "timeout")
"""How a request to a remote server can end."""


@router.get(
    "/metrics",
    summary="Counters and gauges in the Prometheus text format",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **error_answers(401, 404)},
)
async def metrics(service: RunningService) -> Response:
    if not service.metrics.enabled:
        raise MetricsOff()
    jobs = await stored_samples(service.jobs)
    storage = await asyncio.to_thread(lambda: [*storage_samples(service.settings.runs_dir)])
    samples = [
        *service_samples(service),
        *jobs,
        *sandbox_samples(service.host.sandbox.stats()),
        *storage,
    ]
    return Response(service.metrics.render(samples), media_type=CONTENT_TYPE)


async def stored_samples(jobs: JobQueue) -> list[Sample]:
    """What the job store says; without its jobs while it cannot be reached."""
    up = partial(Sample, "dsocr_store_up", "1 while the job store answers")
    try:
        counts, gauges = await jobs.count_by_status(), await jobs.gauges()
    except StoreUnavailable:
        return [up(0)]
    return [up(1), *job_samples(counts, gauges, jobs.num_recovered)]


def service_samples(service: Service) -> Iterator[Sample]:
    """The build, the queue of requests and the engine."""
    name = service.host.selection.name
    info = service.host.info
    labels = {"version": __version__, "engine": name, "model": info.model if info else ""}
    yield Sample("dsocr_build_info", "Version, engine and model; always 1", 1, labels)
    yield from queue_samples(service.admission, name)
    for key, host in service.models:
        up = float(host.state == "ready")
        yield Sample("dsocr_engine_up", "1 while the engine is ready", up, {"engine": key})
        yield from engine_samples(key, host.stats())
        name = host.info.name if host.info else key
        yield from progress_samples(key, host.stats(), service.metrics.last_progress(name))
        yield from worker_samples(key, host.workers())


def queue_samples(admission: AdmissionLimiter, engine: str) -> Iterator[Sample]:
    labels = {"engine": engine}
    yield Sample("dsocr_requests_running", "Requests being answered", admission.running, labels)
    yield Sample("dsocr_requests_waiting", "Requests waiting", admission.waiting, labels)
    yield Sample("dsocr_queue_bytes", "Bytes of admitted requests", admission.bytes, labels)


def engine_samples(engine: str, stats: EngineStats) -> Iterator[Sample]:
    """Names as in vLLM's and Prometheus' conventions: base units, counters end in `_total`."""
    labels = {"engine": engine}
    yield Sample("dsocr_engine_pages_running", "Pages the engine recognizes", stats.running, labels)
    yield Sample("dsocr_engine_pages_waiting", "Pages queued at the engine", stats.waiting, labels)
    for reason in ("crash", "stall"):
        yield Sample(
            "dsocr_engine_restarts_total",
            "Engine processes that were replaced",
            stats.restarts.get(reason, 0),
            {**labels, "reason": reason},
            "counter",
        )
    yield Sample(
        "dsocr_engine_retries_total",
        "Pages sent again after a process was lost",
        stats.retries,
        labels,
        "counter",
    )
    yield Sample(
        "dsocr_engine_breaker_state",
        "1 while restarts pause because processes only crash",
        float(stats.breaker_open),
        labels,
    )
    if "cache_used" in stats.load:
        yield from _runtime_samples(labels, stats.load)


def progress_samples(engine: str, stats: EngineStats, last_progress: float) -> Iterator[Sample]:
    """`last_progress`: when it last gave text, in seconds since 1970; 0: never."""
    labels = {"engine": engine}
    silent = time.time() - last_progress > STALLED_SECONDS
    stalled = float(bool(stats.running and last_progress and silent))
    yield Sample("dsocr_engine_stalled", "1 while it has pages and gives no text", stalled, labels)
    yield Sample(
        "dsocr_engine_last_progress_timestamp_seconds",
        "When the engine last gave text",
        last_progress,
        labels,
    )


def worker_samples(engine: str, workers: Sequence[WorkerState]) -> Iterator[Sample]:
    """Of each worker. The label `worker` is its place among them: the CPU may have several."""
    for number, worker in enumerate(workers):
        device = worker.device.partition(" ")[0]  # the model of a GPU follows once it is ready
        labels = {"engine": engine, "worker": str(number), "device": device}
        if worker.outcomes is not None:
            remote = {"engine": engine, "endpoint": str(number + 1)}
            yield from remote_samples(remote, worker)
        up = float(worker.state == "ready")
        yield Sample("dsocr_engine_worker_up", "1 while the worker is ready", up, labels)
        yield Sample("dsocr_engine_worker_pages", "Pages in flight", worker.pages, labels)
        yield Sample(
            "dsocr_engine_worker_restarts_total",
            "Worker processes that were replaced",
            worker.restarts,
            labels,
            "counter",
        )


def remote_samples(labels: Mapping[str, str], worker: WorkerState) -> Iterator[Sample]:
    """Of a server of the engine `remote`. The label `endpoint` is its place in the settings."""
    for outcome in OUTCOMES:
        yield Sample(
            "dsocr_remote_requests_total",
            "Requests to servers of the model, by how they ended",
            (worker.outcomes or {}).get(outcome, 0),
            {**labels, "outcome": outcome},
            "counter",
        )
    ejected = float(worker.state != "ready")
    yield Sample("dsocr_remote_ejected", "1 while the server gets no pages", ejected, labels)
    yield Sample(
        "dsocr_remote_ejections_total",
        "How often the server got no more pages because it failed",
        worker.ejections,
        labels,
        "counter",
    )


def _runtime_samples(labels: Mapping[str, str], load: Mapping[str, float]) -> Iterator[Sample]:
    """What the native engine's process reports with each heartbeat."""
    yield Sample("dsocr_batch_size", "Sequences that decode", load["running"], labels)
    yield Sample("dsocr_kv_usage_ratio", "Used part of the KV cache", load["cache_used"], labels)
    yield Sample(
        "dsocr_step_tokens",
        "Tokens that a step of the device computes",
        load.get("step_tokens", 0.0),
        labels,
        "summary",
        load.get("steps", 0.0),
    )
    if "gpu_bytes" in load:
        held, total = load["gpu_bytes"], load["gpu_total_bytes"]
        yield Sample("dsocr_gpu_memory_bytes", "GPU memory that the engine holds", held, labels)
        yield Sample("dsocr_gpu_memory_total_bytes", "Memory of its GPUs", total, labels)
    for name, key, help in (
        ("dsocr_preemptions_total", "preemptions", "Sequences whose cache blocks were taken away"),
        ("dsocr_oom_steps_total", "out_of_memory", "Steps that were split to fit into memory"),
        ("dsocr_draft_tokens_total", "drafted", "Tokens that were drafted"),
        ("dsocr_draft_tokens_accepted_total", "accepted", "Drafted tokens that became output"),
    ):
        yield Sample(name, help, load.get(key, 0.0), labels, "counter")


def job_samples(counts: Mapping[str, int], gauges: JobGauges, recovered: int) -> Iterator[Sample]:
    help = "Jobs that this process went on with after their worker had ended or was lost"
    yield Sample("dsocr_job_recovered_total", help, recovered, kind="counter")
    for status, count in counts.items():
        yield Sample("dsocr_jobs", "Jobs in the store", count, {"state": status})
    oldest = gauges.oldest_seconds
    yield Sample("dsocr_job_oldest_seconds", "Age of the oldest unfinished job", oldest)
    for state, pages in (
        ("pending", gauges.pages_pending),
        ("done", gauges.pages_done),
        ("failed", gauges.pages_failed),
    ):
        yield Sample("dsocr_job_pages", "Pages of unfinished jobs", pages, {"state": state})


def sandbox_samples(stats: SandboxStats) -> Iterator[Sample]:
    for reason in ("crash", "recycle", "timeout"):
        yield Sample(
            "dsocr_worker_restarts_total",
            "Decoding processes that were replaced",
            stats.restarts.get(reason, 0),
            {"pool": "decode", "reason": reason},
            "counter",
        )
    yield Sample(
        "dsocr_worker_rss_bytes",
        "Memory of decoding processes",
        stats.rss_bytes,
        {"pool": "decode"},
    )


def storage_samples(runs_dir: Path) -> Iterator[Sample]:
    """Blocks for the file system."""
    existing = next(folder for folder in (runs_dir, *runs_dir.parents) if folder.exists())
    disk = shutil.disk_usage(existing)
    yield Sample("dsocr_disk_free_bytes", "Free space for uploads and jobs", disk.free)
    yield Sample("dsocr_disk_bytes", "Size of that disk", disk.total)
    wal = sum(file.stat().st_size for file in (runs_dir / "jobs").glob("*-wal"))
    yield Sample("dsocr_store_wal_bytes", "Bytes in the job store's write-ahead log", wal)
    folders = (runs_dir / "jobs" / "incoming", *runs_dir.glob("upload-*"))
    temp = sum(map(_num_bytes, folders))
    yield Sample("dsocr_temp_bytes", "Bytes of requests' files, which are deleted with them", temp)


def _num_bytes(folder: Path) -> int:
    """Of the files in the folder, without those that are deleted meanwhile."""
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(inner, name)).st_size
    return total
