"""`dsocr read`: checks its arguments before anything is loaded, then runs the batch."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from dsocr.batch.inputs import Input
from dsocr.batch.runner import ReadJob, Summary, run_batch
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
    KeyOption,
    LanguagesOption,
    MathOption,
    RedactOption,
    RepairOption,
    TablesOption,
    TocOption,
    UnescapeOption,
    choice,
    export_options,
    format_option,
)
from dsocr.cli.output import Plan, json_line, plan, planned_format
from dsocr.cli.progress import Display, DisplayObserver, counted, display, summary_line
from dsocr.cli.service import Service
from dsocr.config import Settings
from dsocr.engines.deepseek.modes import DEFAULT_MODE, MODE_CHOICES, MODES
from dsocr.engines.deepseek.prompts import TASKS
from dsocr.errors import BadRequest
from dsocr.options import OptionLimits, build_options, prompt_for_task
from dsocr.pipeline.page_ranges import parse_page_ranges
from dsocr.types import ReadOptions


def read(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files, folders (with all subfolders), patterns such as "
            "`scans/**/*.pdf`, or `-` for standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|DIR",
            help="Where to write: a file for one document, otherwise a folder, which gets the "
            "subfolders of the inputs.",
            show_default="standard output",
        ),
    ] = None,
    format: Annotated[
        str | None,
        format_option("Output format. markdown links to its figures; zip and html contain them."),
    ] = None,
    pages: Annotated[
        str | None,
        typer.Option(
            help="Pages of each document, from 1: `1-3,7`, or `5-` for the fifth to the last.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        str,
        choice(
            MODE_CHOICES,
            help="Resolution mode, as speed and quality: "
            + ", ".join(f"{spec.key} {spec.speed}/{spec.quality}" for spec in MODES.values())
            + "; auto chooses for each page.",
            default=DEFAULT_MODE,
        ),
    ] = DEFAULT_MODE,
    task: Annotated[
        str | None,
        choice(
            TASKS,
            help="Task. "
            + "; ".join(f"{spec.key}: {spec.label.lower()}" for spec in TASKS.values())
            + ". locate takes the words to look for from `--prompt`.",
            default="markdown",
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="A prompt of your own, instead of `--task`. Not every engine supports it.",
            show_default=False,
        ),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(help="Password of protected PDFs.", show_default=False),
    ] = None,
    dpi: Annotated[
        float | None,
        typer.Option(
            min=36,
            max=1200,
            help="Resolution of PDF pages in pixels per inch.",
            show_default="chosen by what is on the page",
        ),
    ] = None,
    headers: HeadersOption = "omit",
    languages: LanguagesOption = None,
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
    engine: EngineOption = None,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="Leave out documents whose output exists, to resume an interrupted run.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show errors only.")] = False,
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            metavar="URL",
            help="Read with the service at this URL, not on this machine.",
            show_default=False,
        ),
    ] = None,
    key: KeyOption = None,
) -> None:
    """Read documents: images and PDFs to markdown and other formats.

    Writes to standard output, or to the file or folder of `-o`. Progress and messages go to
    standard error, with a progress bar on a terminal. A document that cannot be read is reported
    and the others are read. In folders, hidden files and files that are not documents, neither by
    their content nor by their extension, are skipped.

    Figures that markdown links are written into a folder beside it: `scan-images` for `scan.md`.

    Existing outputs are replaced, completely or not at all, and keep their mode and owner; a file
    with other hard links is overwritten. Links, pipes and devices are written to, not replaced:
    `-o /dev/stdout` is standard output. Inputs are never overwritten.

    As JSON, one document is an indented object. Several documents, and those of a folder, are
    written to standard output as JSON lines: one object on each line.

    Exit status: 0, all documents were read; 1, some failed; 2, usage error; 130, interrupted.

    - `dsocr read scan.jpg`
    - `dsocr read contract.pdf --pages 1-3 -o contract.md`
    - `dsocr read scans/ -o texts/ --format json --skip-existing`
    - `curl -s https://example.org/letter.pdf | dsocr read - --task text`
    - `dsocr read scans/ -o texts/ --url http://gpu-box:8000`
    """
    settings = Settings.from_environment()
    settings = dataclasses.replace(settings, engine=engine or settings.engine)
    with tempfile.TemporaryDirectory(prefix="dsocr-") as spool:
        try:
            text = prompt_for_task(task, prompt, settings.default_prompt)
            limits = OptionLimits(
                no_repeat_ngram=settings.no_repeat_ngram, languages=settings.languages
            )
            options = build_options(limits, prompt=text, mode=mode, languages=languages)
            kind = planned_format(format, output)
            export = export_options(locals())
            job = ReadJob(ReadOptions(options, pages, password, dpi), kind.key, export)
            if pages:
                parse_page_ranges(pages)
            planned = plan(paths, output, format, skip_existing=skip_existing)
            planned.inputs = [_spooled(entry, Path(spool)) for entry in planned.inputs]
        except BadRequest as error:
            raise typer.BadParameter(error.message) from error
        if not planned.inputs:
            if not quiet:
                left_out = counted(planned.num_left_out, "document")
                print(f"Nothing to do: every output exists ({left_out}).", file=sys.stderr)
            return
        if url is None:
            summary = _run(planned, job, settings, quiet=quiet)
        else:
            asked = text if task or prompt else None
            fields = {"prompt": asked, "mode": mode, "languages": languages, "engine": engine}
            service = Service(url, key, {name: text for name, text in fields.items() if text})
            try:
                summary = _run_elsewhere(planned, job, service, quiet=quiet)
            except BadRequest as error:  # what is not the URL of a service
                raise typer.BadParameter(error.message, param_hint="'--url'") from error
    if summary.failed:
        raise typer.Exit(1)


def _spooled(entry: Input, folder: Path) -> Input:
    """Copies standard input and pipes to files: they can be read only once, by this process."""
    path = folder / entry.below.name
    if entry.is_stdin:
        if sys.stdin.isatty():
            print("Reading standard input; end it with Ctrl-D.", file=sys.stderr)
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        return dataclasses.replace(entry, path=path, label="standard input")
    if entry.path.exists() and not entry.path.is_file():
        with path.open("wb") as file, entry.path.open("rb") as pipe:
            shutil.copyfileobj(pipe, file)
        return dataclasses.replace(entry, path=path, label=str(entry.path))
    return entry


def _run(plan: Plan, job: ReadJob, settings: Settings, *, quiet: bool) -> Summary:
    def batch(shown: Display) -> Coroutine[Any, Any, Summary]:
        return run_batch(
            plan.inputs,
            plan.targets,
            job,
            host_config=settings.host_config(),
            observer=DisplayObserver(shown),
            write_document=lambda content: _write_to_stdout(content, plan, shown),
        )

    return _shown(batch, plan, quiet=quiet)


def _run_elsewhere(plan: Plan, job: ReadJob, service: Service, *, quiet: bool) -> Summary:
    from dsocr.cli.remote import read_remotely  # slow to import, and not needed for the help

    def batch(shown: Display) -> Coroutine[Any, Any, Summary]:
        return read_remotely(
            plan.inputs,
            plan.targets,
            job,
            service,
            observer=DisplayObserver(shown),
            write_document=lambda content: _write_to_stdout(content, plan, shown),
        )

    return _shown(batch, plan, quiet=quiet)


def _shown(
    batch: Callable[[Display], Coroutine[Any, Any, Summary]], plan: Plan, *, quiet: bool
) -> Summary:
    # SIGTERM ends like Ctrl-C: complete files, no child process left
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with display(len(plan.inputs), quiet=quiet) as shown:
            summary = asyncio.run(batch(shown))
            shown.info(summary_line(summary, plan.num_left_out))
    finally:
        signal.signal(signal.SIGTERM, before)
    return summary


def _write_to_stdout(content: bytes, plan: Plan, shown: Display) -> None:
    with shown.paused():
        sys.stdout.buffer.write(json_line(content) if plan.json_lines else content)
        sys.stdout.buffer.flush()
