"""Load and faults of an engine at one moment, for metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Literal

from dsocr.process.supervisor import Supervisor

_GAUGES = ("running", "waiting", "cache_used")


WorkerStatus = Literal["starting", "ready", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One worker of an engine, which has one for each device."""

    device: str
    state: WorkerStatus
    """`starting` also while its process is replaced; a `failed` one is started again."""
    unhealthy_reason: str = ""
    """Why it recognizes no pages now, for people; empty when it can."""
    pages: int = 0
    """In flight: being recognized, or waiting for it."""
    restarts: int = 0
    """Processes that were replaced."""
    outcomes: Mapping[str, int] | None = None
    """Requests to a remote server by how they ended; None for other workers."""
    ejections: int = 0
    """How often a remote server got no more pages because it failed."""


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counts are since the engine was created."""

    running: int = 0
    """Pages that are being recognized."""
    waiting: int = 0
    """Pages that were handed over and are not started."""
    restarts: Mapping[str, int] = field(default_factory=dict)
    """Processes that were replaced, by reason: crash or stall."""
    retries: int = 0
    """Pages that were sent again after a process or a member was lost."""
    load: Mapping[str, float] = field(default_factory=dict)
    """What the engine's process reports of itself; of the native engine: `running`, `waiting`,
    `cache_used` (0-1), since the process started `preemptions`, `out_of_memory`, the tokens
    `drafted` and `accepted`, and `steps` with their `step_tokens`; of a GPU `gpu_bytes` of
    `gpu_total_bytes`."""
    workers: tuple[WorkerState, ...] = ()
    """Of an engine with several."""
    outcomes: Mapping[str, int] | None = None
    """Requests to remote servers by how they ended; None for other engines."""
    ejections: int = 0
    breaker_open: bool = False
    """Whether restarts pause because processes only crash."""


def stats_of(supervisor: Supervisor | None) -> EngineStats:
    """Of an engine that runs in a supervised process; all zero before it is started."""
    if supervisor is None:
        return EngineStats()
    load = {name: float(value) for name, value in supervisor.load.items()}
    if not supervisor.num_running:  # an idle process sends no heartbeat that would reset these
        load.update((name, 0.0) for name in _GAUGES if name in load)
    return EngineStats(
        running=supervisor.num_running,
        waiting=supervisor.num_waiting,
        restarts=dict(supervisor.restarts),
        retries=supervisor.num_retries,
        load=load,
        breaker_open=supervisor.breaker_open,
    )


def merge_stats(parts: Iterable[EngineStats], *, retries: int = 0) -> EngineStats:
    """Sums over several engines, and `retries` more; `cache_used` is the mean."""
    parts = list(parts)
    restarts: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    loads: dict[str, list[float]] = {}
    for part in parts:
        restarts.update(part.restarts)
        outcomes.update(part.outcomes or {})
        for name, value in part.load.items():
            loads.setdefault(name, []).append(value)
    return EngineStats(
        running=sum(part.running for part in parts),
        waiting=sum(part.waiting for part in parts),
        restarts=dict(restarts),
        retries=retries + sum(part.retries for part in parts),
        load={
            name: fmean(values) if name == "cache_used" else sum(values)
            for name, values in loads.items()
        },
        outcomes=dict(outcomes) if any(part.outcomes is not None for part in parts) else None,
        ejections=sum(part.ejections for part in parts),
        breaker_open=any(part.breaker_open for part in parts),
    )
