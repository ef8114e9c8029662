"""`dsocr jobs`: long readings that a running service does, so that they outlive this terminal."""

from __future__ import annotations

import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from dsocr.cli.options import choice
from dsocr.cli.output import following, write_whole
from dsocr.engines.deepseek.modes import MODES
from dsocr.exports import FORMATS

if TYPE_CHECKING:
    from dsocr.client import Client, Job

STATUSES = ("queued", "running", "succeeded", "failed", "cancelled")

jobs = typer.Typer(
    name="jobs",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Jobs of a running service: they go on when this terminal is closed, and after a restart.",
)

UrlOption = Annotated[
    str,
    typer.Option(
        "--url",
        metavar="URL",
        envvar="DSOCR_URL",
        show_envvar=False,
        help="Where the service is.",
        show_default="DSOCR_URL, else http://127.0.0.1:8000",
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="KEY",
        envvar="DSOCR_KEY",
        show_envvar=False,
        help="A key of the service, where it asks for one. Better in the variable: a command line "
        "is seen by others.",
        show_default="DSOCR_KEY",
    ),
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The id of the job.")]
LOCAL = "http://127.0.0.1:8000"


@jobs.command()
def submit(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files of the job, in this order.")
    ],
    mode: Annotated[str | None, choice(MODES, help="How finely to look.", default="gundam")] = None,
    prompt: Annotated[
        str | None, typer.Option(help="What to do.", show_default="the default prompt")
    ] = None,
    pages: Annotated[
        str | None, typer.Option(help="Pages of each file, from 1: `1-3,7`.", show_default=False)
    ] = None,
    dpi: Annotated[
        float | None,
        typer.Option(help="Of PDF pages.", show_default="what suits the engine"),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="The engine that must read it.", show_default="any")
    ] = None,
    password: Annotated[
        str | None, typer.Option(help="Of protected PDFs.", show_default=False)
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Watch it until it is over.")
    ] = False,
    url: UrlOption = LOCAL,
    key: KeyOption = None,
) -> None:
    """Submit files as one job; its id is written to standard output.

    When the command returns, the service has the files on its disk and will read them.
    """
    given = {
        "mode": mode,
        "prompt": prompt,
        "pages": pages,
        "dpi": dpi,
        "engine": engine,
        "password": password,
    }
    fields = {name: str(value) for name, value in given.items() if value is not None}
    with _client(url, key) as client:
        job = client.submit(paths, fields, idempotency_key=uuid.uuid4().hex)
        print(job["jobId"], flush=True)
        if watch:
            _watch(client, job["jobId"])


@jobs.command("list")
def list_jobs(
    status: Annotated[str | None, choice(STATUSES, help="Only those.", default="all")] = None,
    search: Annotated[
        str | None, typer.Option(help="Part of a file name.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="Most to show.")] = 20,
    url: UrlOption = LOCAL,
    key: KeyOption = None,
) -> None:
    """List jobs, newest first."""
    with _client(url, key) as client:
        listed, total = client.jobs(status=status, search=search, limit=limit)
    table = Table("job", "status", "pages", "failed", "created", "files", box=None)
    for job in listed:
        pages = f"{job['pagesDone']}/{job['pagesTotal']}"
        failed = str(job["pagesFailed"] or "")
        created = job["createdAt"][:16].replace("T", " ")
        table.add_row(job["jobId"], job["status"], pages, failed, created, _names(job))
    console = Console()
    if not console.is_terminal:
        console.width = 1000  # for a program: no line is folded
    console.print(table)
    if total > len(listed):
        print(f"{total - len(listed)} more", file=sys.stderr)


@jobs.command()
def watch(job: JobArgument, url: UrlOption = LOCAL, key: KeyOption = None) -> None:
    """Watch a job until it is over. Ends with 1 when the job has failed or was cancelled.

    Ctrl-C ends the watching, not the job. A service that restarts is waited for.
    """
    with _client(url, key) as client:
        _watch(client, job)


@jobs.command()
def cancel(job: JobArgument, url: UrlOption = LOCAL, key: KeyOption = None) -> None:
    """Stop a job. What was read stays and can be exported."""
    with _client(url, key) as client:
        stopped = client.cancel(job)
    print(f"cancelled after {stopped['pagesDone']} of {stopped['pagesTotal']} pages")


@jobs.command()
def export(
    job: JobArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write.",
            show_default="standard output",
        ),
    ] = None,
    format: Annotated[
        str | None,
        choice(
            (known.key for known in FORMATS),
            "--format",
            "-f",
            help="What to write.",
            default="what the ending of -o says, else markdown",
        ),
    ] = None,
    url: UrlOption = LOCAL,
    key: KeyOption = None,
) -> None:
    """Write what a job has read as a file; also while it still reads."""
    ending = output.suffix.lstrip(".").lower() if output else ""
    by_ending = {known.extension: known.key for known in reversed(FORMATS)}
    wanted = format or by_ending.get(ending, "markdown")
    with _client(url, key) as client:
        content = client.export(job, wanted)
    if output is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_whole(output, content)


def _client(url: str, key: str | None) -> Client:
    from dsocr.client import Client  # not needed to show the help

    return Client(url, key)


def _watch(client: Client, job_id: str) -> None:
    """Shows how it goes; leaves with status 1 when it did not go well."""
    begun = client.job(job_id)
    shown = 0
    with following(1, quiet=False) as report:
        report.opened(begun["pagesTotal"])
        for name, data in client.watch(job_id):
            if name == "page_done":
                if data["error"]:
                    page = f"{data['fileName']}, page {data['filePageIndex'] + 1}"
                    report.complain(f"{page}: {data['error']['message']}")
                continue
            while shown < data["pagesDone"]:
                report.page_done()
                shown += 1
            if name == "done":
                report.say(_summary(data))
                if data["status"] != "succeeded":
                    raise typer.Exit(1)


def _summary(job: Job) -> str:
    words = f"{job['status']}: {job['pagesDone']} of {job['pagesTotal']} pages"
    if job["pagesFailed"]:
        words += f", {job['pagesFailed']} failed"
    return f"{words}: {job['error']['message']}" if job["error"] else words


def _names(job: dict[str, Any]) -> str:
    first, *others = [file["fileName"] for file in job["files"]]
    return f"{first} and {len(others)} more" if others else str(first)
