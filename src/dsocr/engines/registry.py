"""The table of engines. An engine is imported when it is created; listing them imports none."""

from __future__ import annotations

import importlib
from typing import Any

from dsocr.engines.base import Engine

ENGINES: dict[str, str] = {
    "native": "dsocr.engines.deepseek.native:NativeEngine",
    "ppocr": "dsocr.engines.ppocr.engine:EmbeddedEngine",
}
"""Name -> "module:Class", in the order in which `auto` prefers them."""
ALIASES: dict[str, str] = {"rapidocr": "ppocr"}
"""Former names, accepted on the command line, in the environment, in requests and stored jobs."""


def canonical_name(name: str) -> str:
    """The engine's present name; unknown names are returned as they are."""
    return ALIASES.get(name, name)


def names_of(name: str) -> list[str]:
    """The engine's present name and its aliases, as stored jobs may have them."""
    return [name, *(alias for alias, present in ALIASES.items() if present == name)]


def create(name: str, config: Any) -> Engine:
    """A new engine with its own config dataclass. Nothing is loaded before `start`."""
    module, _, attribute = ENGINES[canonical_name(name)].partition(":")
    engine: Engine = getattr(importlib.import_module(module), attribute)(config)
    return engine
