"""The runtime in this process, without the boundary; writes the checkpoint that all others load.

    python -m bench.service.in_process FOLDER {full,tiny} TOKENS PAGES

`full` is the released size with random weights, drawn on the GPU; `tiny` the checkpoint of the
tests. The last line printed is JSON.
"""

from __future__ import annotations

import gc
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

from PIL import Image

from bench.model.endless import endless_tokenizer, ignore_repetition
from bench.model.full_size import random_model, write_checkpoint
from bench.pages.synthetic import page_picture
from dsocr.engines.deepseek.prompts import DEFAULT_PROMPT, with_image
from dsocr.runtime.assembly import make_runtime
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import choose_device, choose_dtype
from dsocr.runtime.events import Done, Failed
from dsocr.runtime.loop import Runtime
from dsocr.runtime.models.family import OcrModel
from dsocr.runtime.scheduling.inputs import Request
from dsocr.runtime.scheduling.sequence import SamplingParams
from dsocr.runtime.weights.loader import load_model
from dsocr.types import NoRepeat
from tests.runtime.goldens import genuine_tokenizer
from tests.runtime.recipe import write_tiny_checkpoint


def measure_in_process(folder: Path, weights: str, tokens: int, pages: int) -> dict[str, Any]:
    """Pages and seconds with as many in flight as the runtime runs at once, after one wave of them
    and what the runtime makes ready afterwards."""
    ignore_repetition()
    config = RuntimeConfig()
    began = time.perf_counter()
    model = _full_size(folder, config) if weights == "full" else _tiny(folder, config)
    written = time.perf_counter()
    runtime, plan = make_runtime(model, endless_tokenizer(folder), config)
    in_flight = plan.max_num_seqs
    gc.freeze()  # as the worker does
    pictures = [page_picture(number) for number in range(min(pages, 256))]
    numbers = itertools.count(1)
    read_pages(runtime, pictures, numbers, in_flight, min(in_flight, pages), tokens)
    while runtime.run_idle_work():
        pass
    count = 2 * in_flight
    seconds = read_pages(runtime, pictures, numbers, in_flight, count, tokens)
    line = {"pages": count, "seconds": seconds, "in_flight": in_flight}
    return line | {"checkpoint_seconds": round(written - began, 1)}


def read_pages(
    runtime: Runtime,
    pictures: list[Image.Image],
    numbers: itertools.count[int],
    in_flight: int,
    pages: int,
    tokens: int,
) -> float:
    """Seconds for that many pages, so many at a time, each of the same number of tokens."""
    params = SamplingParams(max_tokens=tokens, no_repeat=NoRepeat(30, 90))
    prompt = with_image(DEFAULT_PROMPT)
    submitted = done = 0
    began = time.perf_counter()
    while done < pages:
        while submitted < pages and submitted - done < in_flight:
            picture = pictures[submitted % len(pictures)]
            runtime.submit(Request(next(numbers), picture, prompt, "gundam", params))
            submitted += 1
        for event in runtime.step():
            assert not isinstance(event, Failed), event
            done += isinstance(event, Done)
    return time.perf_counter() - began


def _full_size(folder: Path, config: RuntimeConfig) -> OcrModel:
    """Random weights, drawn on the device and written to the folder unless they are there."""
    device = choose_device("cuda")
    model = random_model(device, choose_dtype("auto", device), config)
    if not (folder / "model.safetensors").exists():
        write_checkpoint(model, folder)
    return model


def _tiny(folder: Path, config: RuntimeConfig) -> OcrModel:
    write_tiny_checkpoint(folder)
    (folder / "tokenizer.json").write_bytes(genuine_tokenizer())
    device = choose_device("auto")
    return load_model(
        folder,
        device=device,
        dtype=choose_dtype("auto", device),
        attention=config.attn_impl,
        kernels=config.kernels,
        expert_dtype=config.expert_dtype,
    )


if __name__ == "__main__":
    name, size, *counts = sys.argv[1:]
    print(json.dumps(measure_in_process(Path(name), size, *map(int, counts))), flush=True)
