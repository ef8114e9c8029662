"""`dsocr doctor`: checks the installation, the engine and the settings."""

from __future__ import annotations

import asyncio
import dataclasses
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
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
from dsocr.batch.runner import ReadJob, run_batch_on
from dsocr.cli.progress import DisplayObserver, Lines
from dsocr.config import MIB, BadSetting, Settings, check_runs_dir
from dsocr.engines.deepseek.modes import DEFAULT_MODE
from dsocr.engines.deepseek.prompts import DEFAULT_PROMPT
from dsocr.engines.deepseek.remote.engine import examine_server
from dsocr.engines.deepseek.weights import find_weights, missing_files
from dsocr.engines.ppocr.scripts.installed import missing_reason
from dsocr.engines.ppocr.scripts.languages import LANGUAGES
from dsocr.engines.selection import NATIVE_PACKAGES, select_engine
from dsocr.engines.stats import WorkerState
from dsocr.errors import DsocrError
from dsocr.host import started_host
from dsocr.model_hosts import NamedModel
from dsocr.process.machine import memory_bytes, num_cores, raise_open_files, this_machine
from dsocr.server.capacity import capacity_of
from dsocr.server.key_file import read_keys
from dsocr.types import OcrOptions, ReadOptions

State = Literal["ok", "note", "bad"]
MARKS: dict[State, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "note": ("--", "yellow"),
    "bad": ("NO", "bold red"),
}
TRIAL_TEXT = "dsocr reads this page"
TRIAL_TOKENS = 200
"""More than the page needs; bounds the time if the weights generate without end."""
ENOUGH_MEMORY = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. "note" is informative; "bad" prevents reading or serving."""

    name: str
    state: State
    message: str


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
    yield _machine()
    yield _packages("decoding", ("pillow", "pypdfium2", "pi-heif"))
    yield _packages("ppocr", ("openvino", "opencv-python-headless"))
    yield _scripts()
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
    yield from map(_named_model, settings.models)
    yield from _servers(settings)
    host = settings.host_config()
    selection = select_engine(host.engine, host.model_path)
    yield Finding("engine", "ok", f"{selection.name}, because {selection.reason}")
    max_concurrency = None
    if sound and not quick:
        max_concurrency = yield from _trial(settings)
    yield _capacity(settings, max_concurrency)


def _machine() -> Finding:
    cores, memory = num_cores(), memory_bytes()
    message = f"{platform.system()} {platform.machine()}, {cores} cores"
    if memory is None:
        return Finding("machine", "ok", message)
    message += f", {memory / 1e9:.1f} GB memory"
    if memory < ENOUGH_MEMORY:
        return Finding("machine", "note", f"{message}: may be too little for large pages")
    return Finding("machine", "ok", message)


def _packages(name: str, packages: tuple[str, ...]) -> Finding:
    versions = {package: _version(package) for package in packages}
    missing = [package for package, found in versions.items() if found is None]
    if missing:
        return Finding(name, "bad", f"not installed: {', '.join(missing)}; pip install dsocr")
    return Finding(name, "ok", ", ".join(f"{key} {found}" for key, found in versions.items()))


def _scripts() -> Finding:
    """Which scripts the embedded engine reads beside Latin, Chinese and Japanese."""
    missing = missing_reason()
    names = ", ".join(language.name for language in LANGUAGES.values())
    if missing:
        return Finding("scripts", "note", f"not read: {names}; {missing}")
    return Finding("scripts", "ok", f"Latin, Chinese, Japanese; with Tesseract {names}")


def _native_packages() -> Finding:
    versions = {package: _version(package) for package in NATIVE_PACKAGES}
    missing = [package for package, found in versions.items() if found is None]
    if missing:
        message = f"not installed: {', '.join(missing)}; pip install 'dsocr[native]'"
        return Finding("native", "note", message)
    return Finding("native", "ok", ", ".join(f"{key} {found}" for key, found in versions.items()))


def _gpu() -> Finding:
    """From the driver: importing torch takes seconds, and it may not be installed."""
    query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    command = shutil.which("nvidia-smi")
    if command is None:
        return Finding("GPU", "note", "no NVIDIA driver (nvidia-smi) found; the CPU is used")
    try:
        queried = subprocess.run(
            [command, *query], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return Finding("GPU", "note", "nvidia-smi does not answer")
    cards = queried.stdout.strip().splitlines()
    torch = _version("torch") or ""
    if "+cpu" in torch:
        return Finding("GPU", "note", f"{'; '.join(cards)}, but torch {torch} is a CPU build")
    return Finding("GPU", "ok", "; ".join(cards))


def _weights(settings: Settings) -> Finding:
    folder = settings.runtime.model_path
    found = find_weights(folder)
    if found is not None:
        size = sum(file.stat().st_size for file in found.glob("*.safetensors"))
        return Finding("weights", "ok", f"{found} ({size / 1e9:.2f} GB)")
    if folder is not None and folder.is_dir():
        missing = ", ".join(missing_files(folder))
        return Finding("weights", "note", f"not in {folder}: {missing} missing; run dsocr download")
    return Finding("weights", "note", f"no folder {folder}; run dsocr download to create it")


def _named_model(model: NamedModel) -> Finding:
    missing = ", ".join(missing_files(model.path)[:3])
    where = f"{model.path} on {model.devices or 'the default device'}"
    if missing:
        return Finding("model", "bad", f"{model.name}: {where}: missing: {missing}")
    return Finding("model", "ok", f"{model.name}: {where}")


def _servers(settings: Settings) -> Iterator[Finding]:
    """Each server of the engine `remote`. One that does not answer prevents no reading while
    others do."""
    urls = settings.remote.urls
    if urls and settings.engine != "remote":
        yield Finding("server", "note", "not used: set DEEPSEEK_OCR_ENGINE=remote to read by it")
        return
    examined = [asyncio.run(examine_server(url, settings.remote)) for url in urls]
    any_ready = any(ready for ready, _ in examined)
    for number, (url, (ready, text)) in enumerate(zip(urls, examined, strict=True), 1):
        state: State = "ok" if ready else "note" if any_ready else "bad"
        yield Finding("server", state, f"{number}: {url}: {text}")


def _checkpoint(folder: Path) -> Iterator[Finding]:
    """Compares the files with what the runtime needs."""
    if any(_version(package) is None for package in NATIVE_PACKAGES):
        yield Finding(
            "checkpoint", "bad", "cannot be checked; run pip install 'dsocr[native]' first"
        )
        return
    from dsocr.engines.deepseek.native import examine_weights  # imports torch, which takes seconds

    for name, state, message in examine_weights(folder):
        yield Finding(name, state, message)


def _limits(settings: Settings) -> Finding:
    server = settings.server
    return Finding(
        "limits",
        "ok",
        f"upload {server.max_image_mb:g} MiB, {server.max_pages} pages, "
        f"{server.max_output_tokens} tokens a page",
    )


def _capacity(settings: Settings, max_concurrency: int | None) -> Finding:
    """What the service takes at once, with what determines each number."""
    raise_open_files()  # as `dsocr serve` does
    capacity = capacity_of(settings, max_concurrency, this_machine())
    queue = capacity.queue_bytes
    return Finding(
        "at once",
        "ok",
        f"{capacity.decoders.value} decoders ({capacity.decoders.reason}), "
        f"{capacity.requests.value} requests ({capacity.requests.reason}), "
        f"{queue.value / MIB:.0f} MiB queue ({queue.reason}), "
        f"{capacity.connections.value} connections ({capacity.connections.reason}), "
        f"{capacity.jobs.running.value} jobs ({capacity.jobs.running.reason})",
    )


def _folder(runs: Path) -> Finding:
    """The service creates it when it is needed, so it need not exist."""
    try:
        check_runs_dir(runs)
    except BadSetting as error:
        return Finding("runs", "bad", f"{error.message} dsocr serve cannot start.")
    existing = next(folder for folder in (runs, *runs.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    state: State = "note" if free < 1e9 else "ok"
    return Finding("runs", state, f"{runs}, {free / 1e9:.1f} GB free")


def _keys(settings: Settings) -> Finding:
    keys = len(settings.server.api_keys) + len(read_keys(settings.keys_path))
    if keys or settings.needs_key:
        return Finding("access", "ok", f"{keys} {'key' if keys == 1 else 'keys'} set")
    message = "no key: fine on 127.0.0.1; run dsocr keys add NAME before serve --host 0.0.0.0"
    return Finding("access", "note", message)


def _trial(settings: Settings) -> Generator[Finding, None, int | None]:
    """Reads a generated page from a file, as documents are read; then lists the engine's workers,
    if it has several. Returns the pages that the engine takes at once, if it could be started."""
    with tempfile.TemporaryDirectory(prefix="dsocr-") as folder:
        page, text = Path(folder, "page.png"), Path(folder, "page.txt")
        _drawn_page().save(page)
        try:
            trial = asyncio.run(_read_trial_page(settings, page, text))
        except DsocrError as error:
            yield Finding("trial", "bad", error.message)
            return None
        yield _trial_result(text, trial.seconds)
    if len(trial.workers) > 1:
        yield from map(_worker, trial.workers)
    return trial.max_concurrency


@dataclass(frozen=True, slots=True)
class _Trial:
    seconds: float
    """To start the engine and to read the page."""
    workers: tuple[WorkerState, ...]
    """The engine's workers once all have been started."""
    max_concurrency: int | None


async def _read_trial_page(settings: Settings, page: Path, text: Path) -> _Trial:
    began = time.monotonic()
    options = OcrOptions(
        task="markdown", mode=DEFAULT_MODE, prompt=DEFAULT_PROMPT, max_tokens=TRIAL_TOKENS
    )
    async with started_host(settings.host_config()) as host:
        await run_batch_on(
            host,
            [Input(page, Path(page.name), label="trial page")],
            [text],
            ReadJob(ReadOptions(options), "text"),
            observer=DisplayObserver(Lines(quiet=True)),
        )
        seconds, workers = time.monotonic() - began, await host.wait_for_workers()
        return _Trial(seconds, workers, host.info.max_concurrency if host.info else None)


def _trial_result(text: Path, seconds: float) -> Finding:
    if not text.exists():
        return Finding("trial", "bad", "the trial page could not be read; see the message above")
    recognized = " ".join(text.read_text("utf-8").split())
    if recognized.replace(" ", "").lower() != TRIAL_TEXT.replace(" ", ""):
        return Finding("trial", "note", f"read {recognized[:60]!r} instead of {TRIAL_TEXT!r}")
    return Finding("trial", "ok", f"started and read a page in {seconds:.1f} s")


def _worker(worker: WorkerState) -> Finding:
    """A worker that does not start prevents no reading: the others read."""
    message = f"{worker.device}: {worker.state}"
    if worker.unhealthy_reason:
        return Finding("worker", "note", f"{message}, {worker.unhealthy_reason}")
    return Finding(
        "worker", "ok", f"{message}, {worker.pages} pages in flight, {worker.restarts} restarts"
    )


def _drawn_page() -> Image.Image:
    page = Image.new("RGB", (800, 300), "white")
    font = ImageFont.load_default(size=48)
    ImageDraw.Draw(page).text((100, 110), TRIAL_TEXT, fill="black", font=font)
    return page


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
