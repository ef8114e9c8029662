"""Other implementations measured in the same run: plain eager PyTorch and vLLM."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.gpu.harness import Bench, choose_device_and_dtype, read_pages
from bench.model.full_size import (
    median_seconds,
    random_model,
    write_small_files,
)
from dsocr.runtime.assembly import make_runtime
from dsocr.runtime.config import RuntimeConfig
from dsocr.runtime.execution.vision_runner import VisionRunner
from dsocr.runtime.models.deepseek_moe import DecoderLayer

VLLM_SECONDS = 600
"""The first start compiles for minutes."""
PEER_TOKENS = 100
"""Of the page that the eager peer reads."""


def hf_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Computes as the released code does, by our plain modules: PyTorch's attention in the towers,
    eager attention in the decoder, one page at a time, sampling on the host. A short page, since it
    is slow."""
    bench.free_device()
    config = RuntimeConfig(max_num_seqs=1, kernels=False, attn_impl="sdpa")
    bench.model = random_model(*choose_device_and_dtype(), config)
    for layer in bench.model.decoder.layers:
        assert isinstance(layer, DecoderLayer)
        layer.self_attn.kind = "eager"
    bench.runtime, bench.plan = make_runtime(bench.model, bench.tokenizer, config)
    read_pages(bench, "gundam", pages=1, in_flight=1, tokens=4)
    page = bench.model.prepare(bench.pictures[0], "gundam", max_tiles=6)
    vision = VisionRunner(bench.model)
    seconds = median_seconds(lambda: vision.encode([page]), 5)
    yield {"figure": "gundam encode ms", "measured": round(seconds * 1e3, 1)}
    line = read_pages(bench, "gundam", pages=1, in_flight=1, tokens=PEER_TOKENS)
    writing = line["seconds"] - line["first text s"]
    yield {"figure": "single-stream decode tok/s", "measured": round((PEER_TOKENS - 1) / writing)}
    name = f"gundam page alone s, {PEER_TOKENS} tokens"
    yield {"figure": name, "measured": line["seconds"]}


def vllm_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """In a process of its own (`vllm_peer.py`). Where vLLM is missing, goals.json is quoted."""
    if importlib.util.find_spec("vllm") is None:
        print("vLLM is not installed; the table quotes what it did elsewhere", flush=True)
        return
    bench.free_device()
    with TemporaryDirectory() as folder:
        write_small_files(Path(folder))
        tokens = str(bench.num_tokens)
        command = [sys.executable, "-m", "bench.gpu.vllm_peer", folder, "--tokens", tokens]
        out = subprocess.run(command, capture_output=True, text=True, timeout=VLLM_SECONDS)
    if out.returncode != 0:
        raise RuntimeError(out.stderr[-2000:])
    for name, value in json.loads(out.stdout.splitlines()[-1]).items():
        yield {"figure": name, "measured": value}


PEERS: dict[str, Callable[[Bench], Iterator[dict[str, Any]]]] = {"hf": hf_row, "vllm": vllm_row}
