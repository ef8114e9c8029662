"""What the engine `ray` costs the front end a page: `python -m bench.ray_engine`. Needs no GPU.

A cluster of this machine with one replica, whose engine answers at once. The same pages are read by
that engine in this process, and the difference is Ray's.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from statistics import median

from PIL import Image

from dsocr.engines.base import Engine
from dsocr.engines.ray.config import RayConfig, RayEngineConfig
from dsocr.engines.ray.engine import create_engine
from dsocr.types import OcrOptions, PageImage, RawPixels
from tests.engines.ray_replica import create

PAGES = 60
SIZE = (1200, 1600)
OPTIONS = OcrOptions(
    "markdown", "gundam", "<image>\n<|grounding|>Convert the document to markdown."
)
ROOT = Path(__file__).parents[1]
ENVIRONMENT = {
    "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",  # of the replica
    "RAY_raylet_start_wait_time_s": "300",
}


async def milliseconds(engine: Engine, *, at_once: int) -> tuple[float, float]:
    """Median of a page's time, divided by the pages in flight; CPU time of this process a page."""
    white = bytearray(Image.new("RGB", SIZE, "white").tobytes())
    slots, seconds = asyncio.Semaphore(at_once), list[float]()

    async def read(number: int) -> None:
        async with slots:
            page = PageImage(number, RawPixels(*SIZE, white), *SIZE, text_lines=())
            began = time.monotonic()
            await engine.recognize(page, OPTIONS)
            seconds.append(time.monotonic() - began)

    cpu = time.process_time()
    await asyncio.gather(*map(read, range(PAGES)))
    cpu = time.process_time() - cpu
    return 1000 * median(seconds) / at_once, 1000 * cpu / PAGES


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ray = RayConfig(gpus_per_replica=0, cpus_per_replica=0.5, pages_per_replica=16)
        target = "tests.engines.ray_replica:create"
        remote = create_engine(RayEngineConfig(ray, {"native": folder}, target))
        local = create(folder)
        await remote.start()
        await milliseconds(remote, at_once=4)
        print("| pages in flight | with Ray ms | without | added | CPU added |\n|" + " --- |" * 5)
        for at_once in (1, 8):
            with_ray, ray_cpu = await milliseconds(remote, at_once=at_once)
            without, cpu = await milliseconds(local, at_once=at_once)
            added, cpu_added = with_ray - without, ray_cpu - cpu
            numbers = f"{with_ray:.1f} | {without:.1f} | {added:.1f} | {cpu_added:.1f}"
            print(f"| {at_once} | {numbers} |")
        await remote.close()


if __name__ == "__main__":
    os.environ.update(ENVIRONMENT)
    asyncio.run(main())
