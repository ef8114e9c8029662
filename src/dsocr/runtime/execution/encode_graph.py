"""The vision towers as CUDA graphs: few views at a time are held up by the host, not the device.

One graph a (side, number of views) that was wanted, made in a quiet moment or once it was wanted
often. Passes too large to gain from it run as they are. Knows nothing of pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dsocr.runtime.execution.cuda_graph import GraphPool, capture, lane_of, skip_on_oom

MAX_PIXELS = 4 * 1024 * 1024
"""Above this a pass keeps the device busier than the host, and its graph would only take memory."""

LARGE_SIDE = 1024
"""From this side on views are large: a page's global view, base and large. Tiles are smaller."""

BYTES_A_PIXEL = 96
"""What a pass holds at most, measured with some to spare."""

PATIENCE = 16
"""Passes that do without a graph before theirs is made, if no quiet moment comes: all pages wait
for it."""

Project = Callable[[Tensor], Tensor]
"""uint8 views (B, S, S, 3) to features (B, m*m, hidden)."""
Size = tuple[int, int]
"""Side, number of views."""


@dataclass(frozen=True, slots=True)
class _Captured:
    lane: GraphPool
    graph: torch.cuda.CUDAGraph
    views: Tensor
    features: Tensor


class EncodeGraphs:
    """Runs `project` on views, by replay where that is quicker. One caller, one thread."""

    def __init__(self, project: Project, device: torch.device, *, side_by_side: bool) -> None:
        """`side_by_side`: neither a page's global view nor its tiles fill a large card, so they get
        a lane each, which takes twice the memory."""
        self._project, self._device = project, device
        self._side_by_side = side_by_side
        self._graphs: dict[Size, _Captured | None] = {}
        self._wanted: Counter[Size] = Counter()

    def __call__(self, passes: Iterable[Sequence[Tensor]]) -> list[Tensor]:
        """Passes of views (S, S, 3), each of one side, on any device, to features that are the
        caller's."""
        home = torch.cuda.current_stream(self._device)
        lanes: set[torch.cuda.Stream] = set()
        features: list[Tensor] = []
        try:
            for views in passes:
                captured = self._captured((len(views[0]), len(views)))
                if captured is None:
                    features.append(self._run(views))
                    continue
                features.append(torch.empty_like(captured.features))
                lanes.add(captured.lane.stream)
                captured.lane.stream.wait_stream(home)
                with torch.cuda.stream(captured.lane.stream):
                    _gather(views, captured.views)
                    captured.graph.replay()
                    features[-1].copy_(captured.features)  # the next replay writes over them
        finally:  # also before memory is used again for what comes after an error
            for lane in lanes:
                home.wait_stream(lane)
        return features

    def capture_one(self) -> bool:
        """Makes a graph that was wanted. False where all are there."""
        size = next(iter(self._wanted), None)
        if size is not None:
            self._make(size)
        return size is not None

    def _captured(self, size: Size) -> _Captured | None:
        """None where a pass is better off without a graph, has none yet, or no memory for one."""
        side, count = size
        if count * side * side > MAX_PIXELS:
            return None
        if size not in self._graphs:
            self._wanted[size] += 1
            if self._wanted[size] <= PATIENCE:
                return None
            self._make(size)
        return self._graphs[size]

    def _run(self, views: Sequence[Tensor]) -> Tensor:
        side, count = len(views[0]), len(views)
        together = torch.empty(count, side, side, 3, dtype=torch.uint8, device=self._device)
        _gather(views, together)
        return self._project(together)

    def _make(self, size: Size) -> None:
        del self._wanted[size]
        self._graphs[size] = None
        with skip_on_oom():
            self._graphs[size] = self._capture(size)

    def _capture(self, size: Size) -> _Captured:
        side, count = size
        views = torch.zeros(count, side, side, 3, dtype=torch.uint8, device=self._device)
        kind = "large views" if side >= LARGE_SIDE else "small views"
        lane = lane_of(self._device, kind if self._side_by_side else "")
        # twice: what a graph took is lost to the passes that have none
        needed_bytes = 2 * BYTES_A_PIXEL * count * side * side
        graph, features = capture(lambda: self._project(views), lane, needed_bytes=needed_bytes)
        return _Captured(lane, graph, views, features)


def _gather(views: Sequence[Tensor], together: Tensor) -> None:
    for place, view in zip(together, views, strict=True):
        place.copy_(view, non_blocking=True)
