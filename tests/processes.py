"""Processes started by a test: their state, their memory, their port."""

from __future__ import annotations

import socket
from pathlib import Path

FEW_ARENAS = ("MALLOC_ARENA_MAX", "2")
"""An environment variable. By default glibc makes up to eight arenas a core for the threads of a
process, and each keeps freed memory: a limit makes measured memory independent of the cores."""


def is_alive(pid: int) -> bool:
    """False also for a process that has ended and is not reaped yet."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # reaped, also while the file is read
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def reserved_port() -> socket.socket:
    """A socket that keeps its port free for one server, also while that server restarts.

    It is bound and does not listen. The kernel never chooses such a port for another server or
    for a connection, and a server that sets SO_REUSEADDR can still listen on it.
    """
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    return reservation


def private_mib(pid: int) -> float:
    """Memory of a process that it shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def peak_mib(pid: int) -> float:
    """Most memory of a process since this was asked last."""
    status = Path(f"/proc/{pid}/status").read_text()
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024
