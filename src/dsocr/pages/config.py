"""Settings of file decoding. Importing this loads no decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt

from dsocr.process.capacity import Auto, Limit, by_cores, by_memory, configured, tightest
from dsocr.process.machine import Machine

MIN_DECODERS = 2
MEMORY_SHARE = 2
"""The memory limits of all decoding processes together are at most 1/2 of the memory."""


@dataclass(frozen=True, slots=True)
class PagesConfig:
    """Limits of the decoding processes."""

    max_pixels: Annotated[int, Gt(0)] = 60_000_000
    """Most pixels of one page. A larger PDF page or JPEG is read smaller; other images are
    refused."""
    workers: Annotated[
        Annotated[int, Gt(0)] | None,
        Auto("half of the cores, as `memory_mb` of each fits into half of the memory; at least 2"),
    ] = None
    """Decoding processes: so many pages are decoded at once."""
    page_timeout_seconds: Annotated[float, Gt(0)] = 20.0
    """Opening a file or rendering one page may take this long."""
    cpu_seconds: Annotated[float, Gt(0)] = 20.0
    """Most CPU time of one opening or one page."""
    memory_mb: Annotated[int, Ge(256)] = 1536
    """Address space of one decoding process in MiB (Linux)."""

    def decoders(self, machine: Machine) -> Limit:
        """How many decoding processes may run."""
        if self.workers is not None:
            return configured(self.workers)
        return tightest(
            MIN_DECODERS,
            by_cores(machine, machine.cores // 2),
            by_memory(machine, MEMORY_SHARE, self.memory_mb << 20),
        )
