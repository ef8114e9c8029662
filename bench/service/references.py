"""What the service's rows are a share of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Protocol

from bench.service import report
from bench.service.decoding import (
    Page,
    Speed,
    decoding_speed,
    page_list,
    pdfium_speed,
    spread,
)
from bench.service.rows import Figures

Lines = list[dict[str, str]]
SAMPLED_PAGES = 48
"""Of a workload, before its row and once more after it."""


class Reference(Protocol):
    def measure(self, workload: str, measure: Callable[[], Figures]) -> Lines:
        """Measures a row; its lines, with its share."""


class EngineAlone:
    """The engine in its process, with prepared pages; measured before the service is started."""

    def __init__(self, rates: Mapping[str, float]) -> None:
        """`rates`: pages a second by workload."""
        self._rates = rates

    def measure(self, workload: str, measure: Callable[[], Figures]) -> Lines:
        return [report.row(measure(), self._rates[workload])]


class DecodingAlone:
    """Decoding by as many processes as there are cores, measured just before each row and just
    after it: on a machine with other work their load changes."""

    def __init__(self, pool: Executor, workloads: Mapping[str, Mapping[Path, int]]) -> None:
        self._pool = pool
        self._pages = {
            name: spread(page_list(files), SAMPLED_PAGES) for name, files in workloads.items()
        }

    def measure(self, workload: str, measure: Callable[[], Figures]) -> Lines:
        pages = self._pages[workload]
        pdfium = workload == "born_digital"
        before = decoding_speed(self._pool, pages)
        before_pdfium = self._pdfium(pages) if pdfium else None
        figures = measure()
        speed = before.plus(decoding_speed(self._pool, pages))
        lines = [
            report.row(figures, speed.rate, speed.cpu_seconds / speed.pages),
            report.decoding_row(f"decoding alone: {workload}", speed),
        ]
        if before_pdfium is not None:
            alone = before_pdfium.plus(self._pdfium(pages))
            lines.append(report.decoding_row("pdfium alone: born_digital", alone))
            lines.append(report.pdfium_row(figures, alone))
        return lines

    def _pdfium(self, pages: list[Page]) -> Speed:
        return pdfium_speed(self._pool, pages)
