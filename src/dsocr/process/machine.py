"""CPU cores, memory and open files that this process may use, container limits included."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_MEMORY_LIMIT_FILES = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)
_QUOTA_FILE = "/sys/fs/cgroup/cpu.max"
"""CPU time and period of a container, both in microseconds (cgroup v2)."""
_QUOTA_FILES_V1 = (
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
)
MAX_OPEN_FILES = 65_536
"""More are not asked for: child processes inherit the limit, and some programs walk through it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What this process may use."""

    cores: int
    memory_bytes: int | None
    """None where the system does not report it."""
    open_files: int | None
    """Descriptors of this process; None: no limit, or the system has none."""


def this_machine() -> Machine:
    return Machine(num_cores(), memory_bytes(), open_files())


def num_cores() -> int:
    """Cores this process may use; a container often has fewer than the machine."""
    if sys.platform != "linux":
        return os.cpu_count() or 1
    quota = _cpu_quota()
    cores = len(os.sched_getaffinity(0))
    return cores if quota is None else min(cores, max(1, math.ceil(quota)))


def open_files() -> int | None:
    """The soft limit of open descriptors."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def raise_open_files() -> None:
    """Raises the soft limit of open descriptors as far as allowed, to `MAX_OPEN_FILES` at most.
    Child processes inherit it."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a system may allow fewer than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def memory_bytes() -> int | None:
    """Bytes this process may use: the machine's memory or the container's limit, whichever is
    smaller. None where the system does not report it."""
    try:
        limit = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    for path in map(Path, _MEMORY_LIMIT_FILES):
        if path.is_file() and (text := path.read_text().strip()).isdecimal():
            limit = min(limit, int(text))
    return limit


def _cpu_quota() -> float | None:
    """CPU seconds a second that a container may use; None without a limit."""
    try:
        quota, period = _quota_parts()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_parts() -> tuple[str, str]:
    if Path(_QUOTA_FILE).is_file():
        quota, period = Path(_QUOTA_FILE).read_text().split()
        return quota, period
    quota, period = (Path(name).read_text() for name in _QUOTA_FILES_V1)
    return quota, period


def rss_bytes(pid: int) -> int:
    """Memory that a process holds; 0 where it has ended or the system has no /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
