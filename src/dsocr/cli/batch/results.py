"""What a batch has read: its status, failures to retry, the check, and exports."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from dsocr.batch.storage import make_writable_folder
from dsocr.batch.workspace.export import ExportJob, export_documents
from dsocr.batch.workspace.layout import read_options
from dsocr.batch.workspace.planner import plan_retry
from dsocr.batch.workspace.report import find_problems, pages_to_retry, read_status
from dsocr.batch.workspace.stores.store import open_store
from dsocr.cli.batch.arguments import JsonOption, PasswordOption, WorkspaceArgument
from dsocr.cli.batch.display import failure_line
from dsocr.cli.batch.exit_status import INCOMPLETE, exit_code, export_code, print_status
from dsocr.cli.options import (
    BreaksOption,
    CaptionsOption,
    ChunkOverlapOption,
    ChunkSizeOption,
    FiguresOption,
    FrontmatterOption,
    HeadersOption,
    HeadingsOption,
    JoinOption,
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
from dsocr.errors import BadRequest
from dsocr.exports import FORMATS

HOW_TO_MEND = (
    "dsocr: Run the batch for what is not sealed. Where a shard is broken, or lacks or repeats "
    "records, delete shards/GROUP.* and done/GROUP.json first; its documents are read again."
)


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
    print_status(found, as_json=as_json)
    if failures and not as_json:
        for failure in found.failures:
            print(failure_line(failure))
    raise typer.Exit(exit_code(found))


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
    raise typer.Exit(INCOMPLETE if problems else exit_code(read_status(store)))


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
    raise typer.Exit(export_code(done))
