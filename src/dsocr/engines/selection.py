"""Selects the engine for `auto`, with the reason. Looks for files and packages; imports neither."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dsocr.engines.deepseek.weights import find_weights, missing_files
from dsocr.engines.registry import canonical_name

NATIVE_PACKAGES = ("torch", "safetensors", "tokenizers")


@dataclass(frozen=True, slots=True)
class EngineSelection:
    """The selected engine, with texts for people."""

    name: str
    reason: str
    advice: str = ""
    """How to get a better engine; empty when this is the best one."""
    better: str = ""
    """The name of that engine."""


def select_engine(
    requested: str,
    model_path: Path | None,
    *,
    hub_cache: Path | None = None,
    installed: Callable[[str], bool] | None = None,
) -> EngineSelection:
    """`auto` selects `native` when its weights and packages are found, else `ppocr`."""
    requested = canonical_name(requested)
    if requested != "auto":
        return EngineSelection(requested, f"{requested} was requested")
    missing = [name for name in NATIVE_PACKAGES if not (installed or is_installed)(name)]
    if find_weights(model_path, hub_cache=hub_cache) is None:
        reason, advice = _without_weights(model_path, missing)
        return EngineSelection("ppocr", reason, advice, better="native")
    if missing:
        return EngineSelection(
            "ppocr",
            f"the DeepSeek-OCR weights are found, but not installed: {', '.join(missing)}",
            "Install what is missing: pip install 'dsocr[native]'.",
            better="native",
        )
    return EngineSelection("native", "the DeepSeek-OCR weights and torch are found")


def _without_weights(model_path: Path | None, missing: list[str]) -> tuple[str, str]:
    """Reason and advice, without the folder's path: `/health` shows them without a key."""
    reason = "there are no DeepSeek-OCR weights in the model folder"
    if model_path is not None and next(model_path.glob("*.safetensors"), None):
        files = ", ".join(missing_files(model_path)[:3])
        reason = f"the DeepSeek-OCR weights in the model folder are incomplete: {files}"
    advice = "For DeepSeek-OCR itself get its weights with `dsocr download`"
    if missing:
        advice += " and install its packages: pip install 'dsocr[native]'"
    return reason, advice + "."


def is_installed(package: str) -> bool:
    """Looks for the package without importing it: importing torch takes seconds."""
    return importlib.util.find_spec(package) is not None
