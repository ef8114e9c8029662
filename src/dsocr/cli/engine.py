"""The engine of one command: chosen, started, given back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dsocr.config import Settings
from dsocr.engines import registry
from dsocr.engines.base import Engine
from dsocr.engines.selection import EngineSelection, select_engine
from dsocr.errors import DsocrError, EngineUnavailable


@asynccontextmanager
async def started_engine(settings: Settings) -> AsyncIterator[tuple[Engine, EngineSelection]]:
    """The engine that shall read. Under `auto` the embedded one steps in for one that fails."""
    choice = select_engine(settings.engine, settings.runtime.model_path)
    try:
        engine = await _started(choice.name, settings)
    except DsocrError as error:
        if settings.engine != "auto" or choice.name == "ppocr":
            raise
        choice = EngineSelection("ppocr", f"{choice.name} did not start: {error.message}")
        engine = await _started(choice.name, settings)
    try:
        yield engine, choice
    finally:
        await engine.close()


async def _started(name: str, settings: Settings) -> Engine:
    try:
        engine = registry.create(name, settings.engine_config(name))
    except ImportError as error:
        raise EngineUnavailable(f"The {name} engine cannot be loaded: {error}.") from error
    try:
        await engine.start()
    except BaseException:
        await engine.close()
        raise
    return engine
