"""Finds the native engine's weights. Looks at file names only: no torch, no downloads."""

from __future__ import annotations

import json
from pathlib import Path

REPOSITORY = "deepseek-ai/DeepSeek-OCR"
INDEX = "model.safetensors.index.json"


def find_weights(model_path: Path | None, *, hub_cache: Path | None = None) -> Path | None:
    """The folder to load: `model_path` if it holds weights, else the hub cache's, else None.

    A folder with an incomplete checkpoint does not count; `missing_files` lists what it lacks.
    """
    folders = [] if model_path is None else [model_path]
    folders += cached_snapshots(hub_cache)
    return next((folder for folder in folders if not missing_files(folder)), None)


def missing_files(folder: Path) -> list[str]:
    """Files that a checkpoint needs and this folder lacks; empty when it is complete."""
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    shards = _shards_of_index(folder)
    if shards:
        return missing + [name for name in shards if not (folder / name).is_file()]
    if not next(folder.glob("*.safetensors"), None):
        missing.append("*.safetensors")
    return missing


def cached_snapshots(hub_cache: Path | None = None) -> list[Path]:
    """Snapshots of the model in the Hugging Face cache, that of `main` first."""
    if hub_cache is None:
        from huggingface_hub.constants import HF_HUB_CACHE  # knows HF_HOME and HF_HUB_CACHE

        hub_cache = Path(HF_HUB_CACHE)
    model = hub_cache / f"models--{REPOSITORY.replace('/', '--')}"
    try:
        main = (model / "refs" / "main").read_text().strip()
    except OSError:
        main = ""
    snapshots = sorted((model / "snapshots").glob("*"), key=lambda path: path.stat().st_mtime)
    return sorted(reversed(snapshots), key=lambda path: path.name != main)


def _shards_of_index(folder: Path) -> list[str]:
    """The shards that the index names. An unreadable index is reported by the loader."""
    try:
        names = set(json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return sorted(Path(str(name)).name for name in names)
