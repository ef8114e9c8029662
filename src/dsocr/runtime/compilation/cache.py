"""The folder of compiled kernels. Importing this loads neither torch nor Triton."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

logger = logging.getLogger(__name__)

VARIABLE = "TRITON_CACHE_DIR"
"""Where Triton looks for it."""


def use_kernel_cache(
    configured: Path | None, environment: MutableMapping[str, str] = os.environ
) -> Path:
    """Creates the folder and has Triton use it: the configured one, else the one that Triton's own
    variable names, else `dsocr/kernels` in the user's cache folder. One that cannot be written is
    used for what it holds if it holds anything, else replaced by a temporary one."""
    folder = configured or _default_folder(environment)
    if not _is_usable(folder):
        temporary = Path(tempfile.mkdtemp(prefix="dsocr-kernels-"))
        logger.warning(
            "the kernel cache %s cannot be written: kernels are compiled at every start. Set "
            "DEEPSEEK_OCR_KERNEL_CACHE to a folder that can.",
            folder,
        )
        folder = temporary
    environment[VARIABLE] = str(folder)
    return folder


def _default_folder(environment: MutableMapping[str, str]) -> Path:
    if environment.get(VARIABLE):
        return Path(environment[VARIABLE])
    home = environment.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "dsocr" / "kernels"


def _is_usable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return folder.is_dir() and any(folder.iterdir())
    return True
