"""`dsocr batch`: reads any number of documents through a workspace, resumable, by many workers."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from dsocr.batch.ray_workers import RayRun, placed_workers
from dsocr.batch.storage import make_writable_folder
from dsocr.batch.workspace.budget import TooManyErrors, parse_budget
from dsocr.batch.workspace.export import Exported, ExportJob, export_documents
from dsocr.batch.workspace.layout import BatchOptions, ShardFormat, read_options, write_options
from dsocr.batch.workspace.planner import plan_documents, plan_retry
from dsocr.batch.workspace.report import Status, find_problems, pages_to_retry, read_status
from dsocr.batch.workspace.shards import check_format
from dsocr.batch.workspace.sources import FoundFile, find_files, read_list
from dsocr.batch.workspace.stores.store import Store, is_cloud, open_store
from dsocr.batch.workspace.worker import LEASE_SECONDS, RunConfig, run_worker
from dsocr.cli.batch_display import (
    BatchDisplay,
    batch_display,
    failure_line,
    status_lines,
    status_values,
)
from dsocr.cli.options import (
    BreaksOption,
    CaptionsOption,
    ChunkOverlapOption,
    ChunkSizeOption,
    EngineOption,
    FiguresOption,
    FrontmatterOption,
    HeadersOption,
    HeadingsOption,
    JoinOption,
    LanguagesOption,
    MathOption,
    RedactOption,
    RepairOption,
    TablesOption,
    TocOption,
    UnescapeOption,
    choice,
    export_options,
)
from dsocr.cli.progress import counted
from dsocr.config import Settings
from dsocr.engines.deepseek.modes import DEFAULT_MODE, MODE_CHOICES
from dsocr.engines.deepseek.prompts import TASKS
from dsocr.errors import BadRequest
from dsocr.exports import FORMATS
from dsocr.host import started_host
from dsocr.options import OptionLimits, build_options, prompt_for_task
from dsocr.pipeline.page_ranges import parse_page_ranges
from dsocr.types import OcrOptions

WITH_FAILURES = 3
OVER_BUDGET = 4
INCOMPLETE = 5
HOW_TO_MEND = (
    "dsocr: Run the batch for what is not sealed. Where a shard is broken, or lacks or repeats "
    "records, delete shards/GROUP.* and done/GROUP.json first; its documents are read again."
)

batch = typer.Typer(
    name="batch",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Many documents through a workspace: stopped and resumed at any time, by many workers.",
)

WorkspaceArgument = Annotated[
    str,
    typer.Argument(
        metavar="WORKSPACE",
        help="A folder, or `s3://`, `gs://` or `az://` with the extra cloud.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]
PasswordOption = Annotated[
    str | None,
    typer.Option(
        help="Password of protected PDFs; it is not stored in the workspace.", show_default=False
    ),
]


@batch.command()
def plan(
    workspace: WorkspaceArgument,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH...]",
            help="Files, folders with all subfolders, patterns, or `s3://bucket/prefix`.",
            show_default=False,
        ),
    ] = None,
    list_file: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A file with more inputs, one a line.",
            show_default=False,
        ),
    ] = None,
    pages: Annotated[
        str | None,
        typer.Option(help="Pages of each document, from 1: `1-3,7`.", show_default=False),
    ] = None,
    mode: Annotated[
        str, choice(MODE_CHOICES, help="Resolution mode.", default=DEFAULT_MODE)
    ] = DEFAULT_MODE,
    task: Annotated[str | None, choice(TASKS, help="Task.", default="markdown")] = None,
    dpi: Annotated[
        float | None,
        typer.Option(
            min=36,
            max=1200,
            help="Resolution of PDF pages in pixels per inch.",
            show_default="chosen by what is on the page",
        ),
    ] = None,
    languages: LanguagesOption = None,
    shards: Annotated[
        str,
        choice(
            get_args(ShardFormat),
            help="How results are kept; parquet needs the extra parquet.",
            default="jsonl",
        ),
    ] = "jsonl",
    as_json: JsonOption = False,
) -> None:
    """Plan documents in a workspace, or add more to it. Nothing is read yet.

    Files that are in the plan are left out, so planning again adds new files. Files with the
    content of another one are noted and also read. Files that are not documents are listed in the
    plan and left out. The options of the first plan hold for the whole workspace.

    Exit status: 0, planned; 1, the workspace cannot be used; 2, usage error.

    - `dsocr batch plan work/ scans/`
    - `dsocr batch plan s3://bucket/work s3://bucket/scans --shards parquet`
    """
    store = open_store(workspace)
    try:
        if pages:
            parse_page_ranges(pages)
        kind = cast(ShardFormat, shards)
        check_format(kind)
        listed = read_list(list_file) if list_file is not None else []
        options = BatchOptions(_options(task, mode, languages), pages, dpi, kind)
        given = [*(inputs or []), *listed]
        if not given:
            raise BadRequest("Name files or folders, or a list with --from.")
        files = list(find_files(given, leave_out=_local_folder(workspace)))
    except BadRequest as error:
        raise typer.BadParameter(error.message) from error
    write_options(store, options)
    planned = plan_documents(store, files)
    if as_json:
        print(json.dumps(dataclasses.asdict(planned)))
        return
    print(
        f"{counted(planned.documents, 'document')} planned, {planned.known} known, "
        f"{counted(planned.duplicates, 'duplicate')}, {planned.unsupported} not supported."
    )


@batch.command()
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
        watched = WatchedFolders(store, watch, _local_folder(workspace)) if watch else None
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
        _print_status(after, as_json=as_json)
    raise typer.Exit(_exit_code(after))


@batch.command()
def status(
    workspace: WorkspaceArgument,
    failures: Annotated[
        bool, typer.Option("--failures", help="List failed pages and documents.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how far a batch is, and what failed.

    Exit status: 0, complete; 1, the workspace cannot be used; 3, complete, and some pages or
    documents failed; 5, not complete.
    """
    store = open_store(workspace)
    read_options(store)
    found = read_status(store)
    _print_status(found, as_json=as_json)
    if failures and not as_json:
        for failure in found.failures:
            print(failure_line(failure))
    raise typer.Exit(_exit_code(found))


@batch.command()
def retry(
    workspace: WorkspaceArgument,
    codes: Annotated[
        list[str] | None,
        typer.Option(
            "--code", help="Only failures of this code; may be repeated.", show_default="all"
        ),
    ] = None,
) -> None:
    """Plan failed pages and documents again; `dsocr batch run` then reads them.

    Exit status: 0, planned, or nothing failed; 1, the workspace cannot be used; 5, not complete:
    run the batch first.
    """
    store = open_store(workspace)
    read_options(store)
    found = read_status(store)
    if not found.is_complete:
        print("dsocr: The batch is not complete; run it before a retry.", file=sys.stderr)
        raise typer.Exit(INCOMPLETE)
    wanted = pages_to_retry(found, set(codes) if codes else None)
    if wanted and not plan_retry(store, wanted):
        raise BadRequest("The plan was changed at the same time; run the command again.")
    print(f"{counted(len(wanted), 'document')} to read again.")


@batch.command()
def verify(workspace: WorkspaceArgument, as_json: JsonOption = False) -> None:
    """Check that each planned document and each of its pages is recorded exactly once.

    Exit status: 0, complete; 1, the workspace cannot be used; 3, complete, and some pages or
    documents failed; 5, something is missing, doubled or broken.
    """
    store = open_store(workspace)
    read_options(store)
    problems = list(find_problems(store))
    if as_json:
        print(json.dumps({"complete": not problems, "problems": problems}))
    else:
        print("\n".join(problems) or "Complete: every page is recorded once.")
        if problems:
            print(HOW_TO_MEND, file=sys.stderr)
    raise typer.Exit(INCOMPLETE if problems else _exit_code(read_status(store)))


@batch.command()
def export(
    workspace: WorkspaceArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", help="The folder to write to.", show_default=False
        ),
    ],
    format: Annotated[
        str,
        choice(
            (known.key for known in FORMATS),
            "--format",
            "-f",
            help="Output format. html, docx, pdf, zip and figures need the input files.",
            default="markdown",
        ),
    ] = "markdown",
    headers: HeadersOption = "omit",
    math: MathOption = "brackets",
    tables: TablesOption = "html",
    figures: FiguresOption = "linked",
    breaks: BreaksOption = "rule",
    frontmatter: FrontmatterOption = False,
    toc: TocOption = False,
    join: JoinOption = False,
    repair: RepairOption = False,
    headings: HeadingsOption = False,
    captions: CaptionsOption = False,
    unescape: UnescapeOption = False,
    chunk_size: ChunkSizeOption = 2000,
    chunk_overlap: ChunkOverlapOption = 0,
    redact: RedactOption = None,
    password: PasswordOption = None,
) -> None:
    """Write the documents that are read to files, in any format and as often as needed.

    `scans/a.pdf`, planned as the folder `scans`, becomes `a.pdf.md` in the output folder. Times of
    reading are not kept: `durationMs` is 0 in the JSON. With `--redact` the files keep the names of
    their inputs.

    Exit status: 0, all documents were written; 1, the workspace cannot be used; 2, usage error; 3,
    some could not be written; 5, some are not read yet.
    """
    try:
        options = export_options(locals())
        make_writable_folder(output)
    except BadRequest as error:
        raise typer.BadParameter(error.message) from error
    store = open_store(workspace)
    job = ExportJob(output, format, options, password)
    pages = Settings.from_environment().pages
    done = asyncio.run(
        export_documents(store, job, pages, lambda line: print(line, file=sys.stderr))
    )
    print(
        f"{counted(done.written, 'document')} written, {done.failed} failed, "
        f"{done.not_read} not read yet."
    )
    raise typer.Exit(_export_code(done))


class WatchedFolders:
    """Plans the new files of folders; a file is taken once it is as it was at the last scan."""

    def __init__(self, store: Store, folders: list[str], leave_out: Path | None) -> None:
        """Raises `BadRequest` for a local folder that does not exist."""
        for folder in folders:
            if not (is_cloud(folder) or Path(folder).is_dir()):
                raise BadRequest(f"--watch: {folder} is not a folder. Make it first.")
        self._store, self._folders, self._leave_out = store, folders, leave_out
        self._states: dict[str, FileState] = {}

    def scan(self) -> None:
        files = [
            file
            for file in find_files(self._folders, leave_out=self._leave_out)
            if not file.unsupported
        ]
        states = {file.uri: _file_state(file) for file in files}
        settled = [file for file in files if self._states.get(file.uri) == states[file.uri]]
        self._states = states
        if settled:
            plan_documents(self._store, settled)


FileState = tuple[int, int]
"""Size in bytes and time of modification in nanoseconds; 0 in a bucket, whose files are whole."""


def _file_state(file: FoundFile) -> FileState:
    """The time shows a file that is written into space reserved at its full size."""
    if is_cloud(file.uri):
        return file.num_bytes, 0
    try:
        return file.num_bytes, Path(file.uri).stat().st_mtime_ns
    except OSError:  # removed meanwhile: the next scan does not find it
        return file.num_bytes, 0


def _run(store: Store, settings: Settings, config: RunConfig, shown: BatchDisplay) -> None:
    async def work() -> None:
        async with started_host(settings.host_config()) as host:
            await run_worker(store, host, config, shown)

    with _interrupted_by_sigterm():
        asyncio.run(work())


def _run_on_ray(workspace: str, settings: Settings, config: RunConfig) -> None:
    folder = _local_folder(workspace)
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


def _options(task: str | None, mode: str, languages: str | None) -> OcrOptions:
    settings = Settings.from_environment()
    text = prompt_for_task(task, None, settings.default_prompt)
    limits = OptionLimits(no_repeat_ngram=settings.no_repeat_ngram, languages=settings.languages)
    return build_options(limits, prompt=text, mode=mode, languages=languages)


def _local_folder(workspace: str) -> Path | None:
    return None if is_cloud(workspace) else Path(workspace)


def _print_status(found: Status, *, as_json: bool) -> None:
    print(json.dumps(status_values(found)) if as_json else "\n".join(status_lines(found)))


def _exit_code(found: Status) -> int:
    if not found.is_complete:
        return INCOMPLETE
    return WITH_FAILURES if found.failures else 0


def _export_code(done: Exported) -> int:
    return INCOMPLETE if done.not_read else WITH_FAILURES if done.failed else 0
