"""Which worker holds which group of documents: claims by conditional creates, leases by heartbeats.

Clocks of machines are not compared: a worker is lost if its heartbeat has not changed for its lease
by the clock of the worker that looks.
"""

from __future__ import annotations

import json
import os
import platform
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dsocr.batch.workspace.stores.store import Store

EPOCH_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Claim:
    """A group that this worker holds."""

    group: str
    epoch: int
    """From 1; one more than that of the worker that held it before."""
    after_loss: bool
    """Whether a worker was lost while it held the group."""


@dataclass(slots=True)
class Heartbeat:
    """The object that a worker replaces while it runs."""

    store: Store
    lease_seconds: float
    worker: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    _count: int = 0

    def beat(self) -> None:
        self._count += 1
        values = {
            "machine": machine(),
            "host": platform.node(),
            "pid": os.getpid(),
            "start": process_start(os.getpid()),
            "lease": self.lease_seconds,
            "count": self._count,
        }
        self.store.put(f"workers/{self.worker}", json.dumps(values).encode())

    def end(self) -> None:
        self.store.delete([f"workers/{self.worker}"])


class Claims:
    """Claims groups for one worker."""

    def __init__(
        self, store: Store, heartbeat: Heartbeat, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._worker = store, heartbeat.worker
        self._leases = Leases(store, clock)
        self._held: set[str] = set()

    def claim(self, groups: Iterable[str]) -> Claim | None:
        """The first of these groups that is free, or whose worker is lost."""
        latest, losses = self._epochs()
        for group in groups:
            epoch, released = latest.get(group, (0, True))
            if group in self._held or not (released or self._is_lost(group, epoch)):
                continue
            if self._store.create(_key(group, epoch + 1), self._worker.encode()):
                self._held.add(group)
                return Claim(group, epoch + 1, not released or losses.get(group, 0) > 0)
        return None

    def release(self, claim: Claim) -> None:
        """Another worker may take the group at once."""
        self._held.discard(claim.group)
        self._store.create(f"{_key(claim.group, claim.epoch)}.released", b"")

    def _is_lost(self, group: str, epoch: int) -> bool:
        holder = self._store.get(_key(group, epoch))
        return holder is None or self._leases.is_lost(holder.decode())

    def _epochs(self) -> tuple[dict[str, tuple[int, bool]], dict[str, int]]:
        """The latest epoch of each group and whether it is released, and how many epochs before
        were not."""
        latest: dict[str, tuple[int, bool]] = {}
        losses: dict[str, int] = {}
        for key in self._store.keys("claims/"):  # in order: a claim before its release
            group, epoch, *released = key.removeprefix("claims/").split(".")
            before = latest.get(group)
            if not released and before is not None and not before[1]:
                losses[group] = losses.get(group, 0) + 1
            latest[group] = (int(epoch), bool(released))
        return latest, losses


class Leases:
    """Decides which workers are lost."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._seen: dict[str, tuple[bytes, float]] = {}

    def is_lost(self, worker: str) -> bool:
        """Whether the worker has ended, or its heartbeat has not changed for its lease."""
        content = self._store.get(f"workers/{worker}")
        if content is None:
            return True
        values: dict[str, Any] = json.loads(content)
        if values["machine"] == machine() and process_start(values["pid"]) != values["start"]:
            return True
        seen = self._seen.get(worker)
        if seen is None or seen[0] != content:
            self._seen[worker] = (content, self._clock())
            return False
        return self._clock() - seen[1] > float(values["lease"])


def _key(group: str, epoch: int) -> str:
    return f"claims/{group}.{epoch:0{EPOCH_DIGITS}}"


def machine() -> str:
    """What two processes have in common if each can see whether the other runs."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"unknown:{uuid.uuid4()}"


def process_start(pid: int) -> str:
    """When a process of this machine was started, in ticks; empty if it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in ("Z", "X") else fields[19]
