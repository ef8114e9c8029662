"""Files that are whole or not there, and a progress that suits where it is shown."""

from __future__ import annotations

import contextlib
import os
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

from dsocr.errors import BadRequest, DiskFull


def write_whole(path: Path, content: bytes) -> None:
    """Writes beside it and renames, so that nobody ever meets half a file."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # of the inputs' own folders
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        if error.errno == 28:  # ENOSPC
            raise DiskFull(f"There is no room left for {path}.") from error
        raise BadRequest(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def make_writable(folder: Path) -> None:
    """Makes the folder if need be. Raises `BadRequest` before hours of reading come to nothing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(f"{folder} cannot be made: {error.strerror or error}.") from error
    if not os.access(folder, os.W_OK):
        raise BadRequest(f"{folder} cannot be written to.")


class Report(Protocol):
    """What a person follows the reading by. Always on stderr: stdout is for documents."""

    def opened(self, pages: int) -> None: ...

    def page_done(self) -> None: ...

    def say(self, line: str) -> None:
        """What is good to know."""

    def complain(self, line: str) -> None:
        """What went wrong: said even to those who want quiet."""

    def aside(self) -> AbstractContextManager[None]:
        """While it lasts, the terminal is free for something else."""

    def close(self) -> None: ...


class Lines:
    """For logs and pipes: a line where there is something to say."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def opened(self, pages: int) -> None: ...

    def page_done(self) -> None: ...

    def say(self, line: str) -> None:
        if not self._quiet:
            self.complain(line)

    def complain(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def aside(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def close(self) -> None: ...


class Bar:
    """For a terminal: pages, pages a second, and the time it will still take."""

    def __init__(self, documents: int, console: Console) -> None:
        self._documents = documents
        self._opened = self._pages = self._done = 0
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

    def opened(self, pages: int) -> None:
        self._opened += 1
        self._pages += pages
        self._show()

    def page_done(self) -> None:
        self._done += 1
        self._show()

    def say(self, line: str) -> None:
        self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def complain(self, line: str) -> None:
        self._progress.console.print(line, style="red", markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        self._progress.stop()
        yield
        self._progress.start()

    def close(self) -> None:
        self._progress.stop()

    def _show(self) -> None:
        """Documents not opened yet are taken to be as long as the others are on average."""
        total = round(self._pages / max(1, self._opened) * self._documents)
        rate = self._done / max(1e-3, time.monotonic() - self._began)
        left = (total - self._done) / rate if self._done else None
        self._progress.update(
            self._task,
            completed=self._done,
            total=total,
            rate=f"{rate:.2f} pages/s" if self._done else "",
            left="" if left is None else f"{duration(left)} left",
        )


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        words = (task.fields["rate"], task.fields["left"])
        return Text(", ".join(word for word in words if word))


def duration(seconds: float) -> str:
    """`9 s`, `4:05` or `2:03:00`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@contextlib.contextmanager
def following(documents: int, *, quiet: bool) -> Iterator[Report]:
    console = Console(stderr=True)
    shown = console.is_terminal and not quiet
    report: Report = Bar(documents, console) if shown else Lines(quiet=quiet)
    try:
        yield report
    finally:
        report.close()
