"""Processes that a test starts: whether they live, and a port that is theirs."""

from __future__ import annotations

import socket
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether it runs. A process that has ended and is not reaped yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # reaped, also while the file is read
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def reserved_port() -> socket.socket:
    """A port of this machine that nobody else is given while the socket is open.

    It is bound and does not listen. The kernel passes over such a port when it chooses one, for
    a server or for a connection, and a server that sets SO_REUSEADDR may listen on it: now, and
    again after it was killed.
    """
    reservation = socket.socket()
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reservation.bind(("127.0.0.1", 0))
    return reservation
