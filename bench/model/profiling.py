"""Traces of torch's profiler: which kernels ran, in which phase, and when the GPU was idle.

Knows nothing of what is being measured: phases are named by who asks for them.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, record_function

DECODE_PARTS = {
    "attention": ("_attend",),
    "experts": ("_up", "_down", "_norm_route"),
    "choice": ("_reduce_chunks", "_sample", "_flag_repetition", "_gather_embeddings"),
}
"""Parts of a decode step by the names of our kernels."""
_WORK = {"kernel", "gpu_memcpy", "gpu_memset"}
_LAUNCHES = {"cuda_runtime", "cuda_driver"}  # Triton launches by the driver
_MARK = "phase: "


@dataclass(frozen=True, slots=True)
class Kernel:
    """All calls of one kernel: their number and milliseconds in a run."""

    name: str
    milliseconds: float
    count: float

    def __str__(self) -> str:
        each = 1000 * self.milliseconds / self.count
        return f"{self.milliseconds:9.4f} ms {self.count:7.1f} x {each:8.2f} us  {self.name[:100]}"


def kernels_of(work: Callable[[], Any], *, times: int) -> list[Kernel]:
    """Kernels and copies that `work` runs on the GPU, the longest first; averages over `runs`."""
    with torch.profiler.profile(activities=[ProfilerActivity.CUDA]) as seen:
        for _ in range(times):
            work()
        torch.cuda.synchronize()
    kernels = [
        Kernel(event.key, event.self_device_time_total / 1000 / times, event.count / times)
        for event in seen.key_averages()
        if event.device_type == DeviceType.CUDA
    ]
    return sorted(kernels, key=lambda one: -one.milliseconds)


def by_part(
    kernels: Iterable[Kernel], parts: Mapping[str, Sequence[str]], *, rest: str
) -> dict[str, float]:
    """Milliseconds of each part, a part being some kernels' names; of all others as `rest`."""
    spent = dict.fromkeys([*parts, rest], 0.0)
    for kernel in kernels:
        spent[_part(kernel.name, parts) or rest] += kernel.milliseconds
    return spent


def _part(name: str, parts: Mapping[str, Sequence[str]]) -> str | None:
    return next((part for part, names in parts.items() if name in names), None)


@dataclass(frozen=True, slots=True)
class Stretch:
    """The time of one kernel or copy on the GPU, in microseconds by the clock of the trace."""

    name: str
    start: float
    end: float
    copies: bool
    phase: str | None
    """The innermost one in which the host launched it; None where it was in none."""


def phase(name: str) -> record_function:
    """A context: what the host launches in it, graphs too, is that phase's in a trace."""
    return record_function(_MARK + name)


def trace_of(work: Callable[[], Any]) -> dict[str, Any]:
    """A Chrome trace of it. `work` must wait for the GPU itself."""
    with torch.profiler.profile(activities=torch.profiler.supported_activities()) as seen:
        work()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        seen.export_chrome_trace(str(path))
        trace: dict[str, Any] = json.loads(path.read_text(errors="replace"), strict=False)
    return trace


def stretches(trace: Mapping[str, Any]) -> list[Stretch]:
    """All that the GPU did, by its beginning. Kernels and launches are matched by the number that
    both carry, that of the whole graph's launch for a graph's kernels."""
    events = [event for event in trace["traceEvents"] if event.get("ph") == "X"]
    phase_at = _timeline(events)
    launched = {
        event["args"]["correlation"]: float(event["ts"])
        for event in reversed(events)  # of several with one number the first counts
        if event.get("cat") in _LAUNCHES and "correlation" in event.get("args", {})
    }
    done: list[Stretch] = []
    strays: list[int] = []
    works = [event for event in events if event.get("cat") in _WORK]
    for event in sorted(works, key=lambda one: float(one["ts"])):
        start, cat = float(event["ts"]), event["cat"]
        at = launched.get(event.get("args", {}).get("correlation"))
        if at is None:
            strays.append(len(done))
        named = None if at is None else phase_at(at)
        end = start + float(event["dur"])
        done.append(Stretch(event["name"], start, end, cat != "kernel", named))
    return _adopted(done, strays)


def _timeline(events: Iterable[Mapping[str, Any]]) -> Callable[[float], str | None]:
    """Finds the innermost phase at a time on the host. Phases nest, in one thread."""
    ranges = sorted(
        (float(event["ts"]), -float(event["dur"]), str(event["name"]).removeprefix(_MARK))
        for event in events
        if event.get("cat") == "user_annotation" and str(event["name"]).startswith(_MARK)
    )
    moments: list[float] = []
    names: list[str | None] = []
    open_ones: list[tuple[float, str]] = []

    def close(until: float) -> None:
        while open_ones and open_ones[-1][0] <= until:
            moments.append(open_ones.pop()[0])
            names.append(open_ones[-1][1] if open_ones else None)

    for start, minus_length, name in ranges:
        close(start)
        open_ones.append((start - minus_length, name))
        moments.append(start)
        names.append(name)
    close(float("inf"))

    def phase_at(moment: float) -> str | None:
        place = bisect_right(moments, moment)
        return names[place - 1] if place else None

    return phase_at


def _adopted(done: list[Stretch], strays: Sequence[int]) -> list[Stretch]:
    """Work without a recorded launch gets the phase of its neighbours, if both have the same."""
    lost = set(strays)
    before: list[str | None] = []
    after: list[str | None] = []
    for into, places in ((before, range(len(done))), (after, reversed(range(len(done))))):
        last = None
        for place in places:
            last = last if place in lost else done[place].phase
            into.append(last)
    for place in strays:
        if before[place] == after[-1 - place]:
            done[place] = replace(done[place], phase=before[place])
    return done


def spent(
    done: Iterable[Stretch], part_of: Callable[[Stretch], str]
) -> tuple[dict[str, float], float]:
    """Microseconds by part, and those in which the GPU was idle, from the first beginning to the
    last end: together they are all of it. While two things run, the time is the earlier one's."""
    parts: dict[str, float] = defaultdict(float)
    idle, covered = 0.0, None
    for one in sorted(done, key=lambda one: one.start):
        if covered is None:
            covered = one.start
        idle += max(0.0, one.start - covered)
        parts[part_of(one)] += max(0.0, one.end - max(one.start, covered))
        covered = max(covered, one.end)
    return dict(parts), idle
