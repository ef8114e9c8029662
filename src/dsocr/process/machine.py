"""CPU cores and memory that this process may use, container limits included."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_MEMORY_LIMIT_FILES = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


def num_cores() -> int:
    """Cores this process may use; a container often has fewer than the machine."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
