"""Limits by the machine, the engine and the settings."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from dsocr.config import ServerConfig, Settings
from dsocr.jobs.config import JobsConfig
from dsocr.pages.config import PagesConfig
from dsocr.process.machine import Machine
from dsocr.server.capacity import Capacity, capacity_of
from tests.fakes import FakeEngine
from tests.server.conftest import Client
from tests.waiting import wait_until

LAPTOP = Machine(cores=2, memory_bytes=8 << 30, open_files=65_536)
LARGE = Machine(cores=16, memory_bytes=128 << 30, open_files=65_536)
SETTINGS = Settings(engine="ppocr", runs_dir=Path("unused"))


def values(capacity: Capacity) -> dict[str, int]:
    jobs = capacity.jobs
    return {
        "decoders": capacity.decoders.value,
        "requests": capacity.requests.value,
        "queue_mb": capacity.queue_bytes.value >> 20,
        "connections": capacity.connections.value,
        "uploads": jobs.uploads.value,
        "running": jobs.running.value,
        "unfinished": jobs.unfinished.value,
        "per_key": jobs.per_key.value,
    }


@pytest.mark.parametrize("max_concurrency", [2, None], ids=["embedded", "not ready"])
def test_a_laptop_has_the_smallest_limits(max_concurrency: int | None) -> None:
    assert values(capacity_of(SETTINGS, max_concurrency, LAPTOP)) == {
        "decoders": 2,
        "requests": 64,
        "queue_mb": 512,
        "connections": 1000,
        "uploads": 32,
        "running": 8,
        "unfinished": 1000,
        "per_key": 10,
    }


def test_a_large_engine_on_a_large_machine_has_more_at_once() -> None:
    capacity = capacity_of(SETTINGS, 320, LARGE)
    assert values(capacity) == {
        "decoders": 8,
        "requests": 960,
        "queue_mb": 7680,
        "connections": 1920,
        "uploads": 320,
        "running": 320,
        "unfinished": 1280,
        "per_key": 320,
    }
    assert str(capacity.decoders) == "8 (16 cores)"
    assert str(capacity.requests) == "960 (the engine takes 320 pages at once)"
    assert str(capacity.connections) == "1920 (960 requests)"


def test_little_memory_bounds_what_a_large_engine_asks_for() -> None:
    capacity = capacity_of(SETTINGS, 320, dataclasses.replace(LARGE, memory_bytes=8 << 30))
    assert str(capacity.decoders) == "2 (8.6 GB memory)"
    assert str(capacity.requests) == "256 (8.6 GB memory)"
    assert str(capacity.jobs.uploads) == "256 (8.6 GB memory)"
    assert capacity.queue_bytes.value == 512 << 20


def test_connections_leave_descriptors_for_everything_else() -> None:
    capacity = capacity_of(SETTINGS, 320, dataclasses.replace(LARGE, open_files=1024))
    assert str(capacity.connections) == "512 (1024 open files)"


def test_a_machine_that_reports_nothing_is_bounded_by_the_engine_and_the_cores() -> None:
    capacity = capacity_of(SETTINGS, 320, Machine(16, None, None))
    assert (capacity.decoders.value, capacity.requests.value) == (8, 960)
    assert capacity.connections.value == 1920


def test_a_setting_stands_over_the_machine_and_the_engine() -> None:
    settings = dataclasses.replace(
        SETTINGS,
        pages=PagesConfig(workers=1),
        server=ServerConfig(max_requests=3, max_queue_mb=0.5, max_connections=7),
        jobs=JobsConfig(max_uploads=4, max_running=5, max_unfinished=6, max_jobs_per_key=9),
    )
    for max_concurrency in (None, 2, 320):
        capacity = capacity_of(settings, max_concurrency, LARGE)
        assert values(capacity) | {"queue_mb": 0} == {
            "decoders": 1,
            "requests": 3,
            "queue_mb": 0,
            "connections": 7,
            "uploads": 4,
            "running": 5,
            "unfinished": 6,
            "per_key": 9,
        }
        assert capacity.queue_bytes.value == 1 << 19
        assert capacity.requests.reason == "set"
        assert capacity.jobs.few_running == 5


def shown(http: Any) -> dict[str, Any]:
    limits: dict[str, Any] = http.get("/health").json()["limits"]
    return limits


def test_the_limits_follow_an_engine_that_changes(client: Client) -> None:
    engine = FakeEngine(max_concurrency=100)
    with client(engine) as http:
        wait_until(lambda: http.get("/ready").status_code == 200)
        before = shown(http)
        engine.info = dataclasses.replace(engine.info, max_concurrency=2)
        after, queue = shown(http), http.get("/health").json()["queue"]

    reason = "the engine takes {} pages at once"
    assert before["requests"] == {"value": 300, "reason": reason.format(100)}
    assert before["runningJobs"] == {"value": 100, "reason": reason.format(100)}
    assert after["requests"] == {"value": 64, "reason": reason.format(2)}
    assert queue["maxRequests"] == 64
    assert before["decoders"] == after["decoders"]


def test_limits_that_are_set_are_shown_as_set(client: Client) -> None:
    with client(max_requests=5, max_queue_mb=0.25) as http:
        limits = shown(http)
    assert limits["requests"] == {"value": 5, "reason": "set"}
    assert limits["queueMb"] == {"value": 0.25, "reason": "set"}
