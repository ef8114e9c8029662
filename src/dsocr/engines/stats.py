"""Load and faults of an engine at one moment, for metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dsocr.process.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counts are since the engine was created."""

    running: int = 0
    """Pages that are being recognized."""
    waiting: int = 0
    """Pages that were handed over and have not begun."""
    restarts: Mapping[str, int] = field(default_factory=dict)
    """Processes that were replaced, by reason: crash or stall."""
    retries: int = 0
    """Pages that were sent again after a process or a member was lost."""
    load: Mapping[str, float] = field(default_factory=dict)
    """What the engine's process reports of itself; of the native engine: `running`, `waiting`,
    `cache_used` (0-1), `preemptions`, `out_of_memory`."""


def stats_of(supervisor: Supervisor | None) -> EngineStats:
    """Of an engine that runs in a supervised process; all zero before it is started."""
    if supervisor is None:
        return EngineStats()
    return EngineStats(
        running=supervisor.num_running,
        waiting=supervisor.num_waiting,
        restarts=dict(supervisor.restarts),
        retries=supervisor.num_retries,
        load=supervisor.load,
    )
