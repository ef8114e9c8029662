"""Measures prefill on this GPU: full size, random weights, by kernels and by plain PyTorch.

Checks the kernels against plain PyTorch in float32 first. A prompt is a gundam page's, 913 tokens,
into an empty cache with scattered blocks; its features are random. Times run from token ids on the
host to hidden states, as in `Runtime`.

    python -m bench.model.prefill [--prompts 1,2,4,8] [--kernels] [--report FILE]
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path
from typing import Any

import torch

from bench.model.full_size import (
    PROMPT_TOKENS,
    median_seconds,
    parsed,
    prompts,
    random_model,
    table,
)
from bench.model.profiling import by_part, kernels_of
from dsocr.runtime.cache.batch import Batch, make_batch
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE
from dsocr.runtime.cache.kv_cache import KVCache
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.execution.prefill_step import PrefillStep
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr

FLOPS = 670e12
"""Sustained bfloat16 operations a second of an H200."""
READ_BYTES = 4.52e12
BOUND = 0.03
"""Relative error of bfloat16 hidden states to plain float32 ones."""
PARTS = {
    "attention": ("_attend", "_rotate_write"),
    "experts": ("_up", "_down", "_route"),
    "sums and norms": ("_add_rmsnorm", "_silu_mul"),
}


class Prompts:
    """`count` prompts, and a cache that they fill."""

    def __init__(self, model: DeepseekOcr, count: int, *, blocks_each: int = 64) -> None:
        num_blocks = count * blocks_each
        self.device = model.device
        self.cache = KVCache(
            model.spec.decoder,
            num_blocks=num_blocks,
            block_size=BLOCK_SIZE,
            device=model.device,
            dtype=model.dtype,
        )
        self.chunks = prompts(model, count, num_blocks=num_blocks)

    def batch(self) -> Batch:
        return make_batch(self.chunks, block_size=BLOCK_SIZE, device=self.device)


def check(model: DeepseekOcr, count: int) -> dict[str, Any]:
    """Last hidden states of the kernels and of plain bfloat16, each against plain float32."""
    prompts = Prompts(model, count)
    batch = prompts.batch()
    exact_model = copy.deepcopy(model).float()
    exact_cache = copy.copy(prompts.cache)
    exact_cache.blocks = prompts.cache.blocks.float()
    exact = exact_model.forward(batch, exact_cache)
    plain = model.forward(batch, prompts.cache).float()
    ours = PrefillStep(model, prompts.cache).hidden(batch).float()
    line = {
        "prompts": count,
        "kernels": round(((ours - exact).norm() / exact.norm()).item(), 4),
        "plain": round(((plain - exact).norm() / exact.norm()).item(), 4),
        "worst row": round(((ours - exact).norm(dim=1) / exact.norm(dim=1)).max().item(), 4),
        "plain's": round(((plain - exact).norm(dim=1) / exact.norm(dim=1)).max().item(), 4),
    }
    assert line["kernels"] < max(BOUND, 1.2 * line["plain"]), line
    return line


def host_and_total_seconds(step: PrefillStep, prompts: Prompts) -> tuple[float, float]:
    """Of one run: until all of it is enqueued, and until the device has computed it."""
    began = time.perf_counter()
    step.hidden(prompts.batch())
    host = time.perf_counter() - began
    torch.cuda.synchronize()
    return host, time.perf_counter() - began


def measure(model: DeepseekOcr, count: int, *, lists: bool) -> dict[str, Any]:
    prompts = Prompts(model, count)
    step = PrefillStep(model, prompts.cache)
    _, first = host_and_total_seconds(step, prompts)
    plain = median_seconds(lambda: model.forward(prompts.batch(), prompts.cache), 5)
    ours = median_seconds(lambda: step.hidden(prompts.batch()), 9)
    host, _ = host_and_total_seconds(step, prompts)
    spent = parts(step, prompts, lists=lists)
    return {
        "prompts": count,
        "plain ms": round(plain * 1e3, 2),
        "kernels ms": round(ours * 1e3, 2),
        "host ms": round(host * 1e3, 2),
        "floor ms": round(floor_ms(model, count), 2),
        "first ms": round(first * 1e3),
        **spent,
    }


def floor_ms(model: DeepseekOcr, count: int) -> float:
    """Seconds for every multiplication, or to read every weight once, whichever is longer."""
    spec, tokens = model.spec.decoder, count * PROMPT_TOKENS
    layers, hidden = spec.num_layers - spec.num_dense_layers, spec.hidden_size
    expert = 3 * hidden * spec.expert_width
    attention = 4 * spec.num_layers * hidden**2
    dense = 3 * spec.num_dense_layers * hidden * spec.dense_width
    shared = layers * 3 * hidden * spec.shared_width
    met = attention + dense + shared + layers * spec.num_experts_per_token * expert
    seen = (
        2 * spec.num_layers * hidden * count * PROMPT_TOKENS**2
    )  # the causal half of q times k, and of the weights times v
    read = attention + dense + shared + layers * spec.num_experts * expert
    return 1e3 * max(
        2 * (met * tokens + seen / 2) / FLOPS, model.dtype.itemsize * read / READ_BYTES
    )


def parts(step: PrefillStep, prompts: Prompts, *, lists: bool) -> dict[str, Any]:
    """Milliseconds by kind of kernel."""
    batch = prompts.batch()
    kernels = kernels_of(lambda: step.hidden(batch), times=5)
    if lists:
        print(*kernels, sep="\n")
    spent = by_part(kernels, PARTS, rest="products")
    return {f"{name} ms": round(milliseconds, 2) for name, milliseconds in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--prompts", default="1,2,4,8", help="of 913 tokens, together")
    parser.add_argument("--no-check", action="store_true")
    parser.add_argument("--kernels", action="store_true", help="list every kernel")
    parser.add_argument("--report", type=Path, help="a JSON file for the figures")
    arguments = parsed(parser)
    model = random_model(torch.device("cuda"), torch.bfloat16, RuntimeConfig(attn_impl="sdpa"))
    lines = []
    if not arguments.no_check:
        for count in (1, 3):
            lines.append(check(model, count))
            print(lines[-1], flush=True)
        torch.cuda.empty_cache()
    for count in map(int, arguments.prompts.split(",")):
        lines.append(measure(model, count, lists=arguments.kernels))
        print(lines[-1], flush=True)
    if arguments.report:
        arguments.report.write_text(json.dumps(lines, indent=1))
    print(torch.cuda.get_device_name(), "torch", torch.__version__)
    print(table(lines))


if __name__ == "__main__":
    main()
