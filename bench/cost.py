"""CPU seconds and memory of this process and its living children, read from /proc (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


class ChildrenCost:
    """CPU seconds of this process and its present children, from now on."""

    def __init__(self) -> None:
        self._before = {pid: _cpu_seconds(pid) for pid in family(os.getpid())}

    def cpu_seconds(self) -> float:
        """A child that ended in between is missing: read before closing an engine."""
        now = {pid: _cpu_seconds(pid) for pid in family(os.getpid())}
        return sum(seconds - self._before.get(pid, 0.0) for pid, seconds in now.items())

    def peak_megabytes(self) -> float:
        """Peak memory of the largest process so far."""
        return max(_peak_megabytes(pid) for pid in family(os.getpid()))


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found.extend(family(int(child)))
    return found


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
