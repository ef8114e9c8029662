"""Checks of weights, of models that have names, and of servers of the model."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from dsocr.cli.doctor.finding import Finding, State
from dsocr.cli.doctor.machine import package_version
from dsocr.config import Settings
from dsocr.engines.deepseek.remote.engine import examine_server
from dsocr.engines.deepseek.weights import find_weights, missing_files
from dsocr.engines.selection import NATIVE_PACKAGES
from dsocr.model_hosts import NamedModel


def weights(settings: Settings) -> Finding:
    folder = settings.runtime.model_path
    found = find_weights(folder)
    if found is not None:
        size = sum(file.stat().st_size for file in found.glob("*.safetensors"))
        return Finding("weights", "ok", f"{found} ({size / 1e9:.2f} GB)")
    if folder is not None and folder.is_dir():
        missing = ", ".join(missing_files(folder))
        return Finding("weights", "note", f"not in {folder}: {missing} missing; run dsocr download")
    return Finding("weights", "note", f"no folder {folder}; run dsocr download to create it")


def named_model(model: NamedModel) -> Finding:
    missing = ", ".join(missing_files(model.path)[:3])
    where = f"{model.path} on {model.devices or 'the default device'}"
    if missing:
        return Finding("model", "bad", f"{model.name}: {where}: missing: {missing}")
    return Finding("model", "ok", f"{model.name}: {where}")


def servers(settings: Settings) -> Iterator[Finding]:
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


def checkpoint(folder: Path) -> Iterator[Finding]:
    """Compares the files with what the runtime needs."""
    if any(package_version(package) is None for package in NATIVE_PACKAGES):
        yield Finding(
            "checkpoint", "bad", "cannot be checked; run pip install 'dsocr[native]' first"
        )
        return
    from dsocr.engines.deepseek.native import examine_weights  # imports torch, which takes seconds

    for name, state, message in examine_weights(folder):
        yield Finding(name, state, message)
