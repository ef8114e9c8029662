"""How fast the native runtime reads on this GPU: full size, random weights, synthetic pages.

Needs no checkpoint: the 3.34 billion parameters are drawn on the device. Speed carries over to the
released weights, text does not exist here. Every page writes a fixed number of tokens: the runtime
is told an end token that no score belongs to, and the repetition watch looks at every token but is
not heeded; the no-repeat rule 30/90 is on. Rows go through `Runtime`, pictures in, text out; those
of `bench/process.py` through the engine and its process.

    python bench/gpu.py [--tokens 800] [--rows decode,pages] [--cache fp8] [--report FILE]

A row is a function in `ROWS` that yields lines of the table; one that fails does not stop the rest.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.endless import endless, heed_no_watch  # noqa: E402
from bench.full_size import (  # noqa: E402
    MODES,
    make_pictures,
    median_seconds,
    parsed,
    prompts,
    random_model,
    table,
    write_checkpoint,
    write_small_files,
)
from bench.process import engine_row, start_row  # noqa: E402
from bench.where import where_row  # noqa: E402
from dsocr.runtime.cache.batch import Batch, Chunk, make_batch  # noqa: E402
from dsocr.runtime.cache.block_allocator import BLOCK_SIZE  # noqa: E402
from dsocr.runtime.config import RuntimeConfig  # noqa: E402
from dsocr.runtime.devices import choose_device, choose_dtype  # noqa: E402
from dsocr.runtime.execution.graph_runner import GraphRunner  # noqa: E402
from dsocr.runtime.execution.memory_plan import MemoryPlan  # noqa: E402
from dsocr.runtime.loop import Done, Failed, Runtime, Text, runtime_for  # noqa: E402
from dsocr.runtime.models.deepseek_moe import DecoderLayer  # noqa: E402
from dsocr.runtime.models.deepseek_ocr import DeepseekOcr  # noqa: E402
from dsocr.runtime.scheduling.inputs import Request  # noqa: E402
from dsocr.runtime.scheduling.preprocess import prepare  # noqa: E402
from dsocr.runtime.scheduling.sequence import SamplingParams  # noqa: E402
from dsocr.runtime.text.ngram import NoRepeat  # noqa: E402
from dsocr.runtime.text.tokenizer import Tokenizer  # noqa: E402

READ = ("gundam", "base")
"""The modes that pages are read in."""
DECODE_AFTER, DECODE_STEPS = 350, 200
GOALS = ((1100, 1500), (31000, 36000), (14, 9), (22, 28), (32, 40), (1.1, 0.75), (8, 5))
"""Of the figures in `summary`: what an H200 must reach, and what is aimed at."""
QUOTED = ("568", "25,900", "~100", "9.0", "15.2", "2.4", "41")
"""vLLM 0.26.0 at its best on one H200, 2026-11-22, measured elsewhere; of the same figures."""
IDEAL = ("3,680", "44,530", "5.2", "41", "75", "0.28", "–")
"""What the card could do, of the same figures."""
VLLM_SECONDS = 600
"""It may take so long: a first start compiles for minutes."""
PEER_TOKENS = 100
"""Of the page that the eager peer reads."""


@dataclass
class Bench:
    """What a row has to work with, and what is reported."""

    model: DeepseekOcr
    tokenizer: Tokenizer
    config: RuntimeConfig
    runtime: Runtime
    room: MemoryPlan
    num_tokens: int
    ends_at: float
    in_flight: list[int]
    card_bytes: int
    pictures: list[Image.Image]
    lines: list[dict[str, Any]] = field(default_factory=list)
    _next_id: int = 0
    _folder: TemporaryDirectory[str] | None = None

    def request(self, mode: str, num_tokens: int) -> Request:
        self._next_id += 1
        params = SamplingParams(max_tokens=num_tokens, no_repeat=NoRepeat(30, 90))
        picture = self.pictures[self._next_id % len(self.pictures)]
        return Request(self._next_id, picture, "<image>\nFree OCR.", MODES[mode], params)

    @property
    def seconds_left(self) -> float:
        return self.ends_at - time.monotonic()

    @property
    def is_whole(self) -> bool:
        """Whether the weights are those that a checkpoint holds."""
        return self.config.expert_dtype != "int8"

    def checkpoint(self) -> Path:
        """The model as a folder, written once."""
        if self._folder is None:
            self._folder = TemporaryDirectory()
            write_checkpoint(self.model, Path(self._folder.name))
        return Path(self._folder.name)

    def give_back(self) -> None:
        """All that the device holds of ours, as far as it is there."""
        vars(self).pop("model", None)
        vars(self).pop("runtime", None)
        gc.collect()
        torch.cuda.empty_cache()


@dataclass
class FullHouse:
    """From when all places first have pages that write until the last page begins to. Meanwhile
    each place goes around, once or a few times, from somewhere in one page to the same place in a
    later one, so that as many pages come in as are written, however they clump. How many these are
    is told by that time's share of all text."""

    texts: int = 0
    full: tuple[float, int] | None = None
    """When, and how many pieces of text there were."""
    last: tuple[float, int] | None = None

    def wrote(self, *, first: bool, full: bool) -> None:
        """A piece of text came: whether its page's first, and whether all places have pages now."""
        self.texts += 1
        if first:
            self.last = (time.perf_counter(), self.texts)
        if self.full is None and full:
            self.full = self.last

    def rate(self, pages: int) -> float | None:
        """Pages a second, of so many in all; None where no page came into a full house."""
        if self.full is None or self.last is None or self.last == self.full:
            return None
        seconds, texts = (at - since for at, since in zip(self.last, self.full, strict=True))
        return round(pages * texts / self.texts / seconds, 3)


def read_pages(
    bench: Bench, mode: str, *, pages: int, in_flight: int, tokens: int
) -> dict[str, Any]:
    """Reads that many pages, so many at a time, and counts. `saturated pages/s` leaves out ramp and
    drain, see `FullHouse`; all else is of the whole run."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    runtime, failed, done, house = bench.runtime, 0, 0, FullHouse()
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
                begins = event.request_id not in first
                first.setdefault(event.request_id, time.perf_counter())
                house.wrote(first=begins, full=len(first) - done >= in_flight)
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
        "saturated pages/s": house.rate(done),
        "tokens/s": round(done * tokens / seconds),
        "first text s": round(statistics.median(waits), 2) if waits else None,
        "peak GiB": round(torch.cuda.max_memory_allocated() / 2**30, 1),
        "preempted": load.preemptions,
        "out of memory": load.out_of_memory,
    }


def limits_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """What the card can do at best: memory and matrix products, each in one long run."""
    source, copy = torch.empty(2, 2 << 30, dtype=torch.uint8, device="cuda")
    seconds = median_seconds(lambda: copy.copy_(source))
    yield {"what": "copy, TB/s read and written", "best": round(2 * len(copy) / seconds / 1e12, 2)}
    x = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    seconds = median_seconds(lambda: x @ x)
    yield {"what": "bfloat16 product, TFLOP/s", "best": round(2 * 8192**3 / seconds / 1e12)}


def encode_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """A page's views in pinned memory to its features, alone and eight together."""
    for mode in MODES:
        page = prepare(bench.pictures[0], MODES[mode], max_tiles=6).pinned()
        bench.model.encode([page])
        while bench.model.make_ready():
            pass
        alone = median_seconds(lambda page=page: bench.model.encode([page]))
        eight = median_seconds(lambda page=page: bench.model.encode([page] * 8)) / 8
        milliseconds = {"alone ms": round(alone * 1e3, 2), "of eight ms": round(eight * 1e3, 2)}
        yield {"mode": mode, **milliseconds}


def prefill_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """Prompts of gundam pages, from token ids on the host to hidden states, into the runtime's own
    cache while nobody else is in it. `bench/prefill.py` takes it apart."""
    runner = bench.runtime._runner._runner
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
        if size > bench.room.max_num_seqs or bench.seconds_left < 0:
            continue
        requests = [bench.request("gundam", 4000) for _ in range(size)]
        for request in requests:
            bench.runtime.submit(request)
        wrote: dict[int, int] = {}
        while len(wrote) < size:
            wrote.update(
                (one.request_id, 1) for one in bench.runtime.step() if isinstance(one, Text)
            )
        seconds = _seconds_of_steps(bench.runtime, DECODE_STEPS, after=DECODE_AFTER)
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
            if bench.seconds_left > 0 and in_flight <= bench.room.max_num_seqs:
                pages = max(3, 2 * in_flight)
                yield read_pages(
                    bench, mode, pages=pages, in_flight=in_flight, tokens=bench.num_tokens
                )


def lone_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """One page on an idle device, from the picture to its last token; the median of five, with a
    quiet moment after each, as a service would have it."""
    for mode in READ:
        lines = []
        for _ in range(5):
            lines.append(read_pages(bench, mode, pages=1, in_flight=1, tokens=1000))
            while bench.runtime.run_idle_work():
                pass
        yield sorted(lines, key=lambda line: float(line["seconds"]))[len(lines) // 2]


def many_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """1,000 pages submitted at once, with short answers."""
    yield read_pages(bench, "gundam", pages=1000, in_flight=1000, tokens=min(64, bench.num_tokens))


def small_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """As on a card of 8 GiB: the rest of the memory is taken away. What the driver holds for this
    process (its context, loaded kernels) comes out of these as it does there, and is told; on a
    small card it may be less. A small card's shared memory is not imitated, nor its speed."""
    room = bench.room
    del bench.runtime
    if bench.config.kernels:
        bench.model.use_kernels()  # what its graphs kept is given back
    gc.collect()
    torch._C._cuda_clearCublasWorkspaces()  # of the lanes that a small card does not have
    torch.cuda.empty_cache()
    free, total = torch.cuda.mem_get_info()
    beside = total - free - torch.cuda.memory_reserved()
    ballast = torch.empty(total - bench.card_bytes, dtype=torch.uint8, device="cuda")
    if bench.config.kernels:
        bench.model.use_kernels()  # now to passes that fit
    bench.runtime, bench.room = runtime_for(bench.model, bench.tokenizer, bench.config)
    line = read_pages(bench, "gundam", pages=32, in_flight=32, tokens=100)
    peak = torch.cuda.max_memory_allocated() - len(ballast)
    yield {
        **line,
        "cache tokens": bench.room.cache_tokens,
        "peak GiB": round(peak / 2**30, 2),
        "beside torch GiB": round(beside / 2**30, 2),
    }
    del ballast
    bench.room = room


ROWS: dict[str, Callable[[Bench], Iterator[dict[str, Any]]]] = {
    "limits": limits_row,
    "encode": encode_row,
    "prefill": prefill_row,
    "decode": decode_row,
    "lone": lone_row,
    "pages": pages_row,
    "where": where_row,
    "many": many_row,
    "small": small_row,
    "start": start_row,
    "engine": engine_row,
}


def hf_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """The released code's way, by our plain modules: the towers' attention is PyTorch's own, the
    decoder's is spelt out; one page at a time, tokens chosen on the host. A short page, since it
    takes long."""
    bench.give_back()
    config = RuntimeConfig(max_num_seqs=1, kernels=False, attn_impl="sdpa")
    bench.model = random_model(*_device(), config)
    for layer in bench.model.decoder.layers:
        assert isinstance(layer, DecoderLayer)
        layer.self_attn.kind = "eager"
    bench.runtime, bench.room = runtime_for(bench.model, bench.tokenizer, config)
    read_pages(bench, "gundam", pages=1, in_flight=1, tokens=4)
    page = prepare(bench.pictures[0], MODES["gundam"], max_tiles=6)
    seconds = median_seconds(lambda: bench.model.encode([page]), 5)
    yield {"figure": "gundam encode ms", "measured": round(seconds * 1e3, 1)}
    line = read_pages(bench, "gundam", pages=1, in_flight=1, tokens=PEER_TOKENS)
    writing = line["seconds"] - line["first text s"]
    yield {"figure": "single-stream decode tok/s", "measured": round((PEER_TOKENS - 1) / writing)}
    name = f"gundam page alone s, {PEER_TOKENS} tokens"
    yield {"figure": name, "measured": line["seconds"]}


def vllm_row(bench: Bench) -> Iterator[dict[str, Any]]:
    """In a process of its own, see `bench/vllm_peer.py`. Quoted in `QUOTED` where it is missing."""
    if importlib.util.find_spec("vllm") is None:
        print("vLLM is not installed; the table quotes what it did elsewhere", flush=True)
        return
    bench.give_back()
    with TemporaryDirectory() as folder:
        write_small_files(Path(folder))
        program = str(ROOT / "bench" / "vllm_peer.py")
        command = [sys.executable, program, folder, "--tokens", str(bench.num_tokens)]
        out = subprocess.run(command, capture_output=True, text=True, timeout=VLLM_SECONDS)
    if out.returncode != 0:
        raise RuntimeError(out.stderr[-2000:])
    for name, value in json.loads(out.stdout.splitlines()[-1]).items():
        yield {"figure": name, "measured": value}


PEERS: dict[str, Callable[[Bench], Iterator[dict[str, Any]]]] = {"hf": hf_row, "vllm": vllm_row}


def summary(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The figures that are aimed at, by name, as far as their rows were run; pages through the
    engine if that was."""

    def figure(row: str, column: str, best: Callable[[list[Any]], Any], **same: Any) -> Any:
        found = [
            line[column]
            for line in lines
            if line["row"] == row and all(line.get(name) == value for name, value in same.items())
        ]
        return best(found) if found else None

    def rate(mode: str) -> Any:
        through_engine = figure("engine", "pages/s", max, mode=mode)
        return through_engine or figure("pages", "pages/s", max, mode=mode)

    def alone(mode: str) -> Any:
        through_engine = figure("engine", "a page s", min, mode=mode, **{"in flight": 1})
        return through_engine or figure("lone", "seconds", min, mode=mode)

    named = {
        "single-stream decode tok/s": figure("decode", "tokens/s", max, pages=1),
        "decode B=256 tok/s": figure("decode", "tokens/s", max, pages=256),
        "gundam encode ms": figure("encode", "alone ms", min, mode="gundam"),
        "gundam pages/s": rate("gundam"),
        "base pages/s": rate("base"),
        "gundam page alone s, 1,000 tokens": alone("gundam"),
        "start to first token s, warm": figure(
            "start", "first token", statistics.median, **{"kernel caches": "warm"}
        ),
    }
    peers = dict.fromkeys(line["row"] for line in lines if line["row"].startswith("peer"))
    return [
        {
            "figure": name,
            "measured": value,
            "must": must,
            "aim": aim,
            **{peer: figure(peer, "measured", max, figure=name) or "" for peer in peers},
            "vLLM, quoted": quoted,
            "ideal": ideal,
        }
        for (name, value), (must, aim), quoted, ideal in zip(
            named.items(), GOALS, QUOTED, IDEAL, strict=True
        )
        if value is not None
    ]


def _seconds_of_steps(runtime: Runtime, count: int, *, after: int) -> float:
    """Of so many steps in a row, once so many have passed; nothing may end meanwhile."""
    began = 0.0
    for step in range(after + count):
        if step == after:
            began = time.perf_counter()
        events = runtime.step()
        assert not any(isinstance(one, Done | Failed) for one in events)
    torch.cuda.synchronize()
    return time.perf_counter() - began


def _device() -> tuple[torch.device, torch.dtype]:
    device = choose_device("auto")
    return device, choose_dtype("auto", device)


def start(arguments: argparse.Namespace) -> Bench:
    """The model, the runtime, and short pages of each mode so that every kernel is loaded; then
    what the runtime makes ready in quiet moments, as after a service's start."""
    device, dtype = _device()
    heed_no_watch()
    config = RuntimeConfig(
        max_num_seqs=arguments.max_num_seqs,
        expert_dtype=arguments.experts,
        cache_dtype=arguments.cache,
    )
    pictures = make_pictures()
    began = time.perf_counter()
    model = random_model(device, dtype, config)
    torch.cuda.synchronize()
    loaded = time.perf_counter()
    with TemporaryDirectory() as folder:
        write_small_files(Path(folder))
        tokenizer = endless(Path(folder))
    runtime, room = runtime_for(model, tokenizer, config)
    torch.cuda.synchronize()
    ready = time.perf_counter()
    bench = Bench(
        *(model, tokenizer, config, runtime, room, arguments.tokens),
        ends_at=time.monotonic() + arguments.seconds,
        in_flight=[int(count) for count in arguments.in_flight.split(",")],
        card_bytes=int(arguments.card_gib * 2**30),
        pictures=pictures,
    )
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {os.cpu_count()} cores; "
        f"weights {loaded - began:.1f} s, runtime {ready - loaded:.1f} s; {room}; "
        f"{torch.cuda.memory_allocated() / 2**30:.1f} GiB taken",
        flush=True,
    )
    gc.freeze()  # as the worker does
    for mode in READ:
        read_pages(bench, mode, pages=2, in_flight=2, tokens=4)
    began = time.perf_counter()
    while runtime.run_idle_work():
        pass
    print(f"made ready in {time.perf_counter() - began:.1f} s", flush=True)
    return bench


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tokens", type=int, default=800, help="every page's (default 800)")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}; default all")
    parser.add_argument("--seconds", type=float, default=900, help="start no row after this (900)")
    parser.add_argument("--max-num-seqs", type=int, help="pages that run at once")
    parser.add_argument(
        "--experts", choices=["auto", "int8"], default="auto", help="how their weights are held"
    )
    parser.add_argument(
        "--cache", choices=["auto", "fp8"], default="auto", help="how keys and values are held"
    )
    parser.add_argument(
        "--in-flight",
        default="256,128,32,8,1",
        help="pages at a time in the row pages (256,128,32,8,1)",
    )
    parser.add_argument(
        "--card-gib", type=float, default=8, help="all that the card of the row small has (8)"
    )
    parser.add_argument(
        "--peer",
        choices=[*PEERS],
        action="append",
        default=[],
        help="measured last: hf, plain eager PyTorch a page at a time, as released; vllm",
    )
    parser.add_argument("--report", type=Path, help="a JSON file for the figures")
    arguments = parsed(parser)
    bench = start(arguments)
    rows = {name: ROWS[name] for name in arguments.rows.split(",")}
    for name, row in (rows | {f"peer {name}": PEERS[name] for name in arguments.peer}).items():
        try:
            for line in row(bench):
                bench.lines.append({"row": name, **line})
                print(bench.lines[-1], flush=True)
        except Exception:
            traceback.print_exc()
        if bench.seconds_left <= 0:
            print(f"no time left after {name}", flush=True)
            break
    if arguments.report:
        arguments.report.write_text(json.dumps(bench.lines, indent=1))
    for name in dict.fromkeys(line["row"] for line in bench.lines):
        print(table([line for line in bench.lines if line["row"] == name]) + "\n")
    print(table(summary(bench.lines)))


if __name__ == "__main__":
    main()
