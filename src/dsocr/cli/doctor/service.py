"""Checks of the settings of the service: limits, the runs folder, keys."""

from __future__ import annotations

import shutil
from pathlib import Path

from dsocr.cli.doctor.finding import Finding, State
from dsocr.config import MIB, BadSetting, Settings, check_runs_dir
from dsocr.process.machine import raise_open_files, this_machine
from dsocr.server.capacity import capacity_of
from dsocr.server.key_file import read_keys


def limits(settings: Settings) -> Finding:
    server = settings.server
    return Finding(
        "limits",
        "ok",
        f"upload {server.max_image_mb:g} MiB, {server.max_pages} pages, "
        f"{server.max_output_tokens} tokens a page",
    )


def capacity(settings: Settings, max_concurrency: int | None) -> Finding:
    """What the service takes at once, with what determines each number."""
    raise_open_files()  # as `dsocr serve` does
    taken = capacity_of(settings, max_concurrency, this_machine())
    queue = taken.queue_bytes
    return Finding(
        "at once",
        "ok",
        f"{taken.decoders.value} decoders ({taken.decoders.reason}), "
        f"{taken.requests.value} requests ({taken.requests.reason}), "
        f"{queue.value / MIB:.0f} MiB queue ({queue.reason}), "
        f"{taken.connections.value} connections ({taken.connections.reason}), "
        f"{taken.jobs.running.value} jobs ({taken.jobs.running.reason})",
    )


def runs_folder(runs: Path) -> Finding:
    """The service creates it when it is needed, so it need not exist."""
    try:
        check_runs_dir(runs)
    except BadSetting as error:
        return Finding("runs", "bad", f"{error.message} dsocr serve cannot start.")
    existing = next(folder for folder in (runs, *runs.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    state: State = "note" if free < 1e9 else "ok"
    return Finding("runs", state, f"{runs}, {free / 1e9:.1f} GB free")


def keys(settings: Settings) -> Finding:
    number = len(settings.server.api_keys) + len(read_keys(settings.keys_path))
    if number or settings.needs_key:
        return Finding("access", "ok", f"{number} {'key' if number == 1 else 'keys'} set")
    message = "no key: fine on 127.0.0.1; run dsocr keys add NAME before serve --host 0.0.0.0"
    return Finding("access", "note", message)
