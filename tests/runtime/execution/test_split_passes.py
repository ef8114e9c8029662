"""How views are split into passes of the towers, and which passes get a graph; without a GPU."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dsocr.runtime.execution import encode_graph
from dsocr.runtime.execution.encode_graph import LARGE_COUNTS, MAX_PIXELS, EncodeGraphs
from dsocr.runtime.execution.vision_runner import MAX_FUSED_PIXELS, split_passes

SIDES = (512, 640, 1024, 1280)


@given(
    sides=st.lists(st.sampled_from(SIDES), max_size=90),
    max_pixels=st.sampled_from([1 << 20, MAX_PIXELS, MAX_FUSED_PIXELS]),
    recurring=st.booleans(),
)
def test_every_view_is_in_one_pass_with_others_of_its_side(
    sides: list[int], max_pixels: int, recurring: bool
) -> None:
    passes = split_passes(sides, max_pixels, recurring=recurring)

    assert sorted(index for indices in passes for index in indices) == [*range(len(sides))]
    for indices in passes:
        [side] = {sides[index] for index in indices}
        assert len(indices) == 1 or len(indices) * side**2 <= max_pixels
        assert indices == sorted(indices)
        if recurring and len(indices) * side**2 > MAX_PIXELS:
            assert len(indices) in LARGE_COUNTS


@pytest.mark.parametrize(
    ("side", "count", "sizes"),
    [
        (640, 6, [6]),
        (640, 9, [9]),
        (640, 11, [8, 3]),
        (640, 24, [24]),
        (640, 28, [24, 4]),
        (640, 30, [24, 6]),
        (640, 48, [40, 8]),
        (1024, 4, [4]),
        (1024, 5, [4, 1]),
        (1024, 8, [8]),
        (512, 8, [8]),
        (1280, 3, [3]),
    ],
)
def test_large_passes_have_few_sizes(side: int, count: int, sizes: list[int]) -> None:
    passes = split_passes([side] * count, MAX_FUSED_PIXELS, recurring=True)
    assert [len(indices) for indices in passes] == sizes


def test_passes_are_as_large_as_they_may_be_where_they_have_no_graphs() -> None:
    passes = split_passes([640] * 28, MAX_FUSED_PIXELS, recurring=False)
    assert [len(indices) for indices in passes] == [28]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Sizes of the graphs that were made, none of which needs a GPU."""
    sizes: list[tuple[int, int]] = []
    monkeypatch.setattr(EncodeGraphs, "_capture", lambda self, size: sizes.append(size) or size)
    monkeypatch.setattr(encode_graph, "PASSES_BEFORE_CAPTURE", 2)
    return sizes


def graphs(max_pixels: int) -> EncodeGraphs:
    return EncodeGraphs(
        lambda views: views,
        torch.device("cpu"),
        separate_pools=True,
        large_side=1024,
        bytes_per_pixel=96,
        max_pixels=max_pixels,
    )


def test_a_large_pass_that_recurs_gets_a_graph(made: list[tuple[int, int]]) -> None:
    large = graphs(MAX_FUSED_PIXELS)
    assert [large._captured((640, 24)) is not None for _ in range(4)] == [False, False, True, True]
    assert made == [(640, 24)]


def test_a_quiet_moment_makes_the_graph_of_a_large_pass(made: list[tuple[int, int]]) -> None:
    large = graphs(MAX_FUSED_PIXELS)
    assert large._captured((640, 24)) is None
    assert large.capture_one() and not large.capture_one()
    assert made == [(640, 24)] and large._captured((640, 24)) is not None


def test_a_large_pass_gets_no_graph_where_memory_is_short(made: list[tuple[int, int]]) -> None:
    small = graphs(MAX_PIXELS)
    assert [small._captured((640, 24)) for _ in range(5)] == [None] * 5
    assert not small.capture_one() and made == []
