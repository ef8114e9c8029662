"""Settings of the embedded engine. Plain data: importing this loads no model.

Their environment variables start with `DEEPSEEK_OCR_EMBEDDED__`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PpocrConfig:
    """How much of the machine the embedded engine may use."""

    threads: int = 0
    """CPU threads of the one worker process; 0: all cores this process may use."""
    bfloat16: bool = False
    """Recognize lines in bfloat16 where the processor has it: about 40 % less processor time, and
    texts that may differ between processors in rare letters."""
    page_timeout_seconds: float = 120.0
    """A page that takes longer fails."""
    stall_seconds: float = 60.0
    """A worker process without any progress for this long is replaced. Slow is not stalled."""
