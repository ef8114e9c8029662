"""One run: the references first, then the service, row by row."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.service import report
from bench.service.alone import BOUNDARY, LONE
from bench.service.decoding import decoding_pool, page_list, seconds_of_decoding
from bench.service.documents.corpus import Corpus
from bench.service.references import DecodingAlone, EngineAlone, Lines, Reference
from bench.service.rows import (
    IMAGE_TIMES,
    SERVER_ROWS,
    Context,
    Figures,
    images_beside_a_job,
    lone_images,
    read_folder,
)
from bench.service.server import Launch, Server
from bench.service.timeline import read_trace

CONFIG = (
    Path(__file__).parents[2] / "tests" / "data" / "goldens" / "checkpoint-files" / "config.json"
)
"""The released configuration."""
MAX_NUM_SEQS = 256
"""Pages at a time through the stand-in's process."""
DECODED_FILES = 5
REFERENCE_SECONDS = 900
"""That a measurement of the engine alone may take."""
WORKLOADS = {"uploads": "small", "read": "small", "streams": "images", "lone": "images"}
"""Of the rows that are not named as theirs."""


def write_stand_in_files(folder: Path) -> None:
    """The stand-in engine's weights: of its files only the configuration is read, for the modes."""
    shutil.copy(CONFIG, folder)
    for name in ("tokenizer.json", "model.safetensors"):
        (folder / name).touch()


@dataclass
class Run:
    """What is measured, and the lines of its tables so far."""

    launch: Launch
    corpus: Corpus
    rows: tuple[str, ...]
    weights: str
    """full or tiny; empty: the stand-in engine, which has none."""
    pages: int
    quiet_seconds: float
    ends_at: float
    """No row is begun after this, by the monotonic clock."""
    lines: Lines = field(default_factory=list)
    latencies: Lines = field(default_factory=list)

    def measure(self) -> None:
        """All rows. One that fails is reported and left out."""
        self.launch.checkpoint.mkdir(parents=True, exist_ok=True)
        with self._reference() as reference:
            if any(name in SERVER_ROWS or name == "lone" for name in self.rows):
                with Server(self.launch) as server:
                    self._measure_server(Context(server, self.corpus), reference)
            if "read" in self.rows and self._has_time("read"):
                read = lambda: read_folder(self.launch, self.corpus)  # noqa: E731
                self._measure_row("read", read, reference)

    def workloads(self) -> dict[str, dict[Path, int]]:
        """The files by workload that the rows need; images always."""
        names = dict.fromkeys(["images", *(WORKLOADS.get(name, name) for name in self.rows)])
        return {name: getattr(self.corpus, name) for name in names}

    def _reference(self) -> AbstractContextManager[Reference]:
        return nullcontext(self._engine_alone()) if self.weights else self._decoding_alone()

    def _engine_alone(self) -> EngineAlone:
        """Measures the runtime in one process, and the engine in its own."""
        launch = self.launch
        counts = (str(launch.tokens), str(self.pages))
        folder = str(launch.checkpoint)
        inside = self._json("bench.service.in_process", folder, self.weights, *counts)
        print(f"the checkpoint was written after {inside['checkpoint_seconds']} s", flush=True)
        rows = self._engine_rows(inside["in_flight"], self.workloads())
        reference = EngineAlone(
            {name: line["pages"] / line["seconds"] for name, line in rows.items()}
        )
        self._add([report.boundary_row(rows[BOUNDARY], inside)])
        for name in (LONE, *self.workloads()):
            self._add([report.engine_row(f"the engine alone: {name}", rows[name])])
        return reference

    @contextmanager
    def _decoding_alone(self) -> Iterator[DecodingAlone]:
        """Measures what passes the stand-in's process."""
        write_stand_in_files(self.launch.checkpoint)
        rows = self._engine_rows(MAX_NUM_SEQS, {"images": self.corpus.images})
        self._add([report.engine_row("through the stand-in's process", rows[BOUNDARY])])
        with decoding_pool() as pool:
            yield DecodingAlone(pool, self.workloads())

    def _engine_rows(self, in_flight: int, workloads: dict[str, dict[Path, int]]) -> dict[str, Any]:
        plan = {
            "workloads": {
                name: {str(path): count for path, count in files.items()}
                for name, files in workloads.items()
            },
            "times": {"images": IMAGE_TIMES},
            "in_flight": in_flight,
            "quiet_seconds": self.quiet_seconds,
        }
        path = self.launch.folder / "alone.json"
        path.write_text(json.dumps(plan))
        rows: dict[str, Any] = self._json("bench.service.alone", str(path))["rows"]
        return rows

    def _measure_server(self, context: Context, reference: Reference) -> None:
        print(f"the service admits {context.at_once()} requests at once", flush=True)
        self._warm_up(context)
        if "lone" in self.rows:
            with self._reporting("lone"):
                self._measure_latency(context)
        for name, row in SERVER_ROWS.items():
            if name in self.rows and self._has_time(name):
                self._measure_row(name, lambda row=row: row(context), reference)  # type: ignore[misc]

    def _measure_row(self, name: str, measure: Callable[[], Figures], reference: Reference) -> None:
        with self._reporting(name):
            self._add(reference.measure(WORKLOADS.get(name, name), measure))

    def _measure_latency(self, context: Context) -> None:
        pages = page_list(self.corpus.images)[:DECODED_FILES]
        decoding = sorted(seconds_of_decoding(pages))[len(pages) // 2]
        loads = {"alone": lone_images(context)}
        if "scanned" in self.rows:
            loads["beside a scanned PDF job"] = images_beside_a_job(context)
        _, spans = read_trace(self.launch.trace)
        self.latencies += report.latency_rows(loads, spans, decoding)
        print(report.table(self.latencies), flush=True)

    def _warm_up(self, context: Context) -> None:
        """A wave of images, then a pause without pages, as the engine alone had it."""
        files = [*self.corpus.images]
        context.clients("ocr", files, min(len(files), context.at_once())).run()
        time.sleep(self.quiet_seconds)

    @contextmanager
    def _reporting(self, name: str) -> Iterator[None]:
        """Prints what a row raises, and lets the others run."""
        try:
            yield
        except Exception:
            print(f"the row {name} failed", flush=True)
            traceback.print_exc()

    def _has_time(self, name: str) -> bool:
        if time.monotonic() < self.ends_at:
            return True
        print(f"no time left for the row {name}", flush=True)
        return False

    def _add(self, lines: Lines) -> None:
        self.lines += lines
        for line in lines:
            print({name: value for name, value in line.items() if value}, flush=True)

    def _json(self, module: str, *arguments: str) -> Any:
        """The last line that a module of ours prints."""
        out = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=self.launch.environment(),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=REFERENCE_SECONDS,
        )
        return json.loads(out.stdout.splitlines()[-1])
