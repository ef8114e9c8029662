"""`dsocr doctor`: what is here, who reads and why, whether it works, what to do next."""

from __future__ import annotations

import asyncio
import dataclasses
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

import typer
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.text import Text

from dsocr import __version__
from dsocr.batch.inputs import Input
from dsocr.cli.output import Lines
from dsocr.cli.reading import Order, read_all
from dsocr.config import BadSetting, Settings, check_runs_dir
from dsocr.engines.deepseek.modes import DEFAULT_MODE
from dsocr.engines.deepseek.prompts import DEFAULT_PROMPT
from dsocr.engines.deepseek.weights import find_weights, missing_files
from dsocr.engines.selection import NATIVE_PACKAGES, select_engine
from dsocr.errors import DsocrError
from dsocr.process.machine import memory_bytes, num_cores
from dsocr.types import OcrOptions

State = Literal["ok", "note", "bad"]
MARKS: dict[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "note": ("--", "yellow"),
    "bad": ("NO", "bold red"),
}
TRIAL_WORDS = "dsocr reads this page"
TRIAL_TOKENS = 200
"""Plenty for these words; weights that ramble shall not ramble for minutes."""
COMFORTABLE_MEMORY = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. "note" is worth knowing; "bad" stops the reading or the service."""

    name: str
    state: State
    words: str


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Only look; do not start the engine for a trial page.")
    ] = False,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="DIR",
            help="Check this folder of DeepSeek-OCR weights, and read the trial page with them.",
        ),
    ] = None,
) -> None:
    """Say what is installed, which engine reads and why, the limits, and what to do next.

    Starts that engine and reads a small page with it. Lines begin with `ok`, `--` (worth knowing)
    or `NO` (stops the reading or the service). Exit status: 0, it can read; 1, it cannot.
    """
    console = Console(soft_wrap=True, highlight=False)
    settings = Settings.from_environment()
    if model is not None:
        runtime = dataclasses.replace(settings.runtime, model_path=model)
        settings = dataclasses.replace(settings, engine="native", runtime=runtime)
    works = True
    for finding in _findings(settings, quick=quick):
        mark, style = MARKS[finding.state]
        console.print(Text(f"{mark} ", style), Text(f"{finding.name:<11}{finding.words}"), sep="")
        works = works and finding.state != "bad"
    choice = select_engine(settings.engine, settings.runtime.model_path)
    console.print()
    if not works:
        console.print("Something is in the way: see the lines marked NO.")
        raise typer.Exit(1)
    if choice.advice:
        console.print(choice.advice, markup=False)
    console.print("Next: dsocr read FILE, or dsocr serve and open http://127.0.0.1:8000")


def _findings(settings: Settings, *, quick: bool) -> Iterator[Finding]:
    yield Finding("dsocr", "ok", f"{__version__}, Python {platform.python_version()}")
    yield _machine()
    yield _packages("decoding", ("pillow", "pypdfium2", "pi-heif"))
    yield _packages("ppocr", ("rapidocr", "openvino", "opencv-python-headless"))
    yield _native_packages()
    yield _gpu()
    yield _weights(settings)
    sound = True
    if settings.engine == "native" and settings.runtime.model_path is not None:
        for finding in _checkpoint(settings.runtime.model_path):
            sound = sound and finding.state != "bad"
            yield finding
    yield _limits(settings)
    yield _folder(settings.runs_dir)
    yield _keys(settings)
    choice = select_engine(settings.engine, settings.runtime.model_path)
    yield Finding("engine", "ok", f"{choice.name} reads: {choice.reason}")
    if sound and not quick:
        yield _trial(settings)


def _machine() -> Finding:
    cores, memory = num_cores(), memory_bytes()
    words = f"{platform.system()} {platform.machine()}, {cores} cores"
    if memory is None:
        return Finding("machine", "ok", words)
    words += f", {memory / 1e9:.1f} GB memory"
    if memory < COMFORTABLE_MEMORY:
        return Finding("machine", "note", f"{words}: little for large pages")
    return Finding("machine", "ok", words)


def _packages(name: str, packages: tuple[str, ...]) -> Finding:
    versions = {package: _version(package) for package in packages}
    missing = [package for package, found in versions.items() if found is None]
    if missing:
        return Finding(name, "bad", f"not installed: {', '.join(missing)}; pip install dsocr")
    return Finding(name, "ok", ", ".join(f"{key} {found}" for key, found in versions.items()))


def _native_packages() -> Finding:
    versions = {package: _version(package) for package in NATIVE_PACKAGES}
    missing = [package for package, found in versions.items() if found is None]
    if missing:
        words = f"not installed: {', '.join(missing)}; pip install 'dsocr[native]'"
        return Finding("native", "note", words)
    return Finding("native", "ok", ", ".join(f"{key} {found}" for key, found in versions.items()))


def _gpu() -> Finding:
    """Asked of the driver: importing torch for it takes seconds, and it may not be there."""
    query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    command = shutil.which("nvidia-smi")
    if command is None:
        return Finding("GPU", "note", "no NVIDIA driver (nvidia-smi) found; the CPU reads")
    try:
        asked = subprocess.run(
            [command, *query], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return Finding("GPU", "note", "nvidia-smi does not answer")
    cards = asked.stdout.strip().splitlines()
    torch = _version("torch") or ""
    if "+cpu" in torch:
        return Finding("GPU", "note", f"{'; '.join(cards)}, but torch {torch} is a CPU build")
    return Finding("GPU", "ok", "; ".join(cards))


def _weights(settings: Settings) -> Finding:
    wanted = settings.runtime.model_path
    found = find_weights(wanted)
    if found is not None:
        size = sum(file.stat().st_size for file in found.glob("*.safetensors"))
        return Finding("weights", "ok", f"{found} ({size / 1e9:.2f} GB)")
    if wanted is not None and wanted.is_dir():
        missing = ", ".join(missing_files(wanted))
        return Finding("weights", "note", f"not in {wanted}: {missing} missing; dsocr download")
    return Finding("weights", "note", f"no folder {wanted}; dsocr download makes and fills it")


def _checkpoint(folder: Path) -> Iterator[Finding]:
    """What is in the files, held against what the runtime needs."""
    if any(_version(package) is None for package in NATIVE_PACKAGES):
        yield Finding(
            "checkpoint", "bad", "cannot be looked into without pip install 'dsocr[native]'"
        )
        return
    from dsocr.engines.deepseek.native import examine_weights  # imports torch, which takes seconds

    for name, state, words in examine_weights(folder):
        yield Finding(name, state, words)


def _limits(settings: Settings) -> Finding:
    server = settings.server
    return Finding(
        "limits",
        "ok",
        f"upload {server.max_image_mb:g} MiB, {server.max_pages} pages, "
        f"{server.max_requests} requests at once, {server.max_output_tokens} tokens a page",
    )


def _folder(runs: Path) -> Finding:
    """Made by the service when it is needed, so it need not be there."""
    try:
        check_runs_dir(runs)
    except BadSetting as error:
        return Finding("runs", "bad", f"{error.message} dsocr serve would not start.")
    there = next(folder for folder in (runs, *runs.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    state: State = "note" if free < 1e9 else "ok"
    return Finding("runs", state, f"{runs}, {free / 1e9:.1f} GB free")


def _keys(settings: Settings) -> Finding:
    keys = len(settings.server.api_keys)
    if keys:
        return Finding("access", "ok", f"{keys} {'key' if keys == 1 else 'keys'} set")
    words = "no key: fine on 127.0.0.1; before serve --host 0.0.0.0 set DEEPSEEK_OCR_API_KEYS"
    return Finding("access", "note", words)


def _trial(settings: Settings) -> Finding:
    """Reads a drawn page from a file, the way every document goes."""
    began = time.monotonic()
    options = OcrOptions(
        task="markdown", mode=DEFAULT_MODE, prompt=DEFAULT_PROMPT, max_tokens=TRIAL_TOKENS
    )
    order = Order(options, "text", pages=None, dpi=None, password=None)
    with tempfile.TemporaryDirectory(prefix="dsocr-") as folder:
        page, text = Path(folder, "page.png"), Path(folder, "page.txt")
        _drawn_page().save(page)
        report = Lines(quiet=True)
        reading = read_all(
            [Input(page, Path(page.name), label="trial page")],
            [text],
            order,
            settings=settings,
            report=report,
        )
        try:
            asyncio.run(reading)
        except DsocrError as error:
            return Finding("trial", "bad", error.message)
        if not text.exists():
            return Finding("trial", "bad", "the trial page could not be read; see above")
        words = " ".join(text.read_text("utf-8").split())
    if words.replace(" ", "").lower() != TRIAL_WORDS.replace(" ", ""):
        return Finding("trial", "note", f"read {words[:60]!r} where {TRIAL_WORDS!r} stands")
    return Finding("trial", "ok", f"started and read a page in {time.monotonic() - began:.1f} s")


def _drawn_page() -> Image.Image:
    page = Image.new("RGB", (800, 300), "white")
    font = ImageFont.load_default(size=48)
    ImageDraw.Draw(page).text((100, 110), TRIAL_WORDS, fill="black", font=font)
    return page


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
