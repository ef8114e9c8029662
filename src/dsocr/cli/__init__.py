"""The `dsocr` command: one module a command. Importing it loads no engine and no server."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from dsocr import __version__
from dsocr.cli.bench import bench
from dsocr.cli.doctor import doctor
from dsocr.cli.download import download
from dsocr.cli.jobs import jobs
from dsocr.cli.read import read
from dsocr.cli.serve import serve
from dsocr.errors import DsocrError

app = typer.Typer(
    name="dsocr",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (read, serve, doctor, download, bench):
    app.command()(command)
app.add_typer(jobs)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"dsocr {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say the version and leave."
        ),
    ] = False,
) -> None:
    """Reads documents: images and PDFs in, markdown with boxes out, on the DeepSeek-OCR model.

    What is not an option is an environment variable, such as `DEEPSEEK_OCR_MODEL_PATH`.
    `dsocr doctor` says what is in force, and is the command to begin with.
    """


def main() -> None:
    """Runs the command; what a user can meet is one line and not a traceback."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        app()  # ends with 2 for a usage error and 130 for Ctrl-C by itself
    except DsocrError as error:
        print(f"dsocr: {error.message}", file=sys.stderr)
        sys.exit(1)
