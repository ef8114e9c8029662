"""CUDA graphs of the vision towers: passes of few views are limited by the host, not the device.

One graph per (side, number of views) that was requested, captured when the runtime is idle or after
repeated requests. A large pass is limited by the device while it runs, but launching its thousand
kernels one by one keeps the host from launching the step after it: where memory is plentiful it has
a graph too, and `recurring_count` cuts passes so that few sizes recur. Knows nothing of pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.execution.cuda_graph import GraphPool, capture, graph_pool, skip_on_oom

MAX_PIXELS = 4 * 1024 * 1024
"""Larger passes have no graph where memory is short."""

LARGE_COUNTS = (64, 48, 40, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
"""Numbers of views of the passes above `MAX_PIXELS`, where these have graphs."""

PASSES_BEFORE_CAPTURE = 16
"""Passes of one size that run without a graph before it is captured, unless the runtime is idle
before: all pages wait for a capture."""


def recurring_count(count: int, side: int) -> int:
    """How many of `count` views to run in one pass, so that passes of few sizes run again and
    again: all of them up to `MAX_PIXELS`, else the next of `LARGE_COUNTS`."""
    if count * side * side <= MAX_PIXELS:
        return count
    return next(size for size in LARGE_COUNTS if size <= count)


Encode = Callable[[Tensor], Tensor]
"""uint8 views (B, S, S, 3) to features (B, tokens, hidden)."""
Size = tuple[int, int]
"""Side, number of views."""


@dataclass(frozen=True, slots=True)
class _Captured:
    pool: GraphPool
    graph: torch.cuda.CUDAGraph
    views: Tensor
    features: Tensor


class EncodeGraphs:
    """Runs `encode` on views, by replay where that is faster. For one thread."""

    def __init__(
        self,
        encode: Encode,
        device: torch.device,
        *,
        separate_pools: bool,
        large_side: int,
        bytes_per_pixel: int,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        """`separate_pools`: views from `large_side` on and smaller ones have a pool each, so that
        they can run concurrently; neither fills a large GPU by itself. Takes twice the memory.
        `bytes_per_pixel` is what a pass needs at most. Passes above `max_pixels` have no graph."""
        self.max_pixels = max_pixels
        self._encode, self._device = encode, device
        self._separate_pools, self._large_side = separate_pools, large_side
        self._bytes_per_pixel = bytes_per_pixel
        self._graphs: dict[Size, _Captured | None] = {}
        self._requested: Counter[Size] = Counter()

    def __call__(self, passes: Iterable[Sequence[Tensor]]) -> list[Tensor]:
        """Features of passes of views (S, S, 3), on any device; the views of a pass have one side.
        The results are copies, owned by the caller."""
        current = torch.cuda.current_stream(self._device)
        streams: set[torch.cuda.Stream] = set()
        features: list[Tensor] = []
        try:
            for views in passes:
                captured = self._captured((len(views[0]), len(views)))
                if captured is None:
                    features.append(self._run(views))
                    continue
                features.append(torch.empty_like(captured.features))
                streams.add(captured.pool.stream)
                captured.pool.stream.wait_stream(current)
                with torch.cuda.stream(captured.pool.stream):
                    _gather(views, captured.views)
                    captured.graph.replay()
                    features[-1].copy_(captured.features)  # the next replay overwrites them
        finally:  # also after an error, before the memory is reused
            for stream in streams:
                current.wait_stream(stream)
        return features

    def capture_one(self) -> bool:
        """Captures a graph that was requested. False if none is missing."""
        size = next(iter(self._requested), None)
        if size is not None:
            self._try_capture(size)
        return size is not None

    def _captured(self, size: Size) -> _Captured | None:
        """The graph of that size; None if the pass is too large for one, or it is not captured yet,
        or did not fit into memory."""
        side, count = size
        if count * side * side > self.max_pixels:
            return None
        if size not in self._graphs:
            self._requested[size] += 1
            if self._requested[size] <= PASSES_BEFORE_CAPTURE:
                return None
            self._try_capture(size)
        return self._graphs[size]

    def _run(self, views: Sequence[Tensor]) -> Tensor:
        side, count = len(views[0]), len(views)
        stacked = torch.empty(count, side, side, 3, dtype=torch.uint8, device=self._device)
        _gather(views, stacked)
        return self._encode(stacked)

    def _try_capture(self, size: Size) -> None:
        del self._requested[size]
        self._graphs[size] = None
        with skip_on_oom():
            self._graphs[size] = self._capture(size)

    def _capture(self, size: Size) -> _Captured:
        side, count = size
        views = torch.zeros(count, side, side, 3, dtype=torch.uint8, device=self._device)
        kind = "large views" if side >= self._large_side else "small views"
        pool = graph_pool(self._device, kind if self._separate_pools else "")
        # twice: memory that a graph takes is not available to passes without one
        needed_bytes = 2 * self._bytes_per_pixel * count * side * side
        graph, features = capture(lambda: self._encode(views), pool, needed_bytes=needed_bytes)
        return _Captured(pool, graph, views, features)


def _gather(views: Sequence[Tensor], stacked: Tensor) -> None:
    for row, view in zip(stacked, views, strict=True):
        row.copy_(view, non_blocking=True)
