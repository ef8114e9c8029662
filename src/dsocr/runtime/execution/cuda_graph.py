"""Work captured as a CUDA graph. All graphs of a lane share the memory they compute in.

That takes one pool and one stream: torch's allocator hands memory on to the captures of the same
stream only. So graphs of a lane are replayed one after another; those of two lanes may run side by
side. A result is valid until any graph of its lane is replayed: copy it before, on the same stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import torch

from dsocr.runtime.devices import is_out_of_memory
from dsocr.runtime.kernels.triton_compat import OutOfResources

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class GraphPool:
    device: torch.device
    stream: torch.cuda.Stream
    pool: Any


@contextmanager
def skip_on_oom() -> Iterator[None]:
    """Does without a graph that there is no memory for, or one of whose kernels asks more of the
    card than it has."""
    try:
        yield
    except OutOfResources:
        pass
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise


@cache
def lane_of(device: torch.device, name: str = "") -> GraphPool:
    """The card's lane of that name; whoever names none shares one."""
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return GraphPool(device, stream, torch.cuda.graph_pool_handle())


def capture(
    work: Callable[[], T], lane: GraphPool, *, needed_bytes: int
) -> tuple[torch.cuda.CUDAGraph, T]:
    """Does the work once and captures it; a replay writes to the same results. Raises
    `torch.OutOfMemoryError` before the capture where the card has less left than it may need."""
    device = lane.device
    lane.stream.wait_stream(torch.cuda.current_stream(device))
    try:
        with torch.cuda.stream(lane.stream):
            work()  # kernels are compiled, tables made, plans chosen
    finally:  # what it reads may be given back after an error
        torch.cuda.current_stream(device).wait_stream(lane.stream)
    torch.cuda.empty_cache()  # what is kept unused cannot be captured into
    free, _ = torch.cuda.mem_get_info(device)
    if free < needed_bytes:
        raise torch.OutOfMemoryError(f"a graph may need {needed_bytes} bytes, {free} are left")
    graph = torch.cuda.CUDAGraph()
    # other threads pin memory meanwhile, which is no business of the capture
    kind = "thread_local"
    with torch.cuda.graph(graph, lane.pool, lane.stream, capture_error_mode=kind):
        result = work()
    return graph, result
