"""`dsocr jobs`: commands for the jobs of a running service."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.table import Table

from dsocr.batch.figures import has_figure_files, write_with_figures
from dsocr.batch.storage import write_output
from dsocr.cli.options import (
    LOCAL_URL,
    BreaksOption,
    CaptionsOption,
    ChunkOverlapOption,
    ChunkSizeOption,
    FiguresOption,
    FrontmatterOption,
    HeadersOption,
    HeadingsOption,
    JoinOption,
    KeyOption,
    LanguagesOption,
    MathOption,
    RedactOption,
    RepairOption,
    TablesOption,
    TocOption,
    UnescapeOption,
    UrlOption,
    choice,
    export_options,
    format_option,
)
from dsocr.cli.output import format_of_file, is_stdout
from dsocr.cli.progress import display
from dsocr.engines.deepseek.modes import MODE_CHOICES
from dsocr.errors import BadRequest

if TYPE_CHECKING:
    from dsocr.client import Client, ExportOptions, Job, JobOptions

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")

jobs = typer.Typer(
    name="jobs",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Jobs of a running service: they continue without this terminal and after a restart.",
)

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The id of the job.")]


@jobs.command()
def submit(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files of the job, in this order.")
    ],
    mode: Annotated[
        str | None, choice(MODE_CHOICES, help="Resolution mode.", default="gundam")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="Prompt for the model.", show_default="the default prompt")
    ] = None,
    pages: Annotated[
        str | None, typer.Option(help="Pages of each file, from 1: `1-3,7`.", show_default=False)
    ] = None,
    dpi: Annotated[
        float | None,
        typer.Option(help="Resolution of PDF pages.", show_default="chosen by what is on the page"),
    ] = None,
    languages: LanguagesOption = None,
    engine: Annotated[
        str | None, typer.Option(help="Only read the job with this engine.", show_default="any")
    ] = None,
    password: Annotated[
        str | None, typer.Option(help="Password of protected PDFs.", show_default=False)
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Watch the job until it is finished.")
    ] = False,
    url: UrlOption = LOCAL_URL,
    key: KeyOption = None,
) -> None:
    """Submit files as one job and write its id to standard output.

    When the command returns, the job is stored by the service and survives its restart.
    """
    values = {
        "mode": mode,
        "prompt": prompt,
        "pages": pages,
        "dpi": dpi,
        "languages": languages,
        "engine": engine,
        "password": password,
    }
    fields = {name: value for name, value in values.items() if value is not None}
    with _client(url, key) as client:
        job = client.create_job(paths, **cast("JobOptions", fields))
        print(job.jobId, flush=True)
        if watch:
            _watch(client, job.jobId)


@jobs.command("list")
def list_jobs(
    status: Annotated[
        str | None, choice(STATUSES, help="Only jobs with this status.", default="all")
    ] = None,
    search: Annotated[
        str | None, typer.Option(help="Part of a file name.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most jobs to show.")] = 20,
    url: UrlOption = LOCAL_URL,
    key: KeyOption = None,
) -> None:
    """List jobs, newest first."""
    with _client(url, key) as client:
        found = client.jobs(status=status, search=search, limit=limit)
    table = Table("job", "status", "pages", "failed", "created", "files", box=None)
    for job in found.jobs:
        pages = f"{job.pagesDone}/{job.pagesTotal}"
        failed = str(job.pagesFailed or "")
        created = job.createdAt[:16].replace("T", " ")
        table.add_row(job.jobId, job.status, pages, failed, created, _names(job))
    console = Console()
    if not console.is_terminal:
        console.width = 1000  # output to a program: lines are not wrapped
    console.print(table)
    if found.total > len(found.jobs):
        print(f"{found.total - len(found.jobs)} more", file=sys.stderr)


@jobs.command()
def watch(job: JobArgument, url: UrlOption = LOCAL_URL, key: KeyOption = None) -> None:
    """Watch a job until it is finished. The exit status is 1 when it failed or was cancelled.

    Ctrl-C stops watching, not the job. The command reconnects to a service that restarts.
    """
    with _client(url, key) as client:
        _watch(client, job)


@jobs.command()
def cancel(job: JobArgument, url: UrlOption = LOCAL_URL, key: KeyOption = None) -> None:
    """Stop a job. Pages that were read are kept and can be exported."""
    with _client(url, key) as client:
        stopped = client.cancel(job)
    print(f"cancelled after {stopped.pagesDone} of {stopped.pagesTotal} pages")


@jobs.command()
def export(
    job: JobArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Output file.",
            show_default="standard output",
        ),
    ] = None,
    format: Annotated[
        str | None,
        format_option("Format of the file."),
    ] = None,
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
    url: UrlOption = LOCAL_URL,
    key: KeyOption = None,
) -> None:
    """Write the pages of a job as a file, also before it is finished."""
    try:
        wanted = format_of_file(format, output or Path())
        options = export_options(locals())
    except BadRequest as error:
        raise typer.BadParameter(error.message) from error
    chosen = cast("ExportOptions", options.changed())
    with _client(url, key) as client:
        content = client.export(job, wanted.key, **chosen)
        if output is None or is_stdout(str(output)):
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        elif has_figure_files(wanted.key, options, output, io.BytesIO(content)):
            archive = client.export(job, "zip", **chosen)
            write_with_figures(output, io.BytesIO(content), io.BytesIO(archive))
        else:
            write_output(output, content)


def _client(url: str, key: str | None) -> Client:
    from dsocr.client import Client  # slow to import, and not needed for the help

    return Client(url, key)


def _watch(client: Client, job_id: str) -> None:
    """Shows the progress. Raises `Exit(1)` unless the job succeeds."""
    from dsocr.client import JobDone, JobPageDone

    job = client.job(job_id)
    num_shown = 0
    with display(1, quiet=False) as shown:
        shown.document_opened(job.pagesTotal)
        for event in client.job_events(job_id):
            if isinstance(event, JobPageDone):
                if event.page.error:
                    page = f"{event.page.fileName}, page {event.page.filePageIndex + 1}"
                    shown.error(f"{page}: {event.page.error.message}")
                continue
            while num_shown < event.job.pagesDone:
                shown.page_done()
                num_shown += 1
            if isinstance(event, JobDone):
                shown.info(_summary(event.job))
                if event.job.status != "succeeded":
                    raise typer.Exit(1)


def _summary(job: Job) -> str:
    text = f"{job.status}: {job.pagesDone} of {job.pagesTotal} pages"
    if job.pagesFailed:
        text += f", {job.pagesFailed} failed"
    return f"{text}: {job.error.message}" if job.error else text


def _names(job: Job) -> str:
    first, *others = [file.fileName for file in job.files]
    return f"{first} and {len(others)} more" if others else first
