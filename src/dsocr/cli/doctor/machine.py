"""Checks of the machine, its cards and the installed packages."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version

from dsocr.cli.doctor.finding import Finding
from dsocr.engines.ppocr.scripts.installed import missing_reason
from dsocr.engines.ppocr.scripts.languages import LANGUAGES
from dsocr.engines.selection import NATIVE_PACKAGES
from dsocr.process.machine import memory_bytes, num_cores

ENOUGH_MEMORY = 3_000_000_000


def hardware() -> Finding:
    cores, memory = num_cores(), memory_bytes()
    message = f"{platform.system()} {platform.machine()}, {cores} cores"
    if memory is None:
        return Finding("machine", "ok", message)
    message += f", {memory / 1e9:.1f} GB memory"
    if memory < ENOUGH_MEMORY:
        return Finding("machine", "note", f"{message}: may be too little for large pages")
    return Finding("machine", "ok", message)


def packages(name: str, required: tuple[str, ...]) -> Finding:
    versions = {package: package_version(package) for package in required}
    missing = [package for package, found in versions.items() if found is None]
    if missing:
        return Finding(name, "bad", f"not installed: {', '.join(missing)}; pip install dsocr")
    return Finding(name, "ok", ", ".join(f"{key} {found}" for key, found in versions.items()))


def scripts() -> Finding:
    """Which scripts the embedded engine reads beside Latin, Chinese and Japanese."""
    missing = missing_reason()
    names = ", ".join(language.name for language in LANGUAGES.values())
    if missing:
        return Finding("scripts", "note", f"not read: {names}; {missing}")
    return Finding("scripts", "ok", f"Latin, Chinese, Japanese; with Tesseract {names}")


def native_packages() -> Finding:
    versions = {package: package_version(package) for package in NATIVE_PACKAGES}
    missing = [package for package, found in versions.items() if found is None]
    if missing:
        message = f"not installed: {', '.join(missing)}; pip install 'dsocr[native]'"
        return Finding("native", "note", message)
    return Finding("native", "ok", ", ".join(f"{key} {found}" for key, found in versions.items()))


def gpu() -> Finding:
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
    torch = package_version("torch") or ""
    if "+cpu" in torch:
        return Finding("GPU", "note", f"{'; '.join(cards)}, but torch {torch} is a CPU build")
    return Finding("GPU", "ok", "; ".join(cards))


def package_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
