"""How pages per second grow with the devices of one host: one of them, then all together.

    python -m bench.devices [--devices all] [--tokens 800] [--modes gundam,base]

Full size, random weights, synthetic pages, through the engine pool and one process for each device,
as a service has it. As many pages are in flight as the engine asks for; three times as many are
read. `times one` is the ratio to the first device alone. `--model` measures an existing checkpoint.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.model.full_size import make_pictures, random_model, table, write_checkpoint
from dsocr.batch.benchmark import BenchmarkRow, measure
from dsocr.engines.deepseek.devices import create_engine, devices_of
from dsocr.host import EngineHost, HostConfig
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import choose_device, choose_dtype
from dsocr.types import Mode, NoRepeat, OcrOptions, PageImage

WORKER = "bench.model.endless:main"
ROUNDS = 3
QUIET_SECONDS = 10
"""In which the processes capture the graphs that they have not yet."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--devices", default="all", help="as DEEPSEEK_OCR_DEVICE; default all")
    parser.add_argument("--tokens", type=int, default=800, help="every page's (default 800)")
    parser.add_argument("--modes", default="gundam,base", help="default gundam,base")
    parser.add_argument("--model", type=Path, help="a checkpoint; default: random weights")
    parser.add_argument("--max-num-seqs", type=int, help="pages that a device runs at once")
    arguments = parser.parse_args()
    devices = devices_of(arguments.devices)
    settings = list(dict.fromkeys((devices[0], ",".join(devices))))
    modes: list[Mode] = arguments.modes.split(",")
    with TemporaryDirectory() as folder:
        model = arguments.model or _written_in_a_process(Path(folder))
        pages = [PageImage(n, one, *one.size) for n, one in enumerate(make_pictures())]
        lines = []
        for setting in settings:
            config = RuntimeConfig(
                model_path=model, device=setting, max_num_seqs=arguments.max_num_seqs
            )
            lines += asyncio.run(measure_devices(config, pages, modes, arguments.tokens))
    print(table(compared(lines)))
    if len(settings) == 1:
        print("There is one device: nothing to compare.")


def _written_in_a_process(folder: Path) -> Path:
    """Random weights, drawn on a GPU that no process uses afterwards."""
    writer = multiprocessing.get_context("spawn").Process(target=_write_weights, args=(folder,))
    writer.start()
    writer.join()
    if writer.exitcode:
        raise RuntimeError("the weights could not be written; see above")
    return folder


def _write_weights(folder: Path) -> None:
    device = choose_device("auto")
    write_checkpoint(random_model(device, choose_dtype("auto", device), RuntimeConfig()), folder)


def _processes_by_gpu() -> str:
    """Compute processes on each GPU, one for each worker if they use no other's memory."""
    if (command := shutil.which("nvidia-smi")) is None:
        return "unknown: no nvidia-smi"
    query = [command, "--query-compute-apps=gpu_uuid,used_memory", "--format=csv,noheader"]
    listed = subprocess.run(query, capture_output=True, text=True, timeout=60).stdout
    return "; ".join(sorted(listed.splitlines())) or "none listed"


async def measure_devices(
    config: RuntimeConfig, pages: Sequence[PageImage], modes: Sequence[Mode], tokens: int
) -> list[dict[str, Any]]:
    """A line for each mode, on the devices of `config`."""
    began = time.perf_counter()
    async with _started(config) as host:
        first = time.perf_counter() - began
        workers = await host.wait_for_workers()
        start = {"first ready s": round(first, 1), "all ready s": _seconds_since(began)}
        failed = [worker for worker in workers if worker.state != "ready"]
        assert not failed, failed
        print(f"{config.device}: processes by GPU: {_processes_by_gpu()}", flush=True)
        images, in_flight = itertools.cycle(pages), host.engine.info.max_concurrency
        for mode in modes:
            warm_up = 2 * len(workers)
            await measure(host.engine, _options(mode, 4), images, in_flight=warm_up, pages=warm_up)
        await asyncio.sleep(QUIET_SECONDS)
        lines = []
        for mode in modes:
            row = await measure(
                *(host.engine, _options(mode, tokens), images),
                in_flight=in_flight,
                pages=ROUNDS * in_flight,
            )
            assert row.tokens == row.pages * tokens
            lines.append({"mode": mode, "workers": len(workers), **_figures(row), **start})
        return lines


def _figures(row: BenchmarkRow) -> dict[str, Any]:
    return {
        "in flight": row.in_flight,
        "pages": row.pages,
        "seconds": round(row.seconds, 2),
        "pages/s": round(row.pages / row.seconds, 2),
        "tokens/s": round(row.tokens / row.seconds),
    }


@asynccontextmanager
async def _started(config: RuntimeConfig) -> AsyncIterator[EngineHost]:
    host = EngineHost(
        HostConfig(engine="native", engine_configs={"native": config}),
        lambda name, config: create_engine(config, worker=WORKER),
    )
    try:
        await host.start_once()
        yield host
    finally:
        await host.close()


def compared(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines with the ratio of their pages/s to that of the mode's first line."""
    first: dict[str, float] = {}
    for line in lines:
        first.setdefault(line["mode"], line["pages/s"])
    return [
        {**line, "times one": round(line["pages/s"] / first[line["mode"]], 2)} for line in lines
    ]


def _options(mode: Mode, tokens: int) -> OcrOptions:
    rule = NoRepeat(30, 90)
    return OcrOptions("custom", mode, "<image>\nFree OCR.", tokens, no_repeat_ngram=rule)


def _seconds_since(began: float) -> float:
    return round(time.perf_counter() - began, 1)


if __name__ == "__main__":
    main()
