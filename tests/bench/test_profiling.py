"""Reading traces: by hand-made ones of a profiler's form, and one that the profiler makes here."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.model.profiling import Kernel, Stretch, by_part, phase, spent, stretches, trace_of


def event(cat: str, name: str, start: float, length: float, number: int | None = None) -> Any:
    args = {} if number is None else {"correlation": number}
    return {"ph": "X", "cat": cat, "name": name, "ts": start, "dur": length, "args": args}


def work(name: str, start: float, length: float, number: int, cat: str = "kernel") -> Any:
    return event(cat, name, start, length, number)


def launch(start: float, number: int, cat: str = "cuda_runtime") -> Any:
    return event(cat, "a launch", start, 1, number)


def mark(name: str, start: float, length: float) -> Any:
    return event("user_annotation", f"phase: {name}", start, length)


def phases(*events: Any) -> list[tuple[str, str | None]]:
    return [(one.name, one.phase) for one in stretches({"traceEvents": list(events)})]


def test_work_belongs_to_the_innermost_phase_it_was_launched_in_however_late_it_runs() -> None:
    assert phases(
        mark("step", 0, 100),
        mark("encode", 10, 20),
        mark("prompts", 30, 20),
        launch(5, 1),
        launch(15, 2),
        launch(30, 3, "cuda_driver"),
        launch(60, 4),
        launch(100, 5),
        work("copy", 1000, 1, 1, "gpu_memcpy"),
        work("gemm", 1001, 1, 2),
        work("gemm", 1002, 1, 3),
        work("gemm", 1003, 1, 4),
        work("zero", 1004, 1, 5, "gpu_memset"),
    ) == [
        ("copy", "step"),
        ("gemm", "encode"),
        ("gemm", "prompts"),
        ("gemm", "step"),
        ("zero", None),
    ]


def test_all_kernels_of_a_graph_are_of_the_phase_that_launched_it() -> None:
    kernels = [work(name, 50 + at, 1, 7) for at, name in enumerate("abc")]
    assert phases(mark("step", 0, 9), launch(3, 7), *kernels) == [(one, "step") for one in "abc"]


def test_work_without_a_launch_is_its_neighbours_where_these_agree() -> None:
    found = phases(
        *(mark("encode", 0, 10), mark("step", 10, 10), launch(1, 1), launch(2, 2), launch(12, 3)),
        work("lost before", 49, 1, 99),
        work("a", 50, 1, 1),
        work("lost between", 51, 1, 99),
        work("lost again", 52, 1, 98),
        work("b", 53, 1, 2),
        work("lost at a border", 54, 1, 99),
        work("c", 55, 1, 3),
    )
    assert [one for one in found if "lost" in one[0]] == [
        ("lost before", None),
        ("lost between", "encode"),
        ("lost again", "encode"),
        ("lost at a border", None),
    ]


def test_what_is_no_work_and_no_mark_is_not_looked_at() -> None:
    noise = [
        {"ph": "M", "name": "process_name", "args": {"name": "python"}},
        {"ph": "s", "cat": "ac2g", "id": 1, "name": "ac2g", "ts": 3, "pid": 0, "tid": 7},
        event("cpu_op", "aten::mm", 1, 5),
        event("user_annotation", "ProfilerStep#1", 0, 50),
        event("gpu_user_annotation", "phase: step", 50, 10),
        {"ph": "X", "cat": "overhead", "name": "Buffer Flush", "ts": 1, "dur": 5},
    ]
    assert phases(*noise, launch(2, 1), work("gemm", 20, 3, 1)) == [("gemm", None)]


def stretch(name: str, start: float, end: float) -> Stretch:
    return Stretch(name, start, end, False, None)


def test_parts_and_idle_time_add_up_to_all_of_it() -> None:
    parts, idle = spent(
        [
            stretch("b", 15, 20),
            stretch("a", 10, 14),
            stretch("inside", 16, 18),
            stretch("c", 19, 26),
            stretch("b", 30, 31),
        ],
        lambda one: one.name,
    )
    assert parts == {"a": 4, "b": 6, "inside": 0, "c": 6} and idle == 1 + 4
    assert sum(parts.values()) + idle == 31 - 10


def test_no_work_takes_no_time() -> None:
    assert spent([], lambda one: one.name) == ({}, 0)


def test_kernels_are_summed_by_their_names() -> None:
    kernels = [Kernel("_up", 2.0, 1), Kernel("_down", 1.0, 1), Kernel("gemm", 0.5, 2)]
    assert by_part(kernels, {"experts": ("_up", "_down"), "choice": ("_look",)}, rest="others") == {
        "experts": 3.0,
        "choice": 0.0,
        "others": 0.5,
    }


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_phases_are_found_in_a_trace_of_the_profiler_itself() -> None:
    def compute() -> None:
        x = torch.ones(8, 8)
        with phase("step"):
            x @ x
            with phase("encode"):
                torch.relu(x)
        torch.sigmoid(x)

    trace = trace_of(compute)
    asked = {one["name"]: one["ts"] for one in trace["traceEvents"] if one.get("cat") == "cpu_op"}
    for number, name in enumerate(("aten::mm", "aten::relu", "aten::sigmoid")):
        trace["traceEvents"] += [
            launch(asked[name], number),
            work(name, asked["aten::sigmoid"] + 1000 + number, 1, number),
        ]

    assert [one.phase for one in stretches(trace)] == ["step", "encode", None]
