"""Virtual environments with packages of the registry, for tests that run other programs.

`uv` makes them: it resolves and downloads concurrently and keeps what it has downloaded, so an
environment that takes pip minutes takes seconds. It is configured by its own settings.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

INSTALL_SECONDS = 900


def new_environment(folder: Path, packages: Sequence[str | Path]) -> Path:
    """The `bin` folder of a new environment with the packages. Raises `CalledProcessError`."""
    bin_folder = folder / "bin"
    python = bin_folder / "python"
    _uv("venv", "--python", sys.executable, folder)
    _uv("pip", "install", "--python", python, *packages)
    return bin_folder


def _uv(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS)
