"""`dsocr download`: fetches the weights, with a progress bar on a terminal."""

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

    Fetches the weights, the tokenizer and the configuration, no code. Run the command again to
    resume an interrupted download. The size and hash of every file are compared with the hub's
    record, also of files that are there already.

    `HF_ENDPOINT` names another hub, `HF_TOKEN` is its access token.
    """
    folder = to or Settings.from_environment().runtime.model_path or default_model_path()
    snapshot = hub.look_up(repo, revision)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(
            f"Cannot create {folder}: {error.strerror}. Choose another folder with --to."
        ) from error
    hub.check_disk_space(snapshot, folder)
    summary = (
        f"{repo} at {snapshot.commit[:8]}: {len(snapshot.files)} files, {_size(snapshot.size)}"
    )
    print(f"{summary} -> {folder}", file=sys.stderr)
    with _progress(snapshot.size) as on_bytes:
        fetched = [hub.fetch(snapshot, file, folder, on_bytes=on_bytes) for file in snapshot.files]
    print(
        f"{sum(fetched)} files fetched, {len(fetched) - sum(fetched)} already there; "
        "all sizes and hashes match.",
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
