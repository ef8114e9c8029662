"""How fast the native runtime reads on this GPU: full size, random weights, synthetic pages.

Needs no checkpoint: the 3.34 billion parameters are drawn on the device. Speed carries over to the
released weights, text does not exist here. Every page writes a fixed number of tokens: the runtime
is told an end token that no score belongs to, and the repetition watch is off; the no-repeat rule
30/90 is on. Everything goes through `Runtime`, pictures in, text out, but for the process boundary.

    python bench/gpu.py [--tokens 800] [--rows pages,many] [--seconds S] [--report FILE]

A row is a function in `ROWS` that yields lines of the table; one that fails does not stop the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from dsocr.runtime.checkpoint import read_spec  # noqa: E402
from dsocr.runtime.config import RuntimeConfig  # noqa: E402
from dsocr.runtime.devices import choose_device, choose_dtype  # noqa: E402
from dsocr.runtime.intake import Request  # noqa: E402
from dsocr.runtime.kernels.triton_language import usable_kernels  # noqa: E402
from dsocr.runtime.layers.attention import usable_attention  # noqa: E402
from dsocr.runtime.loader import give_memory  # noqa: E402
from dsocr.runtime.memory import Room  # noqa: E402
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr  # noqa: E402
from dsocr.runtime.ngram import NoRepeat  # noqa: E402
from dsocr.runtime.preprocess import Resolution  # noqa: E402
from dsocr.runtime.runtime import Done, Failed, Runtime, Text, runtime_for  # noqa: E402
from dsocr.runtime.sequence import SamplingParams  # noqa: E402
from dsocr.runtime.tokenizer import Tokenizer  # noqa: E402
from tests.runtime.goldens import GOLDENS, genuine_tokenizer  # noqa: E402

MODES = {"gundam": Resolution(1024, 640, True), "base": Resolution(1024, 1024, False)}
NUM_PICTURES = 16
"""Different pictures; more pages than that repeat them, which no cache here could notice."""


@dataclass
class Bench:
    """What a row has to work with, and what is reported."""

    model: DeepseekOcr
    tokenizer: Tokenizer
    config: RuntimeConfig
    runtime: Runtime
    room: Room
    num_tokens: int
    ends_at: float
    pictures: list[Image.Image]
    lines: list[dict[str, Any]] = field(default_factory=list)
    _next_id: int = 0

    def request(self, mode: str, num_tokens: int) -> Request:
        self._next_id += 1
        params = SamplingParams(max_tokens=num_tokens, no_repeat=NoRepeat(30, 90), watch=False)
        picture = self.pictures[self._next_id % len(self.pictures)]
        return Request(self._next_id, picture, "<image>\nFree OCR.", MODES[mode], params)

    @property
    def seconds_left(self) -> float:
        return self.ends_at - time.monotonic()


def random_model(device: torch.device, dtype: torch.dtype, config: RuntimeConfig) -> DeepseekOcr:
    """The released sizes; matrices of N(0, 0.02), norms of 1."""
    attention = usable_attention(config.attn_impl, device=device, dtype=dtype)
    with torch.device("meta"):
        model = DeepseekOcr(read_spec(GOLDENS / "checkpoint-files"), attention=attention)
    model = give_memory(model, device=device, dtype=dtype)
    generator = torch.Generator(device).manual_seed(1)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1 and name.endswith("weight"):
            parameter.fill_(1.0)
        else:
            parameter.normal_(0.0, 0.02, generator=generator)
    if config.kernels and usable_kernels(device):
        model.use_kernels()
    return model


def endless_tokenizer() -> Tokenizer:
    """The genuine one, with an end token that is never chosen."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").write_bytes(genuine_tokenizer())
        tokenizer = Tokenizer(Path(folder))
    tokenizer.special = replace(tokenizer.special, eos=-1)
    return tokenizer


def make_pictures() -> list[Image.Image]:
    """Pages of 1200 x 1600 pixels with lines of grey words; all different."""
    pictures = []
    for number in range(NUM_PICTURES):
        dice = np.random.default_rng(number)
        picture = Image.fromarray(dice.integers(235, 256, (1600, 1200, 3), dtype=np.uint8))
        draw = ImageDraw.Draw(picture)
        for y in range(100, 1500, 28):
            x = 100
            while x < 1050:
                width = int(dice.integers(20, 110))
                draw.rectangle((x, y, x + width, y + 14), fill=(int(dice.integers(0, 90)),) * 3)
                x += width + 14
        pictures.append(picture)
    return pictures


def read_pages(
    bench: Bench, mode: str, *, pages: int, in_flight: int, tokens: int
) -> dict[str, Any]:
    """Reads that many pages, so many at a time, and counts."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    runtime, failed, done = bench.runtime, 0, 0
    first: dict[int, float] = {}
    began, submitted = {}, 0
    start = time.perf_counter()
    while done + failed < pages:
        while submitted < pages and submitted - done - failed < in_flight:
            request = bench.request(mode, tokens)
            runtime.submit(request)
            began[request.request_id] = time.perf_counter()
            submitted += 1
        for event in runtime.step():
            if isinstance(event, Text):
                first.setdefault(event.request_id, time.perf_counter())
            elif isinstance(event, Done):
                assert len(event.output_ids) == tokens, event.finish_reason
                done += 1
            elif isinstance(event, Failed):
                print(event.message, flush=True)
                failed += 1
    seconds = time.perf_counter() - start
    waits = [first[number] - began[number] for number in first]
    load = runtime.load
    return {
        "mode": mode,
        "in flight": in_flight,
        "pages": pages,
        "failed": failed,
        "seconds": round(seconds, 2),
        "pages/s": round(done / seconds, 3),
        "tokens/s": round(done * tokens / seconds),
        "first text s": round(statistics.median(waits), 2) if waits else None,
        "peak GiB": round(torch.cuda.max_memory_allocated() / 2**30, 1),
        "preempted": load.preemptions,
        "out of memory": load.out_of_memory,
    }


def pages_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Pages of two modes at 128, 32, 8 and 1 in flight, in one wave each."""
    for in_flight in (128, 32, 8, 1):
        for mode in MODES:
            if bench.seconds_left > 0:
                yield read_pages(
                    bench, mode, pages=in_flight, in_flight=in_flight, tokens=bench.num_tokens
                )


def many_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """1,000 pages submitted at once, with short answers."""
    yield read_pages(bench, "base", pages=1000, in_flight=1000, tokens=min(32, bench.num_tokens))


ROWS: dict[str, Callable[[Bench], Iterator[dict[str, Any]]]] = {
    "pages": pages_row,
    "many": many_row,
}


def start(arguments: argparse.Namespace) -> Bench:
    """The model, the runtime, and one short page of each mode so that every kernel is loaded."""
    device = choose_device("auto")
    config = RuntimeConfig(max_num_seqs=arguments.max_num_seqs)
    pictures = make_pictures()
    began = time.perf_counter()
    model = random_model(device, choose_dtype("auto", device), config)
    torch.cuda.synchronize()
    loaded = time.perf_counter()
    tokenizer = endless_tokenizer()
    runtime, room = runtime_for(model, tokenizer, config)
    torch.cuda.synchronize()
    ready = time.perf_counter()
    bench = Bench(
        *(model, tokenizer, config, runtime, room, arguments.tokens),
        ends_at=time.monotonic() + arguments.seconds,
        pictures=pictures,
    )
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {os.cpu_count()} cores; "
        f"weights {loaded - began:.1f} s, runtime {ready - loaded:.1f} s; {room}; "
        f"{torch.cuda.memory_allocated() / 2**30:.1f} GiB taken",
        flush=True,
    )
    for mode in MODES:
        read_pages(bench, mode, pages=2, in_flight=2, tokens=4)
    return bench


def table(lines: list[dict[str, Any]]) -> str:
    columns = list(dict.fromkeys(name for line in lines for name in line))
    rows = [columns, ["---"] * len(columns)]
    rows += [[str(line.get(name, "")) for name in columns] for line in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=800, help="new tokens of every page")
    parser.add_argument("--rows", default=",".join(ROWS), help="which measurements, by name")
    parser.add_argument("--seconds", type=float, default=600, help="start no row after this")
    parser.add_argument("--max-num-seqs", type=int, help="pages that run at once")
    parser.add_argument("--report", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    bench = start(arguments)
    for name in arguments.rows.split(","):
        try:
            for line in ROWS[name](bench):
                bench.lines.append({"row": name, **line})
                print(bench.lines[-1], flush=True)
        except Exception:
            traceback.print_exc()
        if bench.seconds_left <= 0:
            print(f"no time left after {name}", flush=True)
            break
    if arguments.report:
        arguments.report.write_text(json.dumps(bench.lines, indent=1))
    print(table(bench.lines))


if __name__ == "__main__":
    main()
