"""Where the time goes while every sequence slot is in use: on the GPU and on the host.

Gundam pages fill every slot, and as many more wait as are prepared in advance. The first ones have
lengths of all sizes, so that later pages begin and end at an even rate; measuring starts once they
are done. It is done twice: by the clock alone, for the host and the rate; then with the profiler
on, for the GPU.
"""

from __future__ import annotations

import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import torch

from bench.gpu.harness import Bench
from bench.model.profiling import DECODE_PARTS, Stretch, phase, spent, stretches, trace_of
from dsocr.runtime.events import Done, Event, Failed
from dsocr.runtime.execution.graph_runner import GraphRunner
from dsocr.runtime.loop import MAX_PREPARED
from dsocr.runtime.scheduling.scheduler import ScheduledStep

STEPS = 300
PRODUCTS = ("gemm", "gemv", "cutlass", "nvjet", "splitk", "matmul")
"""In the names of the library's kernels for matrix products."""


class FullBatch:
    """Keeps the runtime full, and counts what its steps do."""

    def __init__(self, bench: Bench) -> None:
        self._bench, self._runtime = bench, bench.runtime
        self._open: set[int] = set()
        self.done: Counter[str] = Counter()
        """Steps, tokens, started pages, prefilled prompts; decoded rows and their cached tokens."""

    def fill(self) -> None:
        """Submits pages until all slots are in use. Shuffled lengths, so that pages end evenly."""
        count = self._bench.plan.max_num_seqs + MAX_PREPARED
        lengths = [1 + place * self._bench.num_tokens // count for place in range(count)]
        random.Random(0).shuffle(lengths)
        for length in lengths:
            self._submit(length)
        while self._runtime.load.running <= self._bench.plan.max_num_seqs:
            self.step()

    def step(self) -> list[Event]:
        events = self._runtime.step()
        for event in events:
            if isinstance(event, Failed):
                raise RuntimeError(event.message)
            if isinstance(event, Done):
                self._open.remove(event.request_id)
                self._submit(self._bench.num_tokens)
        return events

    def run(self, steps: int) -> float:
        """Seconds of that many steps of the device."""
        torch.cuda.synchronize()
        self.done.clear()
        began = time.perf_counter()
        while self.done["steps"] < steps:
            self.step()
        torch.cuda.synchronize()
        return time.perf_counter() - began

    def empty(self) -> None:
        for number in self._open:
            self._runtime.cancel(number)
        while self._runtime.has_work:
            self._runtime.step()

    def count(self, step: ScheduledStep) -> None:
        self.done["steps"] += 1
        self.done["tokens"] += sum(chunk.samples for chunk in step.chunks)
        self.done["seen"] += sum(chunk.start + 1 for chunk in step.chunks[: step.num_decodes])
        self.done["rows"] += step.num_decodes
        self.done["begun"] += len(step.to_encode)
        self.done["prompts"] += sum(chunk.samples for chunk in step.chunks[step.num_decodes :])

    def _submit(self, num_tokens: int) -> None:
        request = self._bench.request("gundam", num_tokens)
        self._open.add(request.request_id)
        self._runtime.submit(request)


def where_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """The share of each part and its milliseconds a page (per output tokens of a page); for the
    host its milliseconds a step."""
    splitting = bench.runtime._runner
    runner = splitting._runner
    if not isinstance(runner, GraphRunner):
        print("where: only for the runner with kernels", flush=True)
        return
    full_batch = FullBatch(bench)
    try:
        with around(splitting, "launch", lambda step: _counted(full_batch, step)):
            full_batch.fill()
            full_batch.run(
                bench.num_tokens
            )  # the first pages were short; from here on all have their full length
            yield from _host(bench, full_batch)
            yield from _device(bench, full_batch, runner)
    finally:
        full_batch.empty()


def _host(bench: Bench, full_batch: FullBatch) -> Iterator[dict[str, Any]]:
    runtime, clock = bench.runtime, Clock()
    with ExitStack() as stack:
        for owner, name, part in (
            (runtime.scheduler, "start_encoding", "plan"),
            (runtime.scheduler, "schedule", "plan"),
            (runtime._runner, "launch", "launch"),
            (runtime._runner, "collect", "wait"),
        ):
            stack.enter_context(around(owner, name, lambda *_, part=part: clock.running(part)))
        seconds = full_batch.run(STEPS)
    steps, tokens = full_batch.done["steps"], full_batch.done["tokens"]
    parts = dict(clock.seconds)
    parts["text, queues and the bench"] = seconds - sum(parts.values())
    for name, taken in parts.items():
        yield {
            "what": f"host: {name}",
            "share %": _percent(taken, seconds),
            "ms a step": round(1e3 * taken / steps, 3),
        }
    yield {
        "what": "by the clock",
        "share %": 100.0,
        "ms a step": round(1e3 * seconds / steps, 3),
        "ms a page": round(1e3 * seconds * bench.num_tokens / tokens, 2),
        "pages/s": round(tokens / bench.num_tokens / seconds, 2),
        **_counts(full_batch),
    }


def _device(bench: Bench, full_batch: FullBatch, runner: GraphRunner) -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        for name, part in (("launch", "decode"), ("_encode", "encode"), ("_take_in", "prompts")):
            stack.enter_context(around(runner, name, lambda *_, part=part: phase(part)))
        trace = trace_of(lambda: full_batch.run(STEPS))
    parts, idle = spent(stretches(trace), part_of)
    total, pages = sum(parts.values()) + idle, full_batch.done["tokens"] / bench.num_tokens
    for name, taken in [*sorted(parts.items(), key=lambda one: -one[1]), ("idle", idle)]:
        yield {
            "what": name,
            "share %": _percent(taken, total),
            "ms a step": round(taken / 1e3 / full_batch.done["steps"], 3),
            "ms a page": round(taken / 1e3 / pages, 2),
        }
    yield {
        "what": "with the profiler on",
        "share %": 100.0,
        "ms a step": round(total / 1e3 / full_batch.done["steps"], 3),
        "ms a page": round(total / 1e3 / pages, 2),
        "pages/s": round(pages * 1e6 / total, 2),
        **_counts(full_batch),
    }


def part_of(stretch: Stretch) -> str:
    """The part that a stretch belongs to: copies, a phase, or one part of a decode step."""
    if stretch.copies:
        return "copies"
    if stretch.phase != "decode":
        return stretch.phase or "other"
    for part, names in DECODE_PARTS.items():
        if stretch.name in names:
            return f"decode: {part}"
    if any(word in stretch.name.lower() for word in PRODUCTS):
        return "decode: head and other products"
    return "decode: small kernels"


class Clock:
    """Seconds of the host by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def running(self, part: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[part] += time.perf_counter() - began


@contextmanager
def around(
    owner: object, name: str, context: Callable[..., AbstractContextManager[Any]]
) -> Iterator[None]:
    """Inside it, calls of the method `name` of `owner` run inside `context(*arguments)`."""
    before, method = vars(owner).get(name), getattr(owner, name)

    def within(*args: Any) -> Any:
        with context(*args):
            return method(*args)

    setattr(owner, name, within)
    try:
        yield
    finally:
        if before is None:
            delattr(owner, name)
        else:
            setattr(owner, name, before)


@contextmanager
def _counted(full_batch: FullBatch, step: ScheduledStep) -> Iterator[None]:
    full_batch.count(step)
    yield


def _counts(full_batch: FullBatch) -> dict[str, int]:
    counts = {name: full_batch.done[name] for name in ("tokens", "begun", "prompts")}
    return {
        **counts,
        "mean context": round(full_batch.done["seen"] / max(1, full_batch.done["rows"])),
    }


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1)
