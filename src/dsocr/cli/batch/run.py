"""`dsocr batch run`: a worker that reads what is planned, here or on a Ray cluster."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from dsocr.batch.ray_workers import RayRun, placed_workers
from dsocr.batch.workspace.budget import TooManyErrors, parse_budget
from dsocr.batch.workspace.layout import read_options
from dsocr.batch.workspace.report import read_status
from dsocr.batch.workspace.stores.store import Store, open_store
from dsocr.batch.workspace.worker import LEASE_SECONDS, RunConfig, run_worker
from dsocr.cli.batch.arguments import JsonOption, PasswordOption, WorkspaceArgument, local_folder
from dsocr.cli.batch.display import BatchDisplay, batch_display
from dsocr.cli.batch.exit_status import OVER_BUDGET, exit_code, print_status
from dsocr.cli.batch.watched_folders import WatchedFolders
from dsocr.cli.options import EngineOption
from dsocr.config import Settings
from dsocr.errors import BadRequest
from dsocr.host import started_host


def run(
    workspace: WorkspaceArgument,
    engine: EngineOption = None,
    password: PasswordOption = None,
    max_errors: Annotated[
        str | None,
        typer.Option(
            "--max-errors",
            metavar="N|N%",
            help="Stop this worker when more pages fail: a number, or a share from 100 pages on.",
            show_default="no limit",
        ),
    ] = None,
    lease: Annotated[
        float,
        typer.Option(
            min=1,
            help="Seconds without a heartbeat after which other machines take over this "
            "worker's documents; on the same machine they do at once when its process has ended.",
        ),
    ] = LEASE_SECONDS,
    watch: Annotated[
        list[str] | None,
        typer.Option(
            "--watch",
            metavar="DIR",
            help="Plan and read new files of this folder until interrupted; may be repeated.",
            show_default=False,
        ),
    ] = None,
    on_ray: Annotated[
        bool,
        typer.Option(
            "--ray",
            help="Run DEEPSEEK_OCR_RAY__MAX_REPLICAS workers on a Ray cluster, which starts lost "
            "ones again; needs the extra ray.",
        ),
    ] = False,
    as_json: JsonOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show errors only.")] = False,
) -> None:
    """Read the planned documents. Run it again to resume; run it several times to share the work.

    Each page is recorded when it is done, and is not read again. A page that fails is recorded as
    failed, and the batch goes on. The command ends when every document is read, also those of
    other workers.

    Exit status: 0, complete; 1, it cannot run; 2, usage error; 3, complete, and some pages or
    documents failed; 4, stopped by `--max-errors`; 5, documents were planned meanwhile and are not
    read; 130, interrupted.

    - `dsocr batch run work/`
    - `dsocr batch run work/ --max-errors 5%`
    - `dsocr batch run inbox.work/ --watch inbox/`, after `dsocr batch plan inbox.work/ inbox/`
    - `dsocr batch run s3://bucket/work --ray`
    """
    if on_ray and watch:
        raise typer.BadParameter("--watch needs workers of this machine, without --ray.")
    settings = Settings.from_environment()
    chosen = engine or (settings.ray.engine if on_ray else settings.engine)
    settings = dataclasses.replace(settings, engine=chosen)
    store = open_store(workspace)
    try:
        budget = parse_budget(max_errors) if max_errors else RunConfig().budget
        watched = WatchedFolders(store, watch, local_folder(workspace)) if watch else None
    except BadRequest as error:
        raise typer.BadParameter(error.message) from error
    read_options(store)
    config = RunConfig(password, lease, budget, watched.scan if watched else None)
    before = read_status(store)
    to_read = None if watch else before.documents - before.documents_done
    with batch_display(to_read, quiet=quiet) as shown:
        try:
            if on_ray:
                _run_on_ray(workspace, settings, config)
            else:
                _run(store, settings, config, shown)
        except TooManyErrors as error:
            shown.failed(f"dsocr: {error.message}")
            raise typer.Exit(OVER_BUDGET) from error
    after = read_status(store)
    if as_json or not quiet:
        print_status(after, as_json=as_json)
    raise typer.Exit(exit_code(after))


def _run(store: Store, settings: Settings, config: RunConfig, shown: BatchDisplay) -> None:
    async def work() -> None:
        async with started_host(settings.host_config()) as host:
            await run_worker(store, host, config, shown)

    with _interrupted_by_sigterm():
        asyncio.run(work())


def _run_on_ray(workspace: str, settings: Settings, config: RunConfig) -> None:
    folder = local_folder(workspace)
    location = str(folder.resolve()) if folder else workspace
    placed = RayRun(location, settings.host_config(), config, settings.ray)
    with (
        contextlib.redirect_stdout(sys.stderr),  # Ray prints there that a worker was lost
        _interrupted_by_sigterm(),
        placed_workers(placed) as workers,
    ):
        workers.wait()


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM ends like Ctrl-C: claims are given back, no child process is left."""
    before: Any = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
