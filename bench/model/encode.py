"""Measures the vision towers on this GPU: full size, random weights, one mode after another.

Checks the kernels against plain float32 first. A page's time runs from its views in pinned memory
to its features on the device.

    python -m bench.model.encode [--profile] [--report FILE]
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.model.full_size import MODES, make_pictures, median_seconds, parsed, random_model, table
from bench.model.profiling import kernels_of
from dsocr.runtime.cache.batch import PageViews
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.runtime.models.deepseek_ocr_spec import VIEWS
from dsocr.runtime.scheduling.preprocess import prepare

FLOOR_MS = {"small": 0.6, "base": 1.7, "gundam": 5.2}
"""Milliseconds of the operations at 670 TFLOP/s, the rate of an H200."""
BOUND = 0.03
"""Most relative error of bfloat16 features against plain float32."""


def error(ours: torch.Tensor, exact: torch.Tensor) -> float:
    return ((ours.float() - exact).norm() / exact.norm()).item()


def check(model: DeepseekOcr, pages: dict[str, PageViews]) -> list[dict[str, Any]]:
    """Relative errors of the kernels and of plain bfloat16, each against plain float32."""
    plain = copy.deepcopy(model)
    exact, exact_fast = copy.deepcopy(model).float(), copy.deepcopy(model).float()
    model.use_kernels()
    vision, plain_vision, exact_vision = map(VisionRunner, (model, plain, exact))
    lines = []
    for mode in ("small", "base", "gundam"):
        wanted = exact_vision.encode([pages[mode]])[0]
        fast, slow = vision.encode([pages[mode]])[0], plain_vision.encode([pages[mode]])[0]
        many = vision.encode([pages[mode]] * 3)[2]
        line = {
            "mode": mode,
            "fast": round(error(fast, wanted), 5),
            "plain bf16": round(error(slow, wanted), 5),
            "third of three": round(error(many, wanted), 5),
        }
        assert error(fast, wanted) < BOUND and error(many, wanted) < BOUND, line
        lines.append(line)
    exact_fast.use_kernels()
    wanted = exact_vision.encode([pages["small"]])[0]
    off = error(VisionRunner(exact_fast).encode([pages["small"]])[0], wanted)
    return [*lines, {"mode": "small", "fast float32": off}]


def measure(vision: VisionRunner, pages: dict[str, PageViews]) -> list[dict[str, Any]]:
    lines = []
    for mode, page in pages.items():
        began = time.perf_counter()
        vision.encode([page])
        torch.cuda.synchronize()
        first = (time.perf_counter() - began) * 1000
        while vision.run_idle_work():
            pass
        alone = median_seconds(partial(vision.encode, [page])) * 1e3
        line: dict[str, Any] = {"mode": mode, "alone ms": round(alone, 2), "first ms": round(first)}
        for count in (4, 8, 16):
            together = median_seconds(partial(vision.encode, [page] * count), 5) * 1e3
            line[f"of {count} ms"] = round(together / count, 2)
        line["floor ms"] = FLOOR_MS.get(mode)
        lines.append(line)
        print(line, flush=True)
    return lines


def prepare_rates() -> list[dict[str, Any]]:
    pictures = make_pictures()
    lines = []
    for mode in MODES:
        line: dict[str, Any] = {"mode": mode}
        for threads in (1, 8, 16):
            with ThreadPoolExecutor(threads) as pool:
                work = pictures * (1 if threads == 1 else 8)
                began = time.perf_counter()
                list(pool.map(lambda one, mode=mode: prepare(one, VIEWS.modes[mode], VIEWS), work))
                seconds = time.perf_counter() - began
            line[f"pages/s, {threads} threads"] = round(len(work) / seconds, 1)
        lines.append(line)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--profile", action="store_true", help="list a gundam page's kernels")
    parser.add_argument("--report", type=Path, help="a JSON file for the figures")
    arguments = parsed(parser)
    device = torch.device("cuda")
    picture = make_pictures()[0]
    pages = {mode: prepare(picture, one, VIEWS, max_tiles=6) for mode, one in VIEWS.modes.items()}
    pages = {mode: page.pinned() for mode, page in pages.items()}
    model = random_model(device, torch.bfloat16, RuntimeConfig(attn_impl="sdpa", kernels=False))
    model.decoder = torch.nn.Identity()  # type: ignore[assignment]  # unused here; saves copies
    checked = check(model, pages)
    print(table(checked), flush=True)
    vision = VisionRunner(model)
    lines = measure(vision, pages)
    if arguments.profile:
        for kernel in kernels_of(lambda: vision.encode([pages["gundam"]]), times=5)[:32]:
            print(kernel)
    rates = prepare_rates()
    if arguments.report:
        arguments.report.write_text(json.dumps([checked, lines, rates], indent=1))
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    print(table(lines))
    print(table(rates))


if __name__ == "__main__":
    main()
