"""`dsocr batch`: reads any number of documents through a workspace, resumable, by many workers."""

from __future__ import annotations

import typer

from dsocr.cli.batch.plan import plan
from dsocr.cli.batch.results import export, retry, status, verify
from dsocr.cli.batch.run import run

batch = typer.Typer(
    name="batch",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Many documents through a workspace: stopped and resumed at any time, by many workers.",
)
for command in (plan, run, status, retry, verify, export):
    batch.command()(command)
