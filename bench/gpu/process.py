"""Measures start and throughput of the engine in a process of its own, as in a service.

What `Runtime` alone does in the rows beside these is here done with everything around it: pixels go
over a socket, text comes back piece by piece and is parsed.
"""

from __future__ import annotations

import asyncio
import compileall
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.gpu.harness import Bench
from dsocr.batch.benchmark import BenchmarkRow, measure
from dsocr.engines.deepseek.native import NativeEngine
from dsocr.runtime.config import RuntimeConfig
from dsocr.types import Mode, NoRepeat, OcrOptions, PageImage

ROOT = Path(__file__).resolve().parents[2]
MODES: tuple[Mode, ...] = ("gundam", "base")
ALONE_TOKENS = 1000
QUIET_SECONDS = 10
"""For the idle process to capture its remaining graphs."""


def start_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Process start to first token, the weights in the page cache: with the kernel caches of this
    process, and with none. Frees the device; the first line only fills the caches."""
    if not bench.is_whole:
        return
    compileall.compile_dir(ROOT / "src", quiet=1)  # as an installation leaves it
    folder = bench.checkpoint()
    bench.free_device()
    for caches in ("filled", "warm", "warm", "warm", "cold"):
        environment = dict(os.environ)
        if caches == "cold":
            environment["TRITON_CACHE_DIR"] = f"{folder}/triton"
        command = [sys.executable, "-m", "bench.first_token", str(folder)]
        began = time.time()
        out = subprocess.run(command, env=environment, capture_output=True, text=True)
        if out.returncode != 0:
            raise RuntimeError(out.stderr[-2000:])
        at = json.loads(out.stdout.splitlines()[-1])
        seconds = {name: round(when - began, 2) for name, when in at.items()}
        yield {"kernel caches": caches, **seconds}


def engine_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Through `NativeEngine`: a page alone, the median of five; as many pages in flight as slots,
    twice as many in total; and as many in flight as `max_concurrency`, so that the next pages are
    prepared when one ends. Frees the device."""
    if not bench.is_whole:
        return
    folder = bench.checkpoint()
    bench.free_device()
    config = RuntimeConfig(
        model_path=folder,
        device="cuda",
        max_num_seqs=bench.config.max_num_seqs,
        cache_dtype=bench.config.cache_dtype,
    )
    pages = [PageImage(place, one, *one.size) for place, one in enumerate(bench.pictures)]
    lines = asyncio.run(_through_engine(config, pages, bench))
    yield from lines


async def _through_engine(
    config: RuntimeConfig, pages: list[PageImage], bench: Bench
) -> list[dict[str, Any]]:
    engine, made = NativeEngine(config, worker="bench.model.endless:main"), itertools.cycle(pages)
    await engine.start()
    try:
        for mode in MODES:
            await measure(engine, _options(mode, 4), made, in_flight=2, pages=2)
        await asyncio.sleep(QUIET_SECONDS)
        lines = []
        for mode, in_flight, count, tokens in (
            *((mode, 1, 5, ALONE_TOKENS) for mode in MODES),
            *(
                (mode, in_flight, 2 * bench.plan.max_num_seqs, bench.num_tokens)
                for in_flight in (bench.plan.max_num_seqs, engine.info.max_concurrency)
                for mode in MODES
            ),
        ):
            options = _options(mode, tokens)
            reading = await measure(engine, options, made, in_flight=in_flight, pages=count)
            assert reading.tokens == count * tokens
            lines.append({"mode": mode, **_line(reading)})
        return lines
    finally:
        await engine.close()


def _options(mode: Mode, tokens: int) -> OcrOptions:
    return OcrOptions(
        "custom",
        mode,
        "<image>\nFree OCR.",
        max_tokens=tokens,
        no_repeat_ngram=NoRepeat(30, 90),
    )


def _line(reading: BenchmarkRow) -> dict[str, Any]:
    first = reading.first_text
    return {
        "in flight": reading.in_flight,
        "pages": reading.pages,
        "seconds": round(reading.seconds, 2),
        "pages/s": round(reading.pages / reading.seconds, 2),
        "tokens/s": round(reading.tokens / reading.seconds),
        "first text s": None if first is None else round(first, 2),
        "a page s": round(reading.page_seconds, 2),
    }
