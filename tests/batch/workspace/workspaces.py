"""Workspaces for tests: planned documents, and workers as processes that can be killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dsocr.batch.workspace.layout import BatchOptions, ShardFormat, write_options
from dsocr.batch.workspace.planner import plan_documents
from dsocr.batch.workspace.sources import find_files
from dsocr.batch.workspace.stores.store import Store, open_store
from tests.fakes import OPTIONS, pdf, png

ROOT = Path(__file__).parents[3]


def make_documents(folder: Path, number: int, num_pages: int = 1) -> None:
    """`number` documents whose pages have different texts: images, or PDFs with more pages."""
    folder.mkdir(parents=True, exist_ok=True)
    for at in range(number):
        if num_pages == 1:
            (folder / f"{at:05}.png").write_bytes(png([f"text {at}"]))
        else:
            pages = [[f"text {at} page {page}"] for page in range(num_pages)]
            (folder / f"{at:05}.pdf").write_bytes(pdf(pages))


def planned(location: str, *inputs: str, shards: ShardFormat = "jsonl") -> Store:
    store = open_store(location)
    write_options(store, BatchOptions(OPTIONS, shards=shards))
    plan_documents(store, find_files(inputs))
    return store


def start_worker(workspace: Path, seconds: float = 0.0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.batch.workspace.worker_process"]
    return subprocess.Popen(
        [*command, str(workspace), str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def wait_for_pages(worker: subprocess.Popen[str], number: int) -> None:
    """Until the worker has recorded so many pages, or has ended."""
    assert worker.stdout is not None
    for _ in range(number):
        worker.stdout.readline()


def finish(workers: Sequence[subprocess.Popen[str]]) -> list[int]:
    """Their exit statuses."""
    for worker in workers:
        worker.communicate(timeout=300)
    return [worker.returncode for worker in workers]


def kill(workers: Sequence[subprocess.Popen[str]]) -> None:
    for worker in workers:
        worker.kill()
    finish(workers)


def shards_of(store: Store) -> dict[str, bytes | None]:
    return {key: store.get(key) for key in store.keys("shards/")}
