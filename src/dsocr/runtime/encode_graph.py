"""The vision towers as CUDA graphs: few views at a time are held up by the host, not the device.

One graph a (side, number of views), captured when such a pass is wanted again. Passes too large to
gain from it run as they are. Knows nothing of pages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MAX_PIXELS = 4 * 1024 * 1024
"""Above this a pass keeps the device busier than the host, and its graph would only take memory."""

NEEDED_BYTES_A_PIXEL = 96
"""What a pass holds at most, measured with some to spare; a graph keeps it for itself."""

Project = Callable[[Tensor], Tensor]
"""uint8 views (B, S, S, 3) to features (B, m*m, hidden)."""


@dataclass(frozen=True, slots=True)
class _Captured:
    graph: torch.cuda.CUDAGraph
    views: Tensor
    features: Tensor


class EncodeGraphs:
    """Runs `project` on views, by replay where that is quicker. One stream, one thread."""

    def __init__(self, project: Project, device: torch.device) -> None:
        self._project, self._device = project, device
        self._graphs: dict[tuple[int, int], _Captured | None] = {}
        self._wanted: set[tuple[int, int]] = set()
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, views: Sequence[Tensor]) -> Tensor:
        """Views (S, S, 3) of one side, on any device, to features that are the caller's."""
        side, count = len(views[0]), len(views)
        captured = self._captured(side, count)
        if captured is None:
            together = torch.empty(count, side, side, 3, dtype=torch.uint8, device=self._device)
            _gather(views, together)
            return self._project(together)
        _gather(views, captured.views)
        captured.graph.replay()
        return captured.features.clone()  # the next replay writes over them

    def _captured(self, side: int, count: int) -> _Captured | None:
        """None where a pass is better off without a graph, is new, or had no memory for one."""
        if count * side * side > MAX_PIXELS:
            return None
        if (side, count) not in self._wanted:
            self._wanted.add((side, count))  # to make a graph takes longer than to go without
            return None
        if (side, count) not in self._graphs:
            self._graphs[side, count] = None
            with contextlib.suppress(torch.OutOfMemoryError):
                self._graphs[side, count] = self._capture(side, count)
        return self._graphs[side, count]

    def _capture(self, side: int, count: int) -> _Captured:
        views = torch.zeros(count, side, side, 3, dtype=torch.uint8, device=self._device)
        stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            self._project(views)  # kernels are compiled, tables made, plans chosen
        torch.cuda.current_stream(self._device).wait_stream(stream)
        if _free_bytes(self._device) < NEEDED_BYTES_A_PIXEL * count * side * side:
            # asked before: a capture that runs out of memory half way leaves a broken graph
            raise torch.OutOfMemoryError("no room for the graph of a pass")
        graph = torch.cuda.CUDAGraph()
        # other threads pin memory meanwhile, which is no business of the capture
        kind = "thread_local"
        with torch.cuda.graph(graph, self._pool, stream, capture_error_mode=kind):
            features = self._project(views)
        return _Captured(graph, views, features)


def _gather(views: Sequence[Tensor], together: Tensor) -> None:
    for place, view in zip(together, views, strict=True):
        place.copy_(view, non_blocking=True)


def _free_bytes(device: torch.device) -> int:
    """What the device has left, and what the allocator keeps unused."""
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
