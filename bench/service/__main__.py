"""What a user gets: the real `dsocr serve`, driven from outside, beside its engine alone.

    python -m bench.service [--rows images,scanned] [--report FILE]

Where there is a CUDA GPU the engine is the native one with random weights of full size, and rows
are shares of the engine alone. Elsewhere a stand-in answers each page at once, in a process as the
native engine's, and rows are shares of decoding alone by as many processes as there are cores.
Every page ends at the same number of tokens; all settings of the service are defaults.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from bench.service import report
from bench.service.documents.corpus import make_corpus
from bench.service.rows import SERVER_ROWS
from bench.service.run import Run
from bench.service.server import Launch

ROWS = ("lone", *SERVER_ROWS, "read")
NATIVE = "bench.model.endless:main"
STAND_IN = "bench.service.stand_in:main"
QUIET_SECONDS = 10
"""After the first pages, in which a GPU's engine makes ready what it has not yet."""


def main() -> None:
    given = _parser().parse_args()
    engine = given.engine or ("native" if _has_gpu() else "stand-in")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / "runs", ignore_errors=True)  # jobs of an interrupted run
        print(f"{_machine()}, {engine} engine", flush=True)
        began = time.monotonic()
        corpus = make_corpus(given.files or folder, pages=given.pages, small=given.small)
        print(f"files made in {time.monotonic() - began:.0f} s", flush=True)
        run = Run(
            launch=Launch(
                folder,
                checkpoint=given.checkpoint or folder / "checkpoint",
                worker=NATIVE if engine == "native" else STAND_IN,
                tokens=given.tokens,
                settings=dict(setting.split("=", 1) for setting in given.set),
            ),
            corpus=corpus,
            rows=tuple(given.rows.split(",")),
            weights=_weights(given.weights) if engine == "native" else "",
            pages=given.pages,
            quiet_seconds=QUIET_SECONDS if _has_gpu() else 0,
            ends_at=began + given.seconds,
        )
        run.measure()
    print("\n" + report.table(run.lines) + "\n\n" + report.table(run.latencies))
    if given.report:
        found = {"machine": _machine(), "rows": run.lines, "latencies": run.latencies}
        given.report.write_text(json.dumps(found, indent=1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.service", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}; default all")
    parser.add_argument("--pages", type=int, default=256, help="of each PDF; images (256)")
    parser.add_argument("--small", type=int, default=300, help="small files (300)")
    parser.add_argument("--tokens", type=int, default=800, help="every page's (800)")
    parser.add_argument("--seconds", type=float, default=480, help="begin no row after this (480)")
    parser.add_argument("--engine", choices=["native", "stand-in"], help="native with a GPU")
    parser.add_argument("--weights", choices=["full", "tiny"], help="full with a GPU")
    parser.add_argument("--checkpoint", type=Path, help="folder for the weights, 6.7 GB if full")
    parser.add_argument("--folder", type=Path, help="for all files of the run; default temporary")
    parser.add_argument("--files", type=Path, help="folder that keeps the documents for later runs")
    parser.add_argument(
        "--set", metavar="ENV=VALUE", action="append", default=[], help="a setting of the service"
    )
    parser.add_argument("--report", type=Path, help="a JSON file for the figures")
    return parser


def _weights(wanted: str | None) -> str:
    return wanted or ("full" if _has_gpu() else "tiny")


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _machine() -> str:
    """Cores, memory, and the GPU if there is one."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    gpu = ""
    if shutil.which(query[0]):
        gpu = subprocess.run(query, stdout=subprocess.PIPE, text=True).stdout.strip()
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {gpu or 'no GPU'}"


if __name__ == "__main__":
    main()
