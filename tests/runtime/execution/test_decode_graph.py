"""Which graph a step replays, and when one is captured; `test_graph_runner` tests the results."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dsocr.runtime.execution import decode_graph
from dsocr.runtime.execution.decode_graph import CapturedStep, DecodeGraph, DecodeState
from dsocr.runtime.kernels.triton_compat import OutOfResources


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the graphs that were made, in their order; none of them needs a GPU."""
    sizes: list[int] = []

    def capture(self: DecodeGraph, bucket: int) -> Any:
        sizes.append(bucket)
        graph = SimpleNamespace(replay=lambda: None)
        return CapturedStep(graph, torch.zeros(bucket), bucket)  # type: ignore[arg-type]

    monkeypatch.setattr(DecodeGraph, "_capture", capture)
    monkeypatch.setattr(decode_graph, "MISSES_BEFORE_CAPTURE", 2)
    return sizes


@pytest.fixture
def graph(made: list[int]) -> DecodeGraph:
    state = DecodeState(
        num_slots=32,
        max_positions=8,
        max_blocks=1,
        exempt=[],
        end=0,
        device=torch.device("cpu"),
    )
    graph = DecodeGraph(SimpleNamespace(), state, max_rows=32, buckets=(1, 4, 16))
    graph._captures = True
    return graph


def replayed(graph: DecodeGraph, num_rows: int) -> Any:
    graph.ensure_graph(num_rows)
    return graph.decode(range(num_rows))


def test_a_larger_graph_is_used_until_its_own_is_often_requested(
    graph: DecodeGraph, made: list[int]
) -> None:
    graph.capture(32)
    assert [replayed(graph, 3) for _ in range(4)] == [32, 32, 4, 4]
    assert replayed(graph, 2) == 4
    assert replayed(graph, 5) == 32
    assert made == [32, 4]


def test_a_graph_gets_the_slots_of_its_step_whatever_it_had_before(graph: DecodeGraph) -> None:
    graph.capture(4)
    for slots in ([5, 2], [5, 2], [2, 5], [5, 2, 7], [5, 2]):
        graph.decode(slots)
        assert graph._graphs[4].rows.tolist() == [*slots, *[-1] * (4 - len(slots))]


def test_a_graph_larger_than_all_others_is_captured_at_once(
    graph: DecodeGraph, made: list[int]
) -> None:
    assert replayed(graph, 3) == 4
    assert replayed(graph, 20) == 32
    assert replayed(graph, 1) == 4
    assert made == [4, 32]


def test_the_larger_graph_stays_in_use_where_memory_is_short(
    graph: DecodeGraph, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.capture(32)

    def fail(self: DecodeGraph, bucket: int) -> Any:
        made.append(bucket)
        raise torch.OutOfMemoryError

    monkeypatch.setattr(DecodeGraph, "_capture", fail)
    assert [replayed(graph, 3) for _ in range(7)] == [32] * 7
    assert made == [32, 4]


def test_idle_work_captures_all_graphs_the_largest_first(
    graph: DecodeGraph, made: list[int]
) -> None:
    graph.capture(4)
    while graph.capture_one():
        pass
    assert made == [4, 32, 16, 1]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"),
        OutOfResources(115_200, 101_376, "shared memory"),
    ],
)
def test_a_graph_that_does_not_fit_keeps_no_smaller_one_from_capture(
    graph: DecodeGraph, made: list[int], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    graph.capture(4)
    capture = DecodeGraph._capture

    def fail(self: DecodeGraph, bucket: int) -> Any:
        if bucket > 16:
            raise error
        return capture(self, bucket)

    monkeypatch.setattr(DecodeGraph, "_capture", fail)
    captures = 0
    while graph.capture_one():
        captures += 1
    assert (made, captures) == ([4, 16, 1], 3)


def test_other_errors_of_a_capture_are_raised(
    graph: DecodeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: DecodeGraph, bucket: int) -> Any:
        raise RuntimeError("an illegal memory access was encountered")

    monkeypatch.setattr(DecodeGraph, "_capture", fail)
    with pytest.raises(RuntimeError, match="illegal"):
        graph.capture_one()
