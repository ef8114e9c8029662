"""What the embedded engine can be told. Plain data: importing this loads no model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmbeddedConfig:
    """How much of the machine the embedded engine may take."""

    threads: int = 0
    """CPU threads of the one reading process; 0: all cores this process may use."""
    page_timeout_seconds: float = 120.0
    """A page that takes longer is given up."""
    stall_seconds: float = 60.0
    """A reading process without any progress for this long is replaced. Slow is not stalled."""
