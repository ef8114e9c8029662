"""Limits that follow the machine and the engine where no setting fixes them."""

from __future__ import annotations

from dataclasses import dataclass

from dsocr.process.machine import Machine

UNBOUNDED = 1 << 31


@dataclass(frozen=True, slots=True)
class Auto:
    """Metadata of a setting that is computed where it is unset or `auto`."""

    rule: str
    """For people: what it is computed from."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit in effect."""

    value: int
    reason: str
    """For people: what determines it, such as `16 cores`; `set` for a setting."""

    def __str__(self) -> str:
        return f"{self.value} ({self.reason})"


def configured(value: float) -> Limit:
    return Limit(int(value), "set")


def tightest(least: int, *bounds: Limit) -> Limit:
    """The smallest bound, but at least `least`, with that bound's reason."""
    bound = min(bounds, key=lambda bound: bound.value)
    return Limit(max(least, bound.value), bound.reason)


def by_cores(machine: Machine, value: int) -> Limit:
    return Limit(value, f"{machine.cores} cores")


def by_memory(machine: Machine, share: int, num_bytes: int) -> Limit:
    """As many as fit into 1/`share` of the memory at `num_bytes` each."""
    if machine.memory_bytes is None:
        return Limit(UNBOUNDED, "memory unknown")
    fitting = machine.memory_bytes // share // num_bytes
    return Limit(fitting, f"{machine.memory_bytes / 1e9:.1f} GB memory")


def by_engine(max_concurrency: int | None, factor: int = 1) -> Limit:
    """`factor` times the pages that the engine takes at once; None: it is not ready."""
    if max_concurrency is None:
        return Limit(0, "the engine is not ready")
    return Limit(factor * max_concurrency, f"the engine takes {max_concurrency} pages at once")
