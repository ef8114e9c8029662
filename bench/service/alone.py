"""The engine alone, in the process that it has in the service: prepared pages in, results out.

    python -m bench.service.alone PLAN

PLAN is a JSON file: `workloads` (name -> file -> pages), `times` (name -> how often its pages are
read), `in_flight` (of the row `boundary`) and `quiet_seconds`. The environment is that of the
service. The last line printed is JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from bench.service.cores import sample
from bench.service.decoding import POOL_SECONDS, decoded, decoding_pool, page_list
from bench.service.engine import TOKENS, FixedLengthEngine
from dsocr.batch.benchmark import measure
from dsocr.config import Settings
from dsocr.options import build_options
from dsocr.types import OcrOptions, PageImage

BOUNDARY, LONE = "boundary", "lone"
"""Rows beside those of the workloads."""
LONE_PAGES = 5


async def run(plan: dict[str, Any], pool: Executor) -> dict[str, Any]:
    """Seconds and pages of each workload, at as many pages at a time as the engine asks for; the
    median seconds of a page alone; and a row with `in_flight` pages at a time."""
    settings = Settings.from_environment()
    options = build_options(settings.option_limits(), max_tokens=int(os.environ[TOKENS]))
    engine = FixedLengthEngine(settings.runtime)
    await engine.start()
    try:
        return await _measure_all(engine, options, plan, pool)
    finally:
        await engine.close()


async def _measure_all(
    engine: FixedLengthEngine, options: OcrOptions, plan: dict[str, Any], pool: Executor
) -> dict[str, Any]:
    appetite = engine.info.max_concurrency
    workloads: dict[str, dict[str, int]] = plan["workloads"]
    rows: dict[str, Any] = {}
    for name, files in workloads.items():
        wanted = page_list({Path(file): count for file, count in files.items()})
        pages = list(pool.map(decoded, wanted, timeout=POOL_SECONDS))
        if not rows:
            await _line(engine, options, pages, appetite, min(appetite, len(pages)))  # a warm-up
            await asyncio.sleep(plan["quiet_seconds"])
            times = [await _line(engine, options, pages, 1, 1) for _ in range(LONE_PAGES)]
            rows[LONE] = sorted(times, key=lambda time: float(time["seconds"]))[LONE_PAGES // 2]
            count = 2 * plan["in_flight"]
            rows[BOUNDARY] = await _line(engine, options, pages, plan["in_flight"], count)
        count = plan["times"].get(name, 1) * len(pages)
        rows[name] = await _line(engine, options, pages, appetite, count)
    return {"rows": rows, "max_pages": appetite}


async def _line(
    engine: FixedLengthEngine,
    options: OcrOptions,
    pages: list[PageImage],
    in_flight: int,
    count: int,
) -> dict[str, Any]:
    before = sample(os.getpid())
    images = itertools.cycle(pages)
    reading = await measure(engine, options, images, in_flight=in_flight, pages=count)
    cores = sample(os.getpid()).cores_since(before)
    return {"pages": count, "seconds": reading.seconds, "cores": cores}


def main(plan: Mapping[str, Any]) -> None:
    with decoding_pool() as pool:
        print(json.dumps(asyncio.run(run(dict(plan), pool))), flush=True)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
