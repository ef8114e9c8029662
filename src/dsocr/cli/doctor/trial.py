"""Reads a generated page with the engine of the settings."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from dsocr.batch.inputs import Input
from dsocr.batch.runner import ReadJob, run_batch_on
from dsocr.cli.doctor.finding import Finding
from dsocr.cli.progress import DisplayObserver, Lines
from dsocr.config import Settings
from dsocr.engines.deepseek.modes import DEFAULT_MODE
from dsocr.engines.deepseek.prompts import DEFAULT_PROMPT
from dsocr.engines.stats import WorkerState
from dsocr.errors import DsocrError
from dsocr.host import started_host
from dsocr.types import OcrOptions, ReadOptions

TRIAL_TEXT = "dsocr reads this page"
TRIAL_TOKENS = 200
"""More than the page needs; bounds the time if the weights generate without end."""


def trial_page(settings: Settings) -> Generator[Finding, None, int | None]:
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
