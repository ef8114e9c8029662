"""`dsocr read`: its arguments, checked before anything is loaded."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from dsocr.batch.inputs import STDIN, Input, gather, plan_outputs
from dsocr.cli.options import EngineOption, choice
from dsocr.cli.output import following, make_writable
from dsocr.cli.reading import Order, Tally, counted, read_all
from dsocr.config import Settings
from dsocr.engines.deepseek.modes import DEFAULT_MODE, MODES
from dsocr.engines.deepseek.prompts import TASKS
from dsocr.errors import BadRequest
from dsocr.exports import FORMATS, Format, format_of
from dsocr.options import OptionLimits, build_options, prompt_for_task
from dsocr.pipeline.page_ranges import parse_page_ranges

SEVERAL_TO_STDOUT = ("markdown", "text", "json")


def read(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files, folders (read with all folders below), patterns such as "
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
            help="Where to write: a file for one document, else a folder, in which the folders of "
            "the inputs are made again.",
            show_default="standard output",
        ),
    ] = None,
    format: Annotated[
        str | None,
        choice(
            (known.key for known in FORMATS),
            "--format",
            "-f",
            help="What to write. markdown has links where figures stand; zip and html have the "
            "figures too.",
            default="what the ending of -o says, else markdown",
        ),
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
            MODES,
            help="How finely to look, as speed and quality: "
            + ", ".join(f"{spec.key} {spec.speed}/{spec.quality}" for spec in MODES.values())
            + ".",
            default=DEFAULT_MODE,
        ),
    ] = DEFAULT_MODE,
    task: Annotated[
        str | None,
        choice(
            TASKS,
            help="What to do. "
            + "; ".join(f"{spec.key}: {spec.label.lower()}" for spec in TASKS.values())
            + ". locate takes the words to look for from `--prompt`.",
            default="markdown",
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(
            help="Your own words to the model, instead of `--task`. Not every engine takes them.",
            show_default=False,
        ),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(help="Opens protected PDFs.", show_default=False),
    ] = None,
    dpi: Annotated[
        float | None,
        typer.Option(
            min=36,
            max=1200,
            help="Pixels per inch at which PDF pages are rendered.",
            show_default="what suits the engine",
        ),
    ] = None,
    engine: EngineOption = None,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="Leave out documents whose output is there already, to go on after a break.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what goes wrong.")] = False,
) -> None:
    """Read documents: images and PDFs to markdown and other formats.

    Prints to standard output, or writes to what `-o` names; everything else is said on standard
    error, with a progress bar on a terminal. What cannot be read is told and the rest goes on.
    Existing outputs are replaced, whole or not at all; inputs never are. In a folder, hidden files
    and what is no document, by its content and by its ending, are passed over.

    Exit status: 0, all was read; 1, some of it was not; 2, the command makes no sense; 130,
    interrupted.

    - `dsocr read scan.jpg`
    - `dsocr read contract.pdf --pages 1-3 -o contract.md`
    - `dsocr read scans/ -o texts/ --format json --skip-existing`
    - `curl -s https://example.org/letter.pdf | dsocr read - --task text`
    """
    settings = Settings.from_environment()
    settings = dataclasses.replace(settings, engine=engine or settings.engine)
    with tempfile.TemporaryDirectory(prefix="dsocr-") as spool:
        try:
            kind = _format(format, output)
            words = prompt_for_task(task, prompt, settings.default_prompt)
            limits = OptionLimits(no_repeat_ngram=settings.no_repeat_ngram)
            options = build_options(limits, prompt=words, mode=mode)
            order = Order(options, kind.key, pages, dpi, password)
            if pages:
                parse_page_ranges(pages)
            plan = _plan(paths, output, kind, skip_existing=skip_existing)
            plan.inputs = [_spooled(entry, Path(spool)) for entry in plan.inputs]
        except BadRequest as error:
            raise typer.BadParameter(error.message) from error
        if not plan.inputs:
            if not quiet:
                left_out = counted(plan.left_out, "document")
                print(
                    f"Nothing to do: every output is there already ({left_out}).", file=sys.stderr
                )
            return
        tally = _run(plan, order, settings, quiet=quiet)
    if tally.failed:
        raise typer.Exit(1)


def _format(asked: str | None, output: str | None) -> Format:
    if asked:
        return format_of(asked)
    ending = Path(output or "").suffix.lstrip(".").lower()
    return next((known for known in FORMATS if known.extension == ending), format_of("markdown"))


@dataclasses.dataclass(slots=True)
class _Plan:
    """What is read and where it goes: to standard output without `targets`."""

    inputs: list[Input]
    targets: list[Path] | None
    left_out: int = 0
    """Documents whose outputs are there already."""


def _plan(paths: list[str], output: str | None, kind: Format, *, skip_existing: bool) -> _Plan:
    folder = None if output in (None, STDIN) else Path(str(output))
    inputs = gather(paths, leave_out=folder)
    if not inputs:
        raise BadRequest("There is no file in " + ", ".join(paths) + ".")
    if folder is None:
        if skip_existing:
            raise BadRequest("--skip-existing needs -o.")
        if len(inputs) > 1 and kind.key not in SEVERAL_TO_STDOUT:
            raise BadRequest(f"Several documents as {kind.key} need a folder: -o DIR.")
        if kind.key not in (*SEVERAL_TO_STDOUT, "html") and sys.stdout.isatty():
            raise BadRequest(f"{kind.key} is nothing for a terminal: use -o FILE.")
        return _Plan(inputs, None)
    if str(output).endswith("/"):
        make_writable(folder)
    targets = plan_outputs(inputs, folder, kind.extension)
    make_writable(folder if targets[0] != folder else folder.parent)
    if skip_existing:
        kept = [pair for pair in zip(inputs, targets, strict=True) if not pair[1].exists()]
        left = [entry for entry, _ in kept]
        return _Plan(left, [target for _, target in kept], len(inputs) - len(left))
    return _Plan(inputs, targets)


def _spooled(entry: Input, folder: Path) -> Input:
    """Standard input and pipes as files: they can be read once only, and by this process only."""
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


def _run(plan: _Plan, order: Order, settings: Settings, *, quiet: bool) -> Tally:
    # A polite kill ends like Ctrl-C: whole files, no child left.
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with following(len(plan.inputs), quiet=quiet) as report:
            reading = read_all(plan.inputs, plan.targets, order, settings=settings, report=report)
            tally = asyncio.run(reading)
            tally.left_out = plan.left_out
            report.say(f"{tally}.")
    finally:
        signal.signal(signal.SIGTERM, before)
    return tally
