"""CPU time of the service by role, read from /proc (Linux)."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
ROLES = ("front end", "decoding", "engine")


@dataclass(frozen=True, slots=True)
class CpuTimes:
    """Seconds of one process."""

    own: float
    of_ended_children: float


@dataclass(frozen=True, slots=True)
class CpuSample:
    """Seconds by role until now."""

    at: float
    """By the monotonic clock."""
    seconds: dict[str, float]
    machine: float
    """Seconds of all processes of the machine."""

    def cores_since(self, before: CpuSample) -> dict[str, float]:
        """Cores that each role, and `machine` as a whole, kept busy on average."""
        passed = self.at - before.at
        busy = {role: (self.seconds[role] - before.seconds[role]) / passed for role in ROLES}
        return busy | {"machine": (self.machine - before.machine) / passed}


def sample(front_end: int) -> CpuSample:
    """Of the process with this id and its children: those with torch are engines, the others
    decode. Children that have ended were decoding ones, which are replaced now and then."""
    times = cpu_times(front_end)
    seconds = {"front end": times.own, "decoding": times.of_ended_children, "engine": 0.0}
    for pid in children_of(front_end):
        try:
            child = cpu_times(pid)
            role = "engine" if _has_torch(pid) else "decoding"
        except OSError:  # it ended just now
            continue
        seconds[role] += child.own + child.of_ended_children
    machine = machine_seconds(Path("/proc/stat").read_text())
    return CpuSample(time.monotonic(), seconds, machine)


def cpu_times(pid: int) -> CpuTimes:
    return parse_stat(Path(f"/proc/{pid}/stat").read_text())


def parse_stat(text: str) -> CpuTimes:
    """The content of /proc/PID/stat. The command's name, in parentheses, may hold anything."""
    fields = text.rpartition(")")[2].split()
    user, system, children_user, children_system = (int(field) for field in fields[11:15])
    return CpuTimes((user + system) / _TICKS, (children_user + children_system) / _TICKS)


def machine_seconds(text: str) -> float:
    """The content of /proc/stat: busy seconds of all cores, those of the kernel too."""
    user, nice, system, _, _, irq, soft_irq, *_ = map(int, text.split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + soft_irq) / _TICKS


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def _has_torch(pid: int) -> bool:
    with Path(f"/proc/{pid}/maps").open() as maps:
        return any("libtorch" in line for line in maps)
