"""Progress and reports of `dsocr batch`."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from dsocr.batch.names import printable
from dsocr.batch.workspace.report import Failure, Status
from dsocr.batch.workspace.worker import Counts
from dsocr.cli.progress import counted, duration, engine_line
from dsocr.engines.base import EngineInfo
from dsocr.engines.selection import EngineSelection

LINE_SECONDS = 30.0
"""How often a log gets a line of progress."""


class BatchDisplay:
    """Shows one worker (`batch.workspace.worker.RunObserver`) on standard error."""

    def __init__(self, num_documents: int | None, *, quiet: bool, bar: Progress | None) -> None:
        """`num_documents`: those not done at the start, for all workers of the workspace; `None`
        where a folder is watched, whose files have no end."""
        self._num_documents, self._quiet, self._bar = num_documents, quiet, bar
        self._began: float | None = None
        self._counts = Counts()
        self._task = bar.add_task("", total=num_documents, state="") if bar else None

    def engine_ready(self, info: EngineInfo, selection: EngineSelection) -> None:
        self._began = time.monotonic()
        if not self._quiet:
            self._print(engine_line(info, selection))

    def page_done(self, counts: Counts) -> None:
        self._counts = replace(counts)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=counts.documents, state=self._state())

    document_done = page_done

    def failed(self, message: str) -> None:
        self._print(message)

    def write_line(self) -> None:
        """A line of progress, once the engine is ready."""
        if self._began is not None:
            self._print(f"{self._documents()}, {self._state()}")

    def _documents(self) -> str:
        done = self._counts.documents
        if self._num_documents is None:
            return counted(done, "document")
        return f"{done} of {counted(self._num_documents, 'document')}"

    def _print(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)

    def _state(self) -> str:
        counts = self._counts
        seconds = max(1e-3, time.monotonic() - (self._began or time.monotonic()))
        parts = [f"{(counts.pages + counts.failed) / seconds:.2f} pages/s"]
        if counts.documents and self._num_documents is not None:
            left = max(0, self._num_documents - counts.documents) * seconds / counts.documents
            parts.append(f"{duration(left)} left")
        parts += [f"{counts.flagged} flagged", f"{counts.failed} failed"]
        if counts.drafted:
            parts.append(f"{counts.accepted} of {counts.drafted} drafted tokens accepted")
        return ", ".join(parts)


@contextlib.contextmanager
def batch_display(num_documents: int | None, *, quiet: bool) -> Iterator[BatchDisplay]:
    """A bar if standard error is a terminal; otherwise lines, also while a page takes long."""
    console = Console(stderr=True)
    if quiet:
        yield BatchDisplay(num_documents, quiet=True, bar=None)
        return
    if not console.is_terminal:
        shown = BatchDisplay(num_documents, quiet=False, bar=None)
        with _called_each(LINE_SECONDS, shown.write_line):
            yield shown
        return
    columns = (
        *(SpinnerColumn(), BarColumn(), MofNCompleteColumn()),
        *(TextColumn("documents"), TextColumn("{task.fields[state]}", markup=False)),
    )
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        yield BatchDisplay(num_documents, quiet=quiet, bar=bar)


@contextlib.contextmanager
def _called_each(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            call()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def status_values(status: Status) -> dict[str, Any]:
    """The status as JSON; page numbers from 1."""
    values = asdict(status)
    values["complete"] = status.is_complete
    values["failures"] = [_failure_values(failure) for failure in status.failures]
    return values


def status_lines(status: Status) -> Iterator[str]:
    yield f"{status.documents_done} of {counted(status.documents, 'document')} done"
    yield f"{counted(status.pages_done, 'page')} done, {status.flagged} flagged"
    yield f"{len(status.failures)} failed, {counted(status.workers, 'worker')} running"
    if status.duplicates:
        yield f"{counted(status.duplicates, 'duplicate')} of other documents, also read"
    if status.unsupported:
        yield f"{counted(status.unsupported, 'file')} not planned, as they are not documents"


def failure_line(failure: Failure) -> str:
    place = "" if failure.page is None else f": page {failure.page + 1}"
    return f"{printable(failure.document.uri)}{place}: {failure.code}: {failure.message}"


def _failure_values(failure: Failure) -> dict[str, Any]:
    return {
        "document": failure.document.id,
        "file": failure.document.uri,
        "page": None if failure.page is None else failure.page + 1,
        "code": failure.code,
        "message": failure.message,
        "retryable": failure.retryable,
    }
