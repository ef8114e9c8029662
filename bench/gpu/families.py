"""The row `ocr2`: DeepSeek-OCR-2 beside v1 in one call, encode and whole pages."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from bench.gpu.harness import READ, Bench, read_pages
from bench.model.full_size import median_seconds, random_ocr2
from dsocr.runtime.loop import make_runtime


def ocr2_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """The milliseconds of a page's encoding, alone and of eight, and pages a second with so many in
    flight: first v1's, then DeepSeek-OCR-2's with random weights of the released shape. The bench
    is v1's again afterwards."""
    yield from _lines("DeepSeek-OCR", bench)
    model, device, dtype = bench.model, bench.model.device, bench.model.dtype
    del bench.runtime
    _free()
    other: Any = random_ocr2(device, dtype, bench.config)
    bench.model = other
    bench.runtime, plan = make_runtime(other, bench.tokenizer, bench.config)
    bench.plan, of_v1 = plan, bench.plan
    try:
        for mode in READ:
            read_pages(bench, mode, pages=2, in_flight=2, tokens=4)
        while bench.runtime.run_idle_work():
            pass
        yield from _lines("DeepSeek-OCR-2", bench)
    finally:
        del bench.runtime, other
        bench.model, bench.plan = model, of_v1
        _free()
        bench.runtime, bench.plan = make_runtime(model, bench.tokenizer, bench.config)


def _lines(name: str, bench: Bench) -> Iterator[dict[str, Any]]:
    runner: Any = bench.runtime._runner._runner
    vision = runner.vision
    for mode in READ:
        page = bench.model.prepare(bench.pictures[0], mode, max_tiles=6).pinned()
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
            line |= read_pages(
                bench, mode, pages=2 * in_flight, in_flight=in_flight, tokens=bench.num_tokens
            )
        yield line


def _free() -> None:
    gc.collect()
    torch._C._cuda_clearCublasWorkspaces()
    torch.cuda.empty_cache()
