"""Host work of a page while every sequence slot is in use, by section: no device is needed.

A stand-in for the device returns tokens after a while; everything around it is real: input
processing, scheduling, the runner's tables, text, events, frames, the engine's side of them.

    python -m bench.host [--pages 768] [--in-flight 256] [--tokens 800] [--alike]

Times are CPU milliseconds a page of the thread that does the work, so that other load on the
machine matters little. `preparing` runs in threads beside the loop and is, but for `resizing`,
mostly done holding the interpreter's lock.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from bench.model.full_size import make_pictures, table, write_small_files
from bench.stand_in import CLOCK, MAX_TILES, make_runtime, time_calls, timed
from dsocr.batch.benchmark import measure
from dsocr.engines.deepseek import native
from dsocr.engines.deepseek.native import NativeEngine
from dsocr.process.child import Channel, Header
from dsocr.process.supervisor import Supervisor
from dsocr.runtime import worker
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.event_sender import EventSender
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.deepseek_ocr_spec import VIEWS
from dsocr.runtime.scheduling import preprocess
from dsocr.runtime.scheduling.inputs import InputProcessor
from dsocr.types import NoRepeat, OcrOptions, PageImage, RawPixels

QUIET_SECONDS = 1.0
"""After the last page, until the worker has written its clock down."""
Lines = list[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", type=int, default=768, help="in all (768)")
    parser.add_argument("--in-flight", type=int, default=256, help="pages at once (256)")
    parser.add_argument("--tokens", type=int, default=800, help="every page's (800)")
    parser.add_argument("--mode", default="gundam")
    parser.add_argument("--step-ms", type=float, default=8, help="a step of the device (8)")
    parser.add_argument("--alike", action="store_true", help="all pages are checked for repetition")
    parser.add_argument("--report", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_small_files(folder)
        (folder / "model.safetensors").touch()
        (folder / "host.json").write_text(
            json.dumps(
                {
                    "alike": arguments.alike,
                    "slots": arguments.in_flight,
                    "seconds": arguments.step_ms / 1e3,
                }
            )
        )
        lines = asyncio.run(_through_engine(folder, arguments))
    if arguments.report:
        arguments.report.write_text(json.dumps(lines, indent=1))
    print(table(lines))


async def _through_engine(folder: Path, arguments: argparse.Namespace) -> Lines:
    engine = NativeEngine(RuntimeConfig(model_path=folder, device="cpu"), worker="bench.host:run")
    pictures = make_pictures(16)
    made = itertools.cycle(PageImage(at, one, *one.size) for at, one in enumerate(pictures))
    options = OcrOptions(
        "custom",
        arguments.mode,
        "<image>\nFree OCR.",
        max_tokens=arguments.tokens,
        no_repeat_ngram=NoRepeat(30, 90),
    )
    with _parent_sections():
        await engine.start()
        try:
            began_here, began = _cpu_seconds(), time.perf_counter()
            await measure(
                engine, options, made, in_flight=arguments.in_flight, pages=arguments.pages
            )
            seconds, here = time.perf_counter() - began, _cpu_seconds() - began_here
            await asyncio.sleep(QUIET_SECONDS)
        finally:
            await engine.close()
    there = json.loads((folder / "clock.json").read_text())
    return _preparing(pictures, arguments.mode) + _lines(there, here, seconds, arguments.pages)


def _preparing(pictures: list[Image.Image], mode: str) -> Lines:
    """From a page's pixels to its views, and the part of it that is resizing."""
    pixels, taken = [bytearray(one.tobytes()) for one in pictures], defaultdict[str, float](float)
    with ExitStack() as stack:
        time_calls(stack, Image.Image, "resize", "resizing", taken)
        for picture, data in zip(pictures, pixels, strict=True):
            with timed("preparing, without resizing", taken):
                image = RawPixels(*picture.size, data).image()
                preprocess.prepare(image, VIEWS.modes[mode], VIEWS, max_tiles=MAX_TILES)
    return [_line("worker: threads", *one, len(pictures)) for one in taken.items()]


def _line(process: str, section: str, seconds: float, pages: int) -> dict[str, Any]:
    milliseconds = round(1e3 * seconds / pages, 2)
    return {"process": process, "section": section, "ms a page": milliseconds}


def _lines(there: dict[str, float], here: float, seconds: float, pages: int) -> Lines:
    loop = there.pop("loop") - there.pop("device")
    aside = {name: there.pop(name) for name in ("making sequences", "receiving")}
    steps, rows = there.pop("steps"), there.pop("rows")
    return [
        *(_line("worker: loop", name, taken, pages) for name, taken in there.items()),
        _line("worker: loop", "all of it", loop, pages),
        *(_line("worker: threads", name, taken, pages) for name, taken in aside.items()),
        *(_line("parent", name, taken, pages) for name, taken in CLOCK.items()),
        _line("parent", "all of it", here, pages),
        {"section": f"{pages} pages in {seconds:.1f} s, {rows / steps:.0f} rows a step"},
    ]


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def _parent_sections() -> Iterator[None]:
    """Times what the engine's process does with frames: in its event loop and in threads."""
    with ExitStack() as stack:
        for owner, name, section in (
            (Supervisor, "_on_message", "events"),
            (native, "_result", "result of a page"),
            (Channel, "receive", "receiving and parsing frames"),
            (Channel, "send", "sending pixels"),
            (Image.Image, "tobytes", "copying pixels"),
        ):
            time_calls(stack, owner, name, section)
        yield


def run(channel: Channel, arguments: Header) -> None:
    """The worker's entry: the worker of `dsocr.runtime` with a stand-in for the model."""
    vars(worker)["_load"] = _load
    with ExitStack() as stack:
        time_calls(stack, Channel, "receive", "receiving")
        worker.main(channel, arguments)


def _load(channel: Channel, arguments: Header, *_: Any) -> tuple[Runtime, EventSender]:
    """In the place of `worker._load`; there are no kernels, and the vocabulary is loaded here."""
    folder = Path(arguments["model_path"])
    runtime = make_runtime(folder, json.loads((folder / "host.json").read_text()))
    sender = EventSender(channel, runtime)
    worker.limit_collections()
    ready = {"device": "none", "dtype": "none", "attention": "none", "seconds": 0.0}
    slots = runtime.scheduler.limits.max_num_seqs
    numbers = {"max_pages": slots + slots // 4, "max_num_seqs": slots, "cache_tokens": 0}
    channel.send({"kind": "ready", **ready, **numbers})
    for owner, name, section in (
        (runtime.scheduler, "start_encoding", "plan"),
        (runtime.scheduler, "schedule", "plan"),
        (runtime.scheduler, "finish_step", "plan"),
        (runtime._runner, "launch", "launch"),
        (runtime._runner, "collect", "results"),
        (runtime, "advance", "tokens"),
        (runtime, "take_text", "text"),
        (sender, "put", "events"),
        (sender, "flush", "events"),
        (worker, "_handle_frames", "frames in"),
        (InputProcessor, "__call__", "making sequences"),
    ):
        time_calls(ExitStack(), owner, name, section)
    began = time.thread_time()

    def write_clock() -> bool:
        """What was spent until now; called while no page is in flight."""
        CLOCK["loop"] = time.thread_time() - began
        (folder / "clock.json").write_text(json.dumps(CLOCK))
        return False

    runtime.run_idle_work = write_clock  # type: ignore[method-assign]
    return runtime, sender


if __name__ == "__main__":
    main()
