"""Statistics of an engine, from a supervisor with a real process."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dsocr.engines.stats import EngineStats, stats_of
from dsocr.process.supervisor import Supervisor, Timeouts
from tests.engines.stubborn_worker import BEATS
from tests.waiting import DEADLINE_SECONDS

OBEY = "tests.engines.stubborn_worker:obey"


async def test_stats_are_the_load_of_the_last_heartbeat_and_the_pages_of_the_supervisor(
    tmp_path: Path,
) -> None:
    timeouts = Timeouts(stall=DEADLINE_SECONDS, start=DEADLINE_SECONDS)
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=timeouts)
    assert stats_of(supervisor) == EngineStats()
    for number in range(BEATS):
        (tmp_path / f"beat-{number}").touch()
    in_flight: list[EngineStats] = []

    def after_heartbeats(text: str) -> None:
        if text == "!":
            in_flight.append(stats_of(supervisor))

    await asyncio.gather(
        supervisor.request({"prompt": "a@crash-once"}, bytes, num_bytes=0),
        supervisor.request({"prompt": "b@slow"}, bytes, num_bytes=0, on_text=after_heartbeats),
    )

    (stats,) = in_flight
    assert (stats.restarts, stats.load) == ({"crash": 1}, {"running": 1.0, "cache_used": 0.25})
    assert stats.retries >= 1
    assert (stats.running, stats.waiting) == (1, 0)

    stats = stats_of(supervisor)
    assert (stats.running, stats.waiting, stats.load) == (0, 0, {"running": 0.0, "cache_used": 0.0})
    await supervisor.close()
