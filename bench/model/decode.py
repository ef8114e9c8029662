"""Measures a decode step on this GPU: full size, random weights, scattered cache blocks.

Checks the kernels against plain PyTorch in float32 first. Sequences have 914 to 1,714 tokens, as
in a full batch of pages with 914 prompt and 800 output tokens; no-repeat rules are on, 30/90
for the even ones and 35 over the whole sequence for the odd. Steps are launched one after another
as the runtime does, sampling included; the parts are kernel times of these steps in the profiler.

    python -m bench.model.decode [--rows 1,8,32,64,128,256] [--experts int8] [--cache fp8]

All are compared with plain float32 over a float32 cache; their caches hold its rounded values.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

import torch

from bench.model.full_size import last_moe, parsed, random_model, table
from bench.model.profiling import DECODE_PARTS, by_part, kernels_of
from dsocr.runtime.cache.batch import Chunk, make_batch
from dsocr.runtime.cache.kv_cache import KVCache, to_cache_dtype
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.devices import FP8, dtype_name
from dsocr.runtime.execution.decode_graph import DecodeGraph, DecodeState
from dsocr.runtime.execution.decode_step import DecodeStep
from dsocr.runtime.kernels.repetition_flags import CHECK_ON
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr
from dsocr.types import NoRepeat

RULES = (NoRepeat(30, 90), NoRepeat(35))
CELLS = (128821, 128822)
BLOCK_SIZE = 16
SHORTEST, LONGEST = 914, 1714
ROOM = 400
"""Most tokens that a sequence grows by during the measurement."""
READ_BYTES = 4.52e12
"""Measured read bandwidth of an H200, bytes a second."""
BOUNDS = {torch.bfloat16: 0.03, FP8: 0.3}
"""Most relative error of logits against plain float32, by type of the cache."""


class FullBatch:
    """Sequences that decode together, with random histories and cached values."""

    def __init__(self, model: DeepseekOcr, rows: int, kept: torch.dtype) -> None:
        spec = model.spec.decoder
        dice = random.Random(rows)
        lengths = [SHORTEST + (LONGEST - SHORTEST) * row // max(1, rows - 1) for row in range(rows)]
        lengths = [sum((SHORTEST, LONGEST)) // 2] if rows == 1 else lengths
        dice.shuffle(lengths)
        blocks = [-(-(length + ROOM) // BLOCK_SIZE) for length in lengths]
        numbers = list(range(sum(blocks)))
        dice.shuffle(numbers)
        free = iter(numbers)
        self.lengths = lengths
        self.tables = [[next(free) for _ in range(count)] for count in blocks]
        self.tokens = [[dice.randrange(3, 128000) for _ in range(length)] for length in lengths]
        self.cache = KVCache(
            spec,
            num_blocks=len(numbers),
            block_size=BLOCK_SIZE,
            device=model.device,
            dtype=kept,
        )
        for layer in (
            self.cache.blocks
        ):  # random fp8 values cannot be drawn, and all of them do not fit in float32
            layer.copy_(to_cache_dtype(torch.randn(layer.shape, device=model.device), kept))
        self.slots = list(range(rows))
        self.state = DecodeState(
            num_slots=rows,
            max_positions=spec.max_positions,
            max_blocks=-(-spec.max_positions // BLOCK_SIZE),
            exempt=CELLS,
            end=-1,
            device=model.device,
        )
        self.load()

    def load(self) -> None:
        for slot, (tokens, blocks) in enumerate(zip(self.tokens, self.tables, strict=True)):
            self.state.load(
                slot,
                tokens,
                blocks,
                num_prompt=SHORTEST,
                limit=len(tokens) + ROOM,
                no_repeat=RULES[slot % 2],
                repetition_check=CHECK_ON,
            )

    def plain_scores(self, model: DeepseekOcr) -> torch.Tensor:
        """Logits of plain PyTorch, on a copy of the cache."""
        chunks = [
            Chunk([tokens[-1]], len(tokens) - 1, blocks, num_prompt=SHORTEST)
            for tokens, blocks in zip(self.tokens, self.tables, strict=True)
        ]
        cache = copy.copy(self.cache)
        cache.blocks = self.cache.blocks.clone()
        batch = make_batch(chunks, block_size=BLOCK_SIZE, device=model.device)
        return model.logits(model.forward(batch, cache))

    def floor_ms(self, model: DeepseekOcr) -> float:
        """Seconds to read every needed weight and every cached value once."""
        spec, rows = model.spec.decoder, len(self.slots)
        hit = spec.num_experts * (1 - (1 - spec.num_experts_per_token / spec.num_experts) ** rows)
        expert: float = 3 * spec.hidden_size * spec.expert_width
        # in numbers of the others' size
        expert *= last_moe(model).experts.w13.itemsize / model.dtype.itemsize
        layers = spec.num_layers - spec.num_dense_layers
        weights = (
            4 * spec.num_layers * spec.hidden_size**2
            + 3 * spec.num_dense_layers * spec.hidden_size * spec.dense_width
            + layers * (hit * expert + 3 * spec.hidden_size * spec.shared_width)
            + spec.vocab_size * spec.hidden_size
        )
        cached = sum(self.lengths) * 2 * spec.num_layers * spec.hidden_size
        read = weights * model.dtype.itemsize + cached * self.cache.blocks.itemsize
        return 1000 * read / READ_BYTES


def check(model: DeepseekOcr, whole: DeepseekOcr, rows: int, kept: torch.dtype) -> dict[str, Any]:
    """Scores of the kernels and of plain bfloat16, each against plain float32. `whole` is the model
    before its experts were rounded, if they are."""
    batch = FullBatch(model, rows, torch.float32)
    exact = batch.plain_scores(copy.deepcopy(whole).float())
    bound, more = BOUNDS[kept], {}
    if whole is not model:
        rounded = batch.plain_scores(copy.deepcopy(model).float())
        more["experts alone"] = round(((rounded - exact).norm() / exact.norm()).item(), 4)
        bound += more["experts alone"]
    batch.cache.blocks = to_cache_dtype(batch.cache.blocks, kept)
    step = DecodeStep(model, batch.cache, rows)
    plain = batch.plain_scores(whole)
    device_rows = torch.tensor(batch.slots, dtype=torch.int32, device=model.device)
    with torch.inference_mode():
        ours = step.scores(device_rows, batch.state)
    line = {
        "rows": rows,
        "cache": dtype_name(kept),
        "kernels": round(((ours - exact).norm() / exact.norm()).item(), 4),
        "plain": round(((plain - exact).norm() / exact.norm()).item(), 4),
        "same best": round((ours.argmax(-1) == exact.argmax(-1)).float().mean().item(), 3),
        "plain same best": round((plain.argmax(-1) == exact.argmax(-1)).float().mean().item(), 3),
        **more,
    }
    assert line["kernels"] < bound, line
    return line


def check_experts(model: DeepseekOcr, whole: DeepseekOcr) -> dict[str, Any]:
    """Outputs of a layer's chosen experts, in int8 and in bfloat16, against plain float32. Of
    random weights it is a small part of the scores; of trained ones it may be a large one."""
    rounded, plain = (last_moe(one) for one in (model, whole))
    x = torch.randn(64, model.spec.decoder.hidden_size, device=model.device, dtype=model.dtype)
    wide, routed = copy.deepcopy(plain.experts).float(), plain.gate(x)
    exact = wide(x.float(), *routed)
    outputs = {"int8": rounded.experts(x, *routed), "bfloat16": plain.experts(x, *routed)}
    return {
        f"experts in {name}": round(((one - exact).norm() / exact.norm()).item(), 4)
        for name, one in outputs.items()
    }


def measure(
    model: DeepseekOcr, rows: int, kept: torch.dtype, *, steps: int = 100
) -> dict[str, Any]:
    batch = FullBatch(model, rows, kept)
    step = DecodeStep(model, batch.cache, rows)
    graph = DecodeGraph(step, batch.state, max_rows=rows, buckets=[])
    began = time.perf_counter()
    graph.capture(rows)
    torch.cuda.synchronize()
    captured = time.perf_counter() - began
    times = []
    for _ in range(3):
        batch.load()
        graph.decode(batch.slots)
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(steps):
            graph.decode(batch.slots)
        torch.cuda.synchronize()
        times.append((time.perf_counter() - began) / steps)
    seconds = statistics.median(times)
    newest = batch.state.tokens[torch.arange(rows), (batch.state.lengths - 1).long()]
    return {
        "rows": rows,
        "cache": dtype_name(kept),
        "ms": round(seconds * 1000, 3),
        "tokens/s": round(rows / seconds),
        "floor ms": round(batch.floor_ms(model), 3),
        "capture s": round(captured, 2),
        "distinct": int(newest.unique().numel()),
        **parts(graph, batch),
    }


def parts(graph: DecodeGraph, batch: FullBatch) -> dict[str, Any]:
    """Milliseconds of a step by kind of kernel."""
    batch.load()
    kernels = kernels_of(lambda: graph.decode(batch.slots), times=10)
    if VERBOSE:
        print(*kernels, sep="\n")
    spent = by_part(kernels, DECODE_PARTS, rest="products")
    return {f"{name} ms": round(milliseconds, 3) for name, milliseconds in spent.items()}


VERBOSE = False


def main() -> None:
    global VERBOSE
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", default="1,8,32,64,128,256", help="sequences at once")
    parser.add_argument("--experts", choices=["auto", "int8"], default="auto")
    parser.add_argument("--cache", choices=["auto", "fp8"], default="auto")
    parser.add_argument("--no-check", action="store_true")
    parser.add_argument("--kernels", action="store_true", help="list every kernel")
    parser.add_argument("--report", type=Path, help="a JSON file for the figures")
    arguments = parsed(parser)
    VERBOSE = arguments.kernels
    device = torch.device("cuda")
    model = random_model(device, torch.bfloat16, RuntimeConfig(expert_dtype=arguments.experts))
    kept = FP8 if arguments.cache == "fp8" else model.dtype
    lines = []
    if not arguments.no_check:
        whole = model
        if arguments.experts != "auto":
            whole = random_model(device, torch.bfloat16, RuntimeConfig())
        for rows in (1, 3, 64):
            lines.append(check(model, whole, rows, kept))
            print(lines[-1], flush=True)
        if whole is not model:
            lines.append(check_experts(model, whole))
            print(lines[-1], flush=True)
        del whole
    for rows in map(int, arguments.rows.split(",")):
        lines.append(measure(model, rows, kept))
        print(lines[-1], flush=True)
        torch.cuda.empty_cache()
    if arguments.report:
        arguments.report.write_text(json.dumps(lines, indent=1))
    print(torch.cuda.get_device_name(), "torch", torch.__version__)
    print(table(lines))


if __name__ == "__main__":
    main()
