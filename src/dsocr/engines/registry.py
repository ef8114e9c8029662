"""The table of engines. An engine is imported when it is created, so that listing them is cheap."""

from __future__ import annotations

import importlib
from typing import Any

from dsocr.engines.base import Engine

ENGINES: dict[str, str] = {
    "native": "dsocr.engines.deepseek.devices:create_engine",
    "ppocr": "dsocr.engines.ppocr.engine:create_engine",
    "ray": "dsocr.engines.ray.engine:create_engine",
    "remote": "dsocr.engines.deepseek.remote.engine:create_engine",
}
"""Name -> "module:function", which takes the engine's settings and returns an `Engine`: there mypy
checks the engine against that Protocol. What `auto` uses is decided in `selection`."""

ALIASES = {"rapidocr": "ppocr"}
"""Earlier names: accepted in settings, on the command line, in requests and in stored jobs."""


def canonical_name(name: str) -> str:
    """The engine's name for a name or an alias; unknown names are returned unchanged."""
    return ALIASES.get(name, name)


def names_of(engine: str) -> tuple[str, ...]:
    """The engine's name and its aliases."""
    return (engine, *(alias for alias, name in ALIASES.items() if name == engine))


def create(name: str, config: Any) -> Engine:
    """Creates the engine with its config dataclass. Nothing is loaded before `start`. Blocks while
    devices are counted."""
    module, _, attribute = ENGINES[canonical_name(name)].partition(":")
    engine: Engine = getattr(importlib.import_module(module), attribute)(config)
    return engine
