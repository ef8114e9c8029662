"""`dsocr warm`: compiles the kernels of the native engine ahead."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from dsocr.config import Settings


def warm(
    arch: Annotated[
        str | None,
        typer.Option(
            metavar="SM",
            help="GPU architecture such as sm_90 (H100, H200) or sm_86; needs no GPU.",
            show_default="that of the GPU",
        ),
    ] = None,
) -> None:
    """Compile the GPU kernels of the native engine into the kernel cache.

    A start with a filled cache takes seconds; the first one compiles for longer. The cache is the
    folder `DEEPSEEK_OCR_KERNEL_CACHE`. The settings of the native engine (`DEEPSEEK_OCR_DTYPE`,
    `DEEPSEEK_OCR_RUNTIME__CACHE_DTYPE`, ...) must be those of the service. Weights are not needed,
    so a container image can be built with a filled cache.
    """
    from dsocr.engines.deepseek.warm import warm_cache

    settings = Settings.from_environment()
    with _progress() as on_progress:
        cache = warm_cache(settings.runtime, arch, on_progress)
    state = "was complete already" if cache.was_complete else "is complete"
    print(f"The kernel cache for {cache.arch} in {cache.folder} {state}.", file=sys.stderr)
    if cache.failed:
        print(f"Not compiled: {', '.join(cache.failed)}.", file=sys.stderr)
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    columns = (
        TextColumn("compiling kernels"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
