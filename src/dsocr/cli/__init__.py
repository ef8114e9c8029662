"""The `dsocr` command, one module per command. Importing it loads no engine and no server."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from dsocr import __version__
from dsocr.cli.batch import batch
from dsocr.cli.bench import bench
from dsocr.cli.doctor import doctor
from dsocr.cli.download import download
from dsocr.cli.jobs import jobs
from dsocr.cli.keys import keys
from dsocr.cli.mcp import mcp
from dsocr.cli.read import read
from dsocr.cli.serve import serve
from dsocr.cli.warm import warm
from dsocr.errors import DsocrError

app = typer.Typer(
    name="dsocr",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (read, serve, mcp, doctor, download, warm, bench):
    app.command()(command)
app.add_typer(jobs)
app.add_typer(keys)
app.add_typer(batch)


def _print_version(given: bool) -> None:
    if given:
        print(f"dsocr {__version__}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Recognizes documents with the DeepSeek-OCR model: images and PDFs to markdown with boxes.

    Further settings are environment variables, such as `DEEPSEEK_OCR_MODEL_PATH`. Start with
    `dsocr doctor`: it checks the installation and shows the settings in use.
    """


def main() -> None:
    """Runs the command. An error that users can cause is printed as one line, no traceback."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        app()  # ends with 2 for a usage error and 130 for Ctrl-C by itself
    except DsocrError as error:
        print(f"dsocr: {error.message}", file=sys.stderr)
        sys.exit(1)
