"""The rows of `bench.gpu`: each yields lines of its table."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from bench.gpu.harness import READ, Bench, read_pages
from bench.model.full_size import (
    MODES,
    median_seconds,
    prompts,
)
from dsocr.runtime.assembly import make_runtime
from dsocr.runtime.cache.batch import Batch, Chunk, make_batch
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE
from dsocr.runtime.events import Done, Failed, Text
from dsocr.runtime.execution.graph_runner import GraphRunner
from dsocr.runtime.loop import Runtime

DECODE_AFTER, DECODE_STEPS = 350, 200


def limits_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Peak rates of the card for memory copies and matrix products, each in one long run."""
    source, copy = torch.empty(2, 2 << 30, dtype=torch.uint8, device="cuda")
    seconds = median_seconds(lambda: copy.copy_(source))
    yield {"what": "copy, TB/s read and written", "best": round(2 * len(copy) / seconds / 1e12, 2)}
    x = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    seconds = median_seconds(lambda: x @ x)
    yield {"what": "bfloat16 product, TFLOP/s", "best": round(2 * 8192**3 / seconds / 1e12)}


def encode_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """From the views of a page in pinned memory to its features, alone and eight together."""
    runner: Any = bench.runtime._runner._runner
    vision = runner.vision
    for mode in MODES:
        page = bench.model.prepare(bench.pictures[0], mode, max_tiles=6).pinned()
        vision.encode([page])
        while vision.run_idle_work():
            pass
        alone = median_seconds(partial(vision.encode, [page]))
        eight = median_seconds(partial(vision.encode, [page] * 8)) / 8
        milliseconds = {"alone ms": round(alone * 1e3, 2), "of eight ms": round(eight * 1e3, 2)}
        yield {"mode": mode, **milliseconds}


def prefill_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Prompts of gundam pages, from token ids on the host to hidden states, into the runtime's own
    cache while no page is in it. `bench.model.prefill` measures its parts."""
    runner: Any = bench.runtime._runner._runner
    kernels = isinstance(runner, GraphRunner)
    forward = runner._prefill if kernels else partial(bench.model.forward, cache=runner.cache)
    for count in (1, 2, 4, 8):
        chunks = prompts(bench.model, count, num_blocks=runner.cache.num_blocks)
        take_in = partial(_take_in, chunks, forward, bench.model.device)
        seconds = median_seconds(take_in)
        rate = round(sum(len(chunk.token_ids) for chunk in chunks) / seconds)
        yield {"prompts": count, "ms": round(seconds * 1e3, 2), "tokens/s": rate}


@torch.inference_mode()
def _take_in(
    chunks: list[Chunk], forward: Callable[[Batch], torch.Tensor], device: torch.device
) -> None:
    forward(make_batch(chunks, block_size=BLOCK_SIZE, device=device))


def decode_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Steps in which so many pages write a token each, with 1,263 tokens of context and more.
    `different` is how many of the tokens of a step are, on average: those that are the same go to
    the same experts, whose weights are then read once."""
    for size in (256, 128, 64, 32, 8, 1):
        if size > bench.plan.max_num_seqs or bench.seconds_left < 0:
            continue
        requests = [bench.request("gundam", 4000) for _ in range(size)]
        for request in requests:
            bench.runtime.submit(request)
        wrote: dict[int, int] = {}
        while len(wrote) < size:
            wrote.update(
                (one.request_id, 1) for one in bench.runtime.step() if isinstance(one, Text)
            )
        seconds = seconds_of_steps(bench.runtime, DECODE_STEPS, after=DECODE_AFTER)
        written = [one.output_ids[-DECODE_STEPS:] for one in bench.runtime.scheduler._active]
        different = statistics.mean(len(set(tokens)) for tokens in zip(*written, strict=False))
        for request in requests:
            bench.runtime.cancel(request.request_id)
        while bench.runtime.has_work:
            bench.runtime.step()
        rate = round(DECODE_STEPS * size / seconds)
        yield {
            "pages": size,
            "ms a step": round(seconds / DECODE_STEPS * 1e3, 3),
            "tokens/s": rate,
            "different": round(different, 1),
        }


def pages_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Pages of two modes, so many in flight, twice as many in all: ramp and drain are in it."""
    for in_flight in bench.in_flight:
        for mode in READ:
            if bench.seconds_left > 0 and in_flight <= bench.plan.max_num_seqs:
                pages = max(3, 2 * in_flight)
                yield read_pages(
                    bench, mode, pages=pages, in_flight=in_flight, tokens=bench.num_tokens
                )


def lone_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """One page on an idle device, from the image to its last token; the median of five, with
    idle time after each, as in a service."""
    for mode in READ:
        lines = []
        for _ in range(5):
            lines.append(read_pages(bench, mode, pages=1, in_flight=1, tokens=1000))
            while bench.runtime.run_idle_work():
                pass
        yield sorted(lines, key=lambda line: float(line["seconds"]))[len(lines) // 2]


def many_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """1,000 pages with few output tokens, submitted at once."""
    yield read_pages(bench, "gundam", pages=1000, in_flight=1000, tokens=min(64, bench.num_tokens))


def small_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Simulates the memory of a card of 8 GiB by allocating the rest. The driver's memory for this
    process (context, loaded kernels) is part of the 8 GiB; on a small card it may be less."""
    plan = bench.plan
    del bench.runtime
    gc.collect()
    torch._C._cuda_clearCublasWorkspaces()  # of graph pools that a small card does not have
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    beside = total - free - torch.cuda.memory_reserved()
    ballast = torch.empty(total - bench.card_bytes, dtype=torch.uint8, device="cuda")
    bench.runtime, bench.plan = make_runtime(bench.model, bench.tokenizer, bench.config)
    line = read_pages(bench, "gundam", pages=32, in_flight=32, tokens=100)
    peak = torch.cuda.max_memory_allocated() - len(ballast)
    yield {
        **line,
        "cache tokens": bench.plan.cache_tokens,
        "peak GiB": round(peak / 2**30, 2),
        "beside torch GiB": round(beside / 2**30, 2),
    }
    del ballast
    bench.plan = plan


def seconds_of_steps(runtime: Runtime, count: int, *, after: int) -> float:
    """Seconds of consecutive steps after some others; no page may end meanwhile."""
    began = 0.0
    for step in range(after + count):
        if step == after:
            began = time.perf_counter()
        events = runtime.step()
        assert not any(isinstance(one, Done | Failed) for one in events)
    torch.cuda.synchronize()
    return time.perf_counter() - began
