"""Capturing CUDA graphs. All graphs of a pool share the memory of their intermediate values.

Sharing needs one memory pool and one stream, because torch's allocator reuses memory only among
captures on the same stream. Graphs of one pool must be replayed one after another; graphs of two
pools may run concurrently. A result is valid until the next replay of any graph of its pool; copy
it before that, on the same stream.
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
    """The stream and the memory pool that a group of graphs is captured with."""

    device: torch.device
    stream: torch.cuda.Stream
    handle: Any


@contextmanager
def skip_on_oom() -> Iterator[None]:
    """Skips a capture for which the device has too little memory, or a kernel too few resources."""
    try:
        yield
    except OutOfResources:
        pass
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise


@cache
def graph_pool(device: torch.device, name: str = "") -> GraphPool:
    """The device's pool of that name, created at its first use."""
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return GraphPool(device, stream, torch.cuda.graph_pool_handle())


def capture(
    work: Callable[[], T], pool: GraphPool, *, needed_bytes: int
) -> tuple[torch.cuda.CUDAGraph, T]:
    """Runs the work once, then captures it; every replay writes to the returned result. Raises
    `torch.OutOfMemoryError` before the capture if less than `needed_bytes` is free."""
    device = pool.device
    pool.stream.wait_stream(torch.cuda.current_stream(device))
    try:
        with torch.cuda.stream(pool.stream):
            work()  # compiles kernels, fills tables, selects algorithms
    finally:  # after an error the caller may free memory that the stream still reads
        torch.cuda.current_stream(device).wait_stream(pool.stream)
    torch.cuda.empty_cache()  # a capture cannot use memory that the allocator holds in reserve
    free, _ = torch.cuda.mem_get_info(device)
    if free < needed_bytes:
        raise torch.OutOfMemoryError(f"a graph may need {needed_bytes} bytes, {free} are free")
    graph = torch.cuda.CUDAGraph()
    # thread_local: other threads pin memory meanwhile
    mode = "thread_local"
    with torch.cuda.graph(graph, pool.handle, pool.stream, capture_error_mode=mode):
        result = work()
    return graph, result
