"""Where the native engine's weights lie. Looks at names only: imports no torch, fetches nothing."""

from __future__ import annotations

import json
from pathlib import Path

REPOSITORY = "deepseek-ai/DeepSeek-OCR"
INDEX = "model.safetensors.index.json"


def find_weights(model_path: Path | None, *, hub_cache: Path | None = None) -> Path | None:
    """The folder to load: `model_path` if weights are in it, else the hub cache's, else None.

    A folder with a broken or half-fetched checkpoint does not count; `missing_files` says why.
    """
    places = [] if model_path is None else [model_path]
    places += cached_snapshots(hub_cache)
    return next((place for place in places if not missing_files(place)), None)


def missing_files(folder: Path) -> list[str]:
    """Names of the files a checkpoint needs and this folder lacks; empty: it is complete."""
    missing = [name for name in ("config.json", "tokenizer.json") if not (folder / name).is_file()]
    shards = _shards_of_index(folder)
    if shards:
        return missing + [name for name in shards if not (folder / name).is_file()]
    if not next(folder.glob("*.safetensors"), None):
        missing.append("*.safetensors")
    return missing


def cached_snapshots(hub_cache: Path | None = None) -> list[Path]:
    """Snapshots of the model in the Hugging Face cache, the one `main` points to first."""
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
    """The shards that the index names. An unreadable index is for the loader to complain about."""
    try:
        names = set(json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    return sorted(Path(str(name)).name for name in names)
