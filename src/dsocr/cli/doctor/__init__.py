"""`dsocr doctor`: checks the installation, the engine and the settings."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from dsocr import __version__
from dsocr.cli.doctor import machine, models, service
from dsocr.cli.doctor.finding import Finding, State
from dsocr.cli.doctor.trial import trial_page
from dsocr.config import Settings
from dsocr.engines.selection import select_engine

MARKS: dict[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "note": ("--", "yellow"),
    "bad": ("NO", "bold red"),
}


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not start the engine for a trial page.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="DIR",
            help="Check this folder of DeepSeek-OCR weights and read the trial page with it.",
        ),
    ] = None,
) -> None:
    """Check the installation: packages, weights, the selected engine and why, limits, next steps.

    Starts the engine and reads a small page with it. Lines begin with `ok`, `--` (a note) or `NO`
    (prevents reading or serving). Exit status: 0, documents can be read; 1, they cannot.
    """
    console = Console(soft_wrap=True, highlight=False)
    settings = Settings.from_environment()
    if model is not None:
        runtime = dataclasses.replace(settings.runtime, model_path=model)
        settings = dataclasses.replace(settings, engine="native", runtime=runtime, models=())
    works = True
    for finding in _findings(settings, quick=quick):
        mark, style = MARKS[finding.state]
        console.print(Text(f"{mark} ", style), Text(f"{finding.name:<11}{finding.message}"), sep="")
        works = works and finding.state != "bad"
    host = settings.host_config()
    selection = select_engine(host.engine, host.model_path)
    console.print()
    if not works:
        console.print("dsocr cannot read documents yet; fix the lines marked NO.")
        raise typer.Exit(1)
    if selection.advice:
        console.print(selection.advice, markup=False)
    console.print("Next: dsocr read FILE, or dsocr serve and open http://127.0.0.1:8000")


def _findings(settings: Settings, *, quick: bool) -> Iterator[Finding]:
    yield Finding("dsocr", "ok", f"{__version__}, Python {platform.python_version()}")
    yield machine.hardware()
    yield machine.packages("decoding", ("pillow", "pypdfium2", "pi-heif"))
    yield machine.packages("ppocr", ("openvino", "opencv-python-headless"))
    yield machine.scripts()
    yield machine.native_packages()
    yield machine.gpu()
    yield models.weights(settings)
    sound = True
    if settings.engine == "native" and settings.runtime.model_path is not None:
        for finding in models.checkpoint(settings.runtime.model_path):
            sound = sound and finding.state != "bad"
            yield finding
    yield service.limits(settings)
    yield service.runs_folder(settings.runs_dir)
    yield service.keys(settings)
    yield from map(models.named_model, settings.models)
    yield from models.servers(settings)
    host = settings.host_config()
    selection = select_engine(host.engine, host.model_path)
    yield Finding("engine", "ok", f"{selection.name}, because {selection.reason}")
    max_concurrency = None
    if sound and not quick:
        max_concurrency = yield from trial_page(settings)
    yield service.capacity(settings, max_concurrency)
