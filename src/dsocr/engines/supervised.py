"""Statistics of an engine that runs in a supervised process."""

from __future__ import annotations

from dsocr.engines.base import EngineStats
from dsocr.process.supervisor import Supervisor

_COUNTED_BY_SUPERVISOR = frozenset({"running", "waiting"})
"""Fields of a heartbeat that the supervisor knows at any time, the process only while it works."""


def stats_of(supervisor: Supervisor) -> EngineStats:
    load = {
        name: float(value)
        for name, value in supervisor.load.items()
        if name not in _COUNTED_BY_SUPERVISOR
    }
    if "cache_used" in load and not supervisor.num_running:
        load["cache_used"] = 0.0  # an idle process sends no heartbeat with it
    return EngineStats(
        restarts=dict(supervisor.restarts),
        num_retries=supervisor.num_retries,
        num_running=supervisor.num_running,
        num_waiting=supervisor.num_waiting,
        load=load,
    )
