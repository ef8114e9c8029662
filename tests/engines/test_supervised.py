"""Statistics of an engine, from a supervisor with a real process."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dsocr.engines.base import EngineStats
from dsocr.engines.supervised import stats_of
from dsocr.process.supervisor import Supervisor, Timeouts

OBEY = "tests.engines.stubborn_worker:obey"


async def test_stats_have_the_load_of_heartbeats_and_the_pages_of_the_supervisor(
    tmp_path: Path,
) -> None:
    timeouts = Timeouts(stall=20, start=20)
    supervisor = Supervisor(OBEY, {"notes": str(tmp_path)}, timeouts=timeouts)
    assert stats_of(supervisor) == EngineStats()
    in_flight: list[EngineStats] = []

    def after_heartbeats(text: str) -> None:
        if text == "!":
            in_flight.append(stats_of(supervisor))

    await asyncio.gather(
        supervisor.request({"prompt": "a@crash-once"}, bytes, num_bytes=0),
        supervisor.request({"prompt": "b@slow"}, bytes, num_bytes=0, on_text=after_heartbeats),
    )

    (stats,) = in_flight
    assert (stats.restarts, stats.load) == ({"crash": 1}, {"cache_used": 0.25})
    assert stats.num_retries >= 1
    assert (stats.num_running, stats.num_waiting) == (1, 0)

    stats = stats_of(supervisor)
    assert (stats.num_running, stats.num_waiting, stats.load) == (0, 0, {"cache_used": 0.0})
    await supervisor.close()
