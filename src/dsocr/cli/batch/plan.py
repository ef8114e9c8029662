"""`dsocr batch plan`: which documents a workspace has, and how they are read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from dsocr.batch.workspace.layout import BatchOptions, ShardFormat, write_options
from dsocr.batch.workspace.planner import plan_documents
from dsocr.batch.workspace.shards import check_format
from dsocr.batch.workspace.sources import find_files, read_list
from dsocr.batch.workspace.stores.store import open_store
from dsocr.cli.batch.arguments import JsonOption, WorkspaceArgument, local_folder
from dsocr.cli.options import LanguagesOption, choice
from dsocr.cli.progress import counted
from dsocr.config import Settings
from dsocr.engines.deepseek.modes import DEFAULT_MODE, MODE_CHOICES
from dsocr.engines.deepseek.prompts import TASKS
from dsocr.errors import BadRequest
from dsocr.options import OptionLimits, build_options, prompt_for_task
from dsocr.pipeline.page_ranges import parse_page_ranges
from dsocr.types import OcrOptions


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
        files = list(find_files(given, leave_out=local_folder(workspace)))
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


def _options(task: str | None, mode: str, languages: str | None) -> OcrOptions:
    settings = Settings.from_environment()
    text = prompt_for_task(task, None, settings.default_prompt)
    limits = OptionLimits(no_repeat_ngram=settings.no_repeat_ngram, languages=settings.languages)
    return build_options(limits, prompt=text, mode=mode, languages=languages)
