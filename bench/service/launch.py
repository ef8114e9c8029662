"""`dsocr` with the engine of `bench.service.engine` as its native one.

    DSOCR_BENCH_TOKENS=800 DSOCR_BENCH_WORKER=bench.model.endless:main \\
        python -m bench.service.launch serve --port 8000

All else is the command itself with its default settings.
"""

from __future__ import annotations

import os
import time

from bench.service.engine import WORKER, trace
from dsocr import cli
from dsocr.engines import registry
from dsocr.engines.deepseek import native
from dsocr.pages.source import DocumentFile
from dsocr.types import PageImage

ENGINE = "bench.service.engine:FixedLengthEngine"


def main() -> None:
    """Runs the command line of `dsocr`."""
    registry.ENGINES["native"] = ENGINE
    native.WORKER = os.environ[WORKER]  # `dsocr serve` starts its process early
    _trace_rendering()
    cli.main()


def _trace_rendering() -> None:
    render_page = DocumentFile.render_page

    async def timed(file: DocumentFile, index: int, *, dpi: float | None = None) -> PageImage:
        began = time.monotonic()
        page = await render_page(file, index, dpi=dpi)
        trace.rendered(page, file.name, began)
        return page

    DocumentFile.render_page = timed  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    main()
