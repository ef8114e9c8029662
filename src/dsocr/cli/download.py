"""`dsocr download`: the weights, with a progress that suits the place."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from dsocr.cli import hub
from dsocr.config import Settings, default_model_path
from dsocr.engines.deepseek.weights import REPOSITORY
from dsocr.errors import BadRequest


def download(
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            file_okay=False,
            help="Folder to put the weights into.",
            show_default="DEEPSEEK_OCR_MODEL_PATH, else ocr_project/model",
        ),
    ] = None,
    repo: Annotated[str, typer.Option(metavar="OWNER/MODEL", help="Model to fetch.")] = REPOSITORY,
    revision: Annotated[
        str | None,
        typer.Option(help="Branch, tag or commit.", show_default="main"),
    ] = None,
) -> None:
    """Fetch the DeepSeek-OCR weights (6.7 GB) from the Hugging Face hub.

    Only what reading needs is fetched: weights, tokenizer and configuration, no code. A broken
    download goes on where it stopped when the command is run again. Every file's size and hash are
    compared with the hub's record, of files that are there already too.

    `HF_ENDPOINT` names another hub, `HF_TOKEN` a key for it.
    """
    folder = to or Settings.from_environment().runtime.model_path or default_model_path()
    snapshot = hub.look_up(repo, revision)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(f"{folder} cannot be made: {error.strerror}.") from error
    hub.check_room(snapshot, folder)
    said = f"{repo} at {snapshot.commit[:8]}: {len(snapshot.files)} files, {_size(snapshot.size)}"
    print(f"{said} -> {folder}", file=sys.stderr)
    with _progress(snapshot.size) as on_bytes:
        fetched = [hub.fetch(snapshot, file, folder, on_bytes=on_bytes) for file in snapshot.files]
    print(
        f"{sum(fetched)} fetched, {len(fetched) - sum(fetched)} there already; "
        "all sizes and hashes are right.",
        file=sys.stderr,
    )


@contextmanager
def _progress(size: int) -> Iterator[hub.OnBytes]:
    console = Console(stderr=True)
    columns = (
        TextColumn("fetching"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        task = progress.add_task("", total=size)
        yield lambda count: progress.advance(task, count)


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
