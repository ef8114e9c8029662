"""Which engine reads when nobody said, and why. Looks at files and packages; imports neither."""

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
    """The engine that shall read, as one tells it to a person."""

    name: str
    reason: str
    advice: str = ""
    """What to do to get the better one; empty when there is none."""


def select_engine(
    wanted: str,
    model_path: Path | None,
    *,
    hub_cache: Path | None = None,
    installed: Callable[[str], bool] | None = None,
) -> EngineSelection:
    """`auto` takes `native` when its weights and packages are there, else `ppocr`."""
    wanted = canonical_name(wanted)
    if wanted != "auto":
        return EngineSelection(wanted, f"{wanted} was asked for")
    missing = [name for name in NATIVE_PACKAGES if not (installed or is_installed)(name)]
    if find_weights(model_path, hub_cache=hub_cache) is None:
        return EngineSelection("ppocr", *_without_weights(model_path, missing))
    if missing:
        return EngineSelection(
            "ppocr",
            f"the DeepSeek-OCR weights are there, but not installed: {', '.join(missing)}",
            "Install what is missing: pip install 'dsocr[native]'.",
        )
    return EngineSelection("native", "the DeepSeek-OCR weights and torch are there")


def _without_weights(model_path: Path | None, missing: list[str]) -> tuple[str, str]:
    """Reason and advice. Without the folder's path: strangers may read them in `/health`."""
    reason = "there are no DeepSeek-OCR weights in the model folder"
    if model_path is not None and next(model_path.glob("*.safetensors"), None):
        lacking = ", ".join(missing_files(model_path)[:3])
        reason = f"the DeepSeek-OCR weights in the model folder are incomplete: {lacking}"
    advice = "For DeepSeek-OCR itself get its weights with `dsocr download`"
    if missing:
        advice += " and install its packages: pip install 'dsocr[native]'"
    return reason, advice + "."


def is_installed(package: str) -> bool:
    """Found without importing it: importing torch takes seconds."""
    return importlib.util.find_spec(package) is not None
