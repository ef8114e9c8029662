"""Shared by the GPU benchmarks: the full-size model, pages to read, and the count of a run."""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image

from bench.model.endless import endless_tokenizer, ignore_repetition
from bench.model.full_size import (
    make_pictures,
    random_model,
    write_checkpoint,
    write_small_files,
)
from dsocr.runtime.assembly import make_runtime
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import choose_device, choose_dtype
from dsocr.runtime.events import Done, Failed, Text
from dsocr.runtime.execution.memory_plan import MemoryPlan
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.text.tokenizer import Tokenizer
from dsocr.types import NoRepeat

READ = ("gundam", "base")
"""The modes that pages are read in."""


@dataclass
class Bench:
    """The objects that a row measures with, and the lines it reports."""

    model: DeepseekOcr
    tokenizer: Tokenizer
    config: RuntimeConfig
    runtime: Runtime
    plan: MemoryPlan
    num_tokens: int
    ends_at: float
    in_flight: list[int]
    card_bytes: int
    pictures: list[Image.Image]
    lines: list[dict[str, Any]] = field(default_factory=list)
    _next_id: int = 0
    _folder: TemporaryDirectory[str] | None = None

    def request(self, mode: str, num_tokens: int) -> Request:
        self._next_id += 1
        params = SamplingParams(max_tokens=num_tokens, no_repeat=NoRepeat(30, 90))
        picture = self.pictures[self._next_id % len(self.pictures)]
        return Request(self._next_id, picture, "<image>\nFree OCR.", mode, params)

    @property
    def seconds_left(self) -> float:
        return self.ends_at - time.monotonic()

    @property
    def is_whole(self) -> bool:
        """Whether the weights can be written as a checkpoint."""
        return self.config.expert_dtype != "int8"

    def checkpoint(self) -> Path:
        """The model as a folder, written once."""
        if self._folder is None:
            self._folder = TemporaryDirectory()
            write_checkpoint(self.model, Path(self._folder.name))
        return Path(self._folder.name)

    def free_device(self) -> None:
        """Drops the model and the runtime, and frees their memory on the device."""
        vars(self).pop("model", None)
        vars(self).pop("runtime", None)
        gc.collect()
        torch.cuda.empty_cache()


@dataclass
class SteadyState:
    """The part of a run in which every sequence slot decodes: from the first time that all slots
    have a page with output until the first output of the last page. Each slot advances from some
    position in one page to the same position in a later one, so as many pages begin as end; their
    number follows from this part's share of all text."""

    texts: int = 0
    full: tuple[float, int] | None = None
    """Its time, and the number of text events until then."""
    last: tuple[float, int] | None = None

    def count_text(self, *, first: bool, full: bool) -> None:
        """Counts one text event. `first`: its page's first; `full`: all slots have pages now."""
        self.texts += 1
        if first:
            self.last = (time.perf_counter(), self.texts)
        if self.full is None and full:
            self.full = self.last

    def rate(self, pages: int) -> float | None:
        """Pages a second, of `pages` in all; None if no page began while all slots were full."""
        if self.full is None or self.last is None or self.last == self.full:
            return None
        seconds, texts = (at - since for at, since in zip(self.last, self.full, strict=True))
        return round(pages * texts / self.texts / seconds, 3)


def read_pages(
    bench: Bench, mode: str, *, pages: int, in_flight: int, tokens: int
) -> dict[str, Any]:
    """Reads `pages` pages, `in_flight` at a time. `saturated pages/s` leaves out ramp and
    drain, see `SteadyState`; all else is of the whole run."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    runtime, failed, done, steady = bench.runtime, 0, 0, SteadyState()
    first: dict[int, float] = {}
    began, submitted = {}, 0
    start = time.perf_counter()
    while done + failed < pages:
        while submitted < pages and submitted - done - failed < in_flight:
            request = bench.request(mode, tokens)
            runtime.submit(request)
            began[request.request_id] = time.perf_counter()
            submitted += 1
        for event in runtime.step():
            if isinstance(event, Text):
                begins = event.request_id not in first
                first.setdefault(event.request_id, time.perf_counter())
                steady.count_text(first=begins, full=len(first) - done >= in_flight)
            elif isinstance(event, Done):
                assert len(event.output_ids) == tokens, event.finish_reason
                done += 1
            elif isinstance(event, Failed):
                print(event.message, flush=True)
                failed += 1
    seconds = time.perf_counter() - start
    waits = [first[number] - began[number] for number in first]
    load = runtime.load
    return {
        "mode": mode,
        "in flight": in_flight,
        "pages": pages,
        "failed": failed,
        "seconds": round(seconds, 2),
        "pages/s": round(done / seconds, 3),
        "saturated pages/s": steady.rate(done),
        "tokens/s": round(done * tokens / seconds),
        "first text s": round(statistics.median(waits), 2) if waits else None,
        "peak GiB": round(torch.cuda.max_memory_allocated() / 2**30, 1),
        "preempted": load.preemptions,
        "out of memory": load.out_of_memory,
    }


def start(arguments: argparse.Namespace) -> Bench:
    """Makes the model and the runtime, reads short pages of each mode so that every kernel is
    loaded, and captures the graphs that an idle runtime captures."""
    device, dtype = choose_device_and_dtype()
    ignore_repetition()
    config = RuntimeConfig(
        max_num_seqs=arguments.max_num_seqs,
        expert_dtype=arguments.experts,
        cache_dtype=arguments.cache,
    )
    pictures = make_pictures()
    began = time.perf_counter()
    model = random_model(device, dtype, config)
    torch.cuda.synchronize()
    loaded = time.perf_counter()
    with TemporaryDirectory() as folder:
        write_small_files(Path(folder))
        tokenizer = endless_tokenizer(Path(folder))
    runtime, plan = make_runtime(model, tokenizer, config)
    torch.cuda.synchronize()
    ready = time.perf_counter()
    bench = Bench(
        *(model, tokenizer, config, runtime, plan, arguments.tokens),
        ends_at=time.monotonic() + arguments.seconds,
        in_flight=[int(count) for count in arguments.in_flight.split(",")],
        card_bytes=int(arguments.card_gib * 2**30),
        pictures=pictures,
    )
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {os.cpu_count()} cores; "
        f"weights {loaded - began:.1f} s, runtime {ready - loaded:.1f} s; {plan}; "
        f"{torch.cuda.memory_allocated() / 2**30:.1f} GiB taken",
        flush=True,
    )
    gc.freeze()  # as the worker does
    for mode in READ:
        read_pages(bench, mode, pages=2, in_flight=2, tokens=4)
    began = time.perf_counter()
    while runtime.run_idle_work():
        pass
    print(f"made ready in {time.perf_counter() - began:.1f} s", flush=True)
    return bench


def choose_device_and_dtype() -> tuple[torch.device, torch.dtype]:
    device = choose_device("auto")
    return device, choose_dtype("auto", device)
