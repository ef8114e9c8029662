"""Measures the native runtime on this GPU: full size, random weights, synthetic pages.

Needs no checkpoint: the 3.34 billion parameters are drawn on the device. Speed carries over to the
released weights; the text is meaningless. Every page has a fixed number of output tokens: the end
token has no logit, and the repetition check runs on every token but its result is ignored; the
no-repeat rule is 30/90. Rows measure `Runtime`, from images to text; those of `process.py` the
engine with its process.

    python -m bench.gpu [--tokens 800] [--rows decode,pages] [--cache fp8] [--report FILE]

A row is a function in `ROWS` that yields lines of the table; one that fails does not stop the rest.
"""

from __future__ import annotations

import argparse
import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.gpu.drafts import drafts_row
from bench.gpu.families import ocr2_row, unlimited_row
from bench.gpu.harness import Bench, start
from bench.gpu.peers import PEERS
from bench.gpu.process import engine_row, start_row
from bench.gpu.rows import (
    decode_row,
    encode_row,
    limits_row,
    lone_row,
    many_row,
    pages_row,
    prefill_row,
    small_row,
)
from bench.gpu.summary import summarize
from bench.gpu.where import where_row
from bench.model.full_size import (
    parsed,
    table,
)

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
    "ocr2": ocr2_row,
    "unlimited": unlimited_row,
    "drafts": drafts_row,
    "start": start_row,
    "engine": engine_row,
}


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
    print(table(summarize(bench.lines)))


if __name__ == "__main__":
    main()
