"""The rows `ocr2` and `unlimited`: another family beside v1 in one call."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from bench.gpu.harness import READ, Bench, read_pages
from bench.gpu.rows import DECODE_STEPS, seconds_of_steps
from bench.model.full_size import median_seconds, random_ocr2, random_unlimited
from dsocr.runtime.assembly import make_runtime
from dsocr.runtime.scheduling.sequence import Sequence as Page

OUTPUTS = (390, 2000)
"""Output tokens of a page when its decoding is measured: contexts of 1,303 and 2,913."""
WARM_TOKENS = 64
TILES = 6
"""Of a gundam page, which v1 cuts these pages into."""


def ocr2_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """The milliseconds of a page's encoding, alone and of eight, and pages a second with so many in
    flight: first v1's, then DeepSeek-OCR-2's with random weights of the released shape. The bench
    is v1's again afterwards."""
    yield from _lines("DeepSeek-OCR", bench)
    with _another(bench, random_ocr2):
        yield from _lines("DeepSeek-OCR-2", bench)


def unlimited_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Tokens a second of a full batch at two lengths of output, and what its pages hold of the KV
    cache: first v1's, then Unlimited-OCR's, which attends to the prompt and 128 tokens of output.
    Both read pages of six tiles. The bench is v1's again afterwards."""
    yield from _decode_lines("DeepSeek-OCR", bench)
    with _another(bench, random_unlimited):
        yield from _decode_lines("Unlimited-OCR", bench)


@contextmanager
def _another(bench: Bench, make_model: Any) -> Iterator[None]:
    """Inside the bench has that model; then its own again."""
    model, of_v1, config = bench.model, bench.plan, bench.config
    del bench.runtime
    _free()
    try:
        bench.config = dataclasses.replace(config, max_tiles=TILES)
        bench.model = make_model(model.device, model.dtype, bench.config)
        bench.runtime, bench.plan = make_runtime(bench.model, bench.tokenizer, bench.config)
        for mode in READ:
            read_pages(bench, mode, pages=2, in_flight=2, tokens=4)
        while bench.runtime.run_idle_work():
            pass
        yield
    finally:
        vars(bench).pop("runtime", None)
        bench.model, bench.plan, bench.config = model, of_v1, config
        _free()
        bench.runtime, bench.plan = make_runtime(model, bench.tokenizer, bench.config)


def _lines(name: str, bench: Bench) -> Iterator[dict[str, Any]]:
    runner: Any = bench.runtime._runner._runner
    vision = runner.vision
    for mode in READ:
        page = bench.model.prepare(bench.pictures[0], mode, max_tiles=TILES).pinned()
        for count in (1, 8):
            vision.encode([page] * count)
            while vision.run_idle_work():
                pass
        alone = median_seconds(partial(vision.encode, [page]))
        eight = median_seconds(partial(vision.encode, [page] * 8)) / 8
        line: dict[str, Any] = {"model": name, "mode": mode}
        line |= {"encode alone ms": round(alone * 1e3, 2), "of eight ms": round(eight * 1e3, 2)}
        line["image tokens"] = bench.model.num_image_tokens(page)
        if bench.seconds_left > 0:
            in_flight = min(max(bench.in_flight), bench.plan.max_num_seqs)
            # what a first wave compiles and captures is not part of either model's speed
            read_pages(bench, mode, pages=in_flight, in_flight=in_flight, tokens=WARM_TOKENS)
            while bench.runtime.run_idle_work():
                pass
            line |= read_pages(
                bench, mode, pages=2 * in_flight, in_flight=in_flight, tokens=bench.num_tokens
            )
        yield line


def _decode_lines(name: str, bench: Bench) -> Iterator[dict[str, Any]]:
    size = min(max(bench.in_flight), bench.plan.max_num_seqs)
    for output in OUTPUTS:
        if bench.seconds_left > 0:
            yield {"model": name, **_decode_line(bench, size, output)}


def _decode_line(bench: Bench, size: int, output: int) -> dict[str, Any]:
    """Steps of `size` pages with `output` tokens each, on average, in the middle of the steps."""
    runtime = bench.runtime
    requests = [bench.request("gundam", 2 * output + 8 * DECODE_STEPS) for _ in range(size)]
    for request in requests:
        runtime.submit(request)
    active = runtime.scheduler._active
    while len(active) < size or _mean_output(active) < output - DECODE_STEPS / 2:
        runtime.step()
    seconds = seconds_of_steps(runtime, DECODE_STEPS, after=0)
    tokens = sum(one.num_tokens for one in active) / len(active)
    held = sum(len(one.block_table) - one.num_freed for one in active) / len(active)
    held *= runtime.scheduler.allocator.block_size
    for request in requests:
        runtime.cancel(request.request_id)
    while runtime.has_work:
        runtime.step()
    return {
        "pages": size,
        "context": round(tokens - DECODE_STEPS / 2),
        "ms a step": round(seconds / DECODE_STEPS * 1e3, 3),
        "tokens/s": round(DECODE_STEPS * size / seconds),
        "cache tokens of a page": round(held),
        "pages in the cache": int(bench.plan.cache_tokens // held),
    }


def _mean_output(pages: Sequence[Page]) -> float:
    return sum(len(page.output_ids) for page in pages) / len(pages)


def _free() -> None:
    gc.collect()
    torch._C._cuda_clearCublasWorkspaces()
    torch.cuda.empty_cache()
