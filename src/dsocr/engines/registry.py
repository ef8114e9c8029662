"""The table of engines. An engine is imported when it is created, so that listing them is cheap."""

from __future__ import annotations

import importlib
from typing import Any

from dsocr.engines.base import Engine

ENGINES: dict[str, str] = {
    "native": "dsocr.engines.deepseek.native:NativeEngine",
    "rapidocr": "dsocr.engines.ppocr.engine:PpocrEngine",
}
"""Name -> "module:Class", in the order in which `auto` prefers them."""


def create(name: str, config: Any) -> Engine:
    """The engine of that name with its own config dataclass. Nothing is loaded before `start`."""
    module, _, attribute = ENGINES[name].partition(":")
    engine: Engine = getattr(importlib.import_module(module), attribute)(config)
    return engine
