"""The limits of the service in effect, each with its reason. Knows no HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from dsocr.config import MIB, ServerConfig, Settings
from dsocr.jobs.limits import JobLimits, job_limits
from dsocr.process.capacity import Limit, by_engine, by_memory, configured, tightest
from dsocr.process.machine import Machine

MIN_REQUESTS = 64
MIN_QUEUE_BYTES = 512 * MIB
MIN_CONNECTIONS = 1000
REQUESTS_PER_PAGE = 3
"""A third of the admitted requests is recognized, a third is decoded, a third is received."""
REQUEST_BYTES = 2 * MIB
"""Memory of one admitted request beside its page: the part of its body that is not on the disk."""
UPLOAD_BYTES = 8 * MIB
"""Mean size of an upload."""
MEMORY_SHARE = 16
"""Requests and their uploads may each take this part of the memory; uploads are on the disk, and in
its cache."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The limits at one moment. They change when the engine does."""

    decoders: Limit
    requests: Limit
    queue_bytes: Limit
    connections: Limit
    jobs: JobLimits


def capacity_of(settings: Settings, max_concurrency: int | None, machine: Machine) -> Capacity:
    """`max_concurrency`: pages that the engine takes at once; None while it is not ready."""
    server = settings.server
    requests = _requests(server, max_concurrency, machine)
    return Capacity(
        decoders=settings.pages.decoders(machine),
        requests=requests,
        queue_bytes=_queue_bytes(server, requests, machine),
        connections=_connections(server, requests, machine),
        jobs=job_limits(settings.jobs, max_concurrency, machine),
    )


def _requests(server: ServerConfig, max_concurrency: int | None, machine: Machine) -> Limit:
    if server.max_requests is not None:
        return configured(server.max_requests)
    return tightest(
        MIN_REQUESTS,
        by_engine(max_concurrency, REQUESTS_PER_PAGE),
        by_memory(machine, MEMORY_SHARE, REQUEST_BYTES),
    )


def _queue_bytes(server: ServerConfig, requests: Limit, machine: Machine) -> Limit:
    if server.max_queue_mb is not None:
        return configured(server.max_queue_mb * MIB)
    wanted = Limit(UPLOAD_BYTES * requests.value, f"{requests.value} requests")
    return tightest(MIN_QUEUE_BYTES, wanted, by_memory(machine, MEMORY_SHARE, 1))


def _connections(server: ServerConfig, requests: Limit, machine: Machine) -> Limit:
    if server.max_connections is not None:
        return configured(server.max_connections)
    wanted = tightest(MIN_CONNECTIONS, Limit(2 * requests.value, f"{requests.value} requests"))
    if machine.open_files is None or machine.open_files // 2 >= wanted.value:
        return wanted
    return Limit(max(1, machine.open_files // 2), f"{machine.open_files} open files")
