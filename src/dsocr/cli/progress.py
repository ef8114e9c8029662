"""Progress on standard error: a bar on a terminal, lines in logs and pipes."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from dsocr.batch.inputs import Input
from dsocr.batch.runner import Summary
from dsocr.engines.base import EngineInfo
from dsocr.engines.selection import EngineSelection


class Display(Protocol):
    """Shows progress and messages on standard error; standard output is for documents."""

    def document_opened(self, num_pages: int) -> None: ...

    def page_done(self) -> None: ...

    def info(self, line: str) -> None:
        """Not shown with `--quiet`."""

    def error(self, line: str) -> None:
        """Always shown."""

    def paused(self) -> AbstractContextManager[None]:
        """Frees the terminal for other output."""

    def close(self) -> None: ...


class Lines:
    """For logs and pipes: messages only."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def document_opened(self, num_pages: int) -> None: ...

    def page_done(self) -> None: ...

    def info(self, line: str) -> None:
        if not self._quiet:
            self.error(line)

    def error(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def paused(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def close(self) -> None: ...


class Bar:
    """For a terminal: pages done, pages per second, and the estimated time left."""

    def __init__(self, num_documents: int, console: Console) -> None:
        self._num_documents = num_documents
        self._num_opened = self._num_pages = self._num_done = 0
        self._began = time.monotonic()
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("pages"),
            _Rate(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
        )
        self._task = self._progress.add_task("", total=None, rate="", left="")
        self._progress.start()

    def document_opened(self, num_pages: int) -> None:
        self._num_opened += 1
        self._num_pages += num_pages
        self._update()

    def page_done(self) -> None:
        self._num_done += 1
        self._update()

    def info(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def error(self, line: str) -> None:
        self._progress.console.print(line, style="red", markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        self._progress.stop()
        yield
        self._progress.start()

    def close(self) -> None:
        self._progress.stop()

    def _update(self) -> None:
        """Documents that are not opened yet count as many pages as the others have on average."""
        total = round(self._num_pages / max(1, self._num_opened) * self._num_documents)
        rate = self._num_done / max(1e-3, time.monotonic() - self._began)
        left = (total - self._num_done) / rate if self._num_done else None
        self._progress.update(
            self._task,
            completed=self._num_done,
            total=total,
            rate=f"{rate:.2f} pages/s" if self._num_done else "",
            left="" if left is None else f"{duration(left)} left",
        )


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        parts = (task.fields["rate"], task.fields["left"])
        return Text(", ".join(part for part in parts if part))


class DisplayObserver:
    """Shows a batch run (`batch.runner.Observer`)."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self.document_opened = display.document_opened
        self.page_done = display.page_done
        self.failed = display.error
        self.noted = display.info

    def engine_ready(self, info: EngineInfo, selection: EngineSelection) -> None:
        self._display.info(engine_line(info, selection))

    def document_written(self, entry: Input, target: Path, num_pages: int, seconds: float) -> None:
        pages = counted(num_pages, "page")
        self._display.info(f"{entry} -> {target} ({pages}, {duration(seconds)})")


def engine_line(info: EngineInfo, selection: EngineSelection) -> str:
    return f"Engine: {info.name} ({info.model}, {info.device}), because {selection.reason}."


def summary_line(summary: Summary, num_left_out: int) -> str:
    """`num_left_out`: documents that were not read because their output exists."""
    seconds = summary.seconds
    parts = [
        f"{counted(summary.documents, 'document')}, {counted(summary.pages, 'page')} "
        f"in {duration(seconds)} ({summary.pages / max(seconds, 1e-3):.2f} pages/s)"
    ]
    if summary.failed:
        parts.append(f"{summary.failed} failed")
    if num_left_out:
        parts.append(f"{num_left_out} left out because the output exists")
    if summary.skipped:
        parts.append(f"{counted(summary.skipped, 'other file')} skipped")
    return "; ".join(parts) + "."


def duration(seconds: float) -> str:
    """`9 s`, `4:05` or `2:03:00`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def counted(number: int, noun: str) -> str:
    """`1 page`, `2 pages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextlib.contextmanager
def display(num_documents: int, *, quiet: bool) -> Iterator[Display]:
    """A bar if standard error is a terminal, lines otherwise."""
    console = Console(stderr=True)
    shown = console.is_terminal and not quiet
    created: Display = Bar(num_documents, console) if shown else Lines(quiet=quiet)
    try:
        yield created
    finally:
        created.close()
