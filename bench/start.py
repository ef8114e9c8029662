"""The start of the engine before and after a change, in turns on one machine.

    git worktree add /tmp/before COMMIT
    python -m bench.start --before /tmp/before

Each line is one start of `bench.first_token` in a process of its own, the weights in the page
cache: seconds from its beginning to each stage and to the first token. Cold: with an empty kernel
cache of its own. Between them the kernels in the cache: as many after the warm starts as after the
first say that all were compiled ahead. Last the medians and their ratio.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FIRST_TOKEN = "first token"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--before", type=Path, metavar="PATH", help="a checkout to compare with")
    parser.add_argument("--rounds", type=int, default=3, help="warm starts of each (3)")
    parser.add_argument("--cold", type=int, default=2, help="cold starts of this checkout (2)")
    parser.add_argument("--folder", type=Path, help="a checkpoint; else random weights are written")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.write is not None:
        write_random_checkpoint(arguments.write)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or written_checkpoint(Path(scratch) / "checkpoint")
        trees = {"after": ROOT} | ({"before": arguments.before} if arguments.before else {})
        for tree in trees.values():
            compileall.compile_dir(tree / "src", quiet=1)  # as an installation leaves it
        starts = measure(trees, folder, Path(scratch), arguments.rounds, arguments.cold)
    print(json.dumps(summary(starts), indent=1))


def measure(
    trees: dict[str, Path], folder: Path, scratch: Path, rounds: int, cold: int
) -> dict[tuple[str, str], list[float]]:
    """Seconds to the first token by (checkout, kernel cache)."""
    seconds: dict[tuple[str, str], list[float]] = {}

    def start(name: str, caches: str, cache: Path) -> None:
        at = start_once(trees[name], folder, cache)
        print(json.dumps({"checkout": name, "kernel cache": caches, **at}), flush=True)
        seconds.setdefault((name, caches), []).append(at[FIRST_TOKEN])

    for name in trees:
        start(name, "cold", scratch / name)
    print(json.dumps(compiled(scratch / "after")), flush=True)
    for _ in range(rounds):
        for name in trees:
            start(name, "warm", scratch / name)
    print(json.dumps(compiled(scratch / "after")), flush=True)
    for number in range(cold - 1):
        start("after", "cold", scratch / f"after-{number}")
    return seconds


def start_once(tree: Path, folder: Path, cache: Path) -> dict[str, float]:
    """Seconds from the start of the process to each stage, in order."""
    environment = {
        **os.environ,
        "TRITON_CACHE_DIR": str(cache),
        "PYTHONPATH": os.pathsep.join(
            [str(tree.absolute() / "src"), os.environ.get("PYTHONPATH", "")]
        ),
    }
    began = time.time()
    command = [sys.executable, "-m", "bench.first_token", str(folder)]
    out = subprocess.run(command, env=environment, cwd=tree, capture_output=True, text=True)
    if out.returncode != 0:
        raise RuntimeError(out.stderr[-3000:])
    at = json.loads(out.stdout.splitlines()[-1])
    return {name: round(when - began, 2) for name, when in at.items()}


def compiled(cache: Path) -> dict[str, Any]:
    """Kernels in a cache, and what the compiling process says of its own."""
    markers = [json.loads(path.read_text("utf-8")) for path in cache.glob("dsocr-*.json")]
    return {"kernels in the cache": len([*cache.rglob("*.cubin")]), "compiled ahead": markers}


def summary(seconds: dict[tuple[str, str], list[float]]) -> dict[str, Any]:
    """Medians and spreads, and the ratio of the warm ones."""
    medians = {key: statistics.median(values) for key, values in seconds.items()}
    lines: dict[str, Any] = {
        " ".join(key): {"median": medians[key], "of": sorted(values)}
        for key, values in seconds.items()
    }
    if ("before", "warm") in medians:
        ratio = medians["after", "warm"] / medians["before", "warm"]
        lines["warm, after / before"] = round(ratio, 3)
    return lines


def written_checkpoint(folder: Path) -> Path:
    """Random weights of the released size, written by a process that frees the GPU by ending."""
    folder.mkdir()
    subprocess.run([sys.executable, "-m", "bench.start", "--write", str(folder)], check=True)
    return folder


def write_random_checkpoint(folder: Path) -> None:
    import torch

    from bench.model.full_size import random_model, write_checkpoint
    from dsocr.runtime.config import RuntimeConfig

    config = RuntimeConfig(kernels=False)
    write_checkpoint(random_model(torch.device("cuda"), torch.bfloat16, config), folder)


if __name__ == "__main__":
    main()
