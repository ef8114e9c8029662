"""Settings of file decoding. Importing this loads no decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt


@dataclass(frozen=True, slots=True)
class PagesConfig:
    """Limits of the decoding processes."""

    max_pixels: Annotated[int, Gt(0)] = 60_000_000
    """Most pixels of one page. A larger PDF page or JPEG is read smaller; other images are
    refused."""
    workers: Annotated[int, Gt(0)] = 2
    """Decoding processes: so many documents are decoded at once."""
    page_timeout_seconds: Annotated[float, Gt(0)] = 20.0
    """Opening a file or rendering one page may take this long."""
    cpu_seconds: Annotated[float, Gt(0)] = 20.0
    """Most CPU time of one opening or one page."""
    memory_mb: Annotated[int, Ge(256)] = 1536
    """Address space of one decoding process in MiB (Linux)."""
