"""Whether the other scripts can be read here."""

from __future__ import annotations

import importlib.util

from dsocr.engines.ppocr.scripts.languages import LANGUAGES


def missing_reason() -> str:
    """What is missing for the other scripts to be read; empty where nothing is."""
    if importlib.util.find_spec("tesserocr") is None:
        return "the package tesserocr is not installed: pip install 'dsocr[scripts]'"
    missing = [item.path.name for item in LANGUAGES.values() if not item.path.is_file()]
    return f"files of the package are missing: {', '.join(missing)}" if missing else ""
