"""The engine that reads in this service: started in the background, given back at the end.

Under `auto` the next best engine takes over when the first one will not start. A failed start is
tried again, so that the service heals by itself. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from dsocr.config import Settings
from dsocr.engines import registry
from dsocr.engines.base import Engine, EngineInfo
from dsocr.engines.deepseek.weights import find_weights
from dsocr.engines.selection import EngineSelection, select_engine
from dsocr.errors import DsocrError, EngineUnavailable
from dsocr.pages.sandbox import Sandbox
from dsocr.pipeline.pipeline import Pipeline

logger = logging.getLogger(__name__)

State = Literal["starting", "ready", "failed", "stopped"]
CreateEngine = Callable[[str, Any], Engine]
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0


def without_folder(words: str, model_path: Path | None) -> str:
    """For strangers, who may read it in `/health`: where the weights lie is not told."""
    places = {model_path, find_weights(model_path)}
    names = {str(place) for at in places if at is not None for place in (at, at.resolve())}
    for name in sorted(names, key=len, reverse=True):
        words = words.replace(name, "the model folder")
    return words


class Reader:
    """One engine, its pipeline and the sandbox that decodes for it."""

    def __init__(self, settings: Settings, create_engine: CreateEngine = registry.create) -> None:
        self._state: State = "starting"
        self.choice: EngineSelection = select_engine(settings.engine, settings.runtime.model_path)
        self._unhealthy_reason = ""
        self.seconds_to_start = 0.0
        self.sandbox = Sandbox(settings.pages)
        self._settings = settings
        self._create = create_engine
        self._engine: Engine | None = None
        self._pipeline: Pipeline | None = None
        self._ready = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None
        self._kind: type[DsocrError] = EngineUnavailable
        """What kind of fault `unhealthy_reason` is."""

    @property
    def state(self) -> State:
        """An engine that heals is starting once more; what is asked meanwhile waits for it."""
        return "starting" if self._state == "ready" and self.unhealthy_reason else self._state

    @property
    def unhealthy_reason(self) -> str:
        """Why the engine does not read, for people; empty when it does."""
        healing = self._engine.unhealthy_reason if self._engine is not None else ""
        return self._unhealthy_reason or healing

    @property
    def info(self) -> EngineInfo | None:
        """None until the engine reads."""
        return self._engine.info if self._engine and self._state == "ready" else None

    def start(self) -> None:
        """Returns at once; `pipeline` waits for the engine."""
        self._starting = asyncio.create_task(self._start_until_it_reads())

    async def pipeline(self, wait_seconds: float) -> tuple[Pipeline, EngineInfo]:
        """With its engine. Raises what keeps it from reading, or `EngineUnavailable`, when it
        does not read by then."""
        if self._state == "starting":
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._ready.wait(), wait_seconds)
        info = self.info
        if self._pipeline is None or info is None:
            raise self._kind(self.unhealthy_reason or f"The {self.choice.name} engine is starting.")
        return self._pipeline, info

    async def close(self) -> None:
        self._state = "stopped"
        self._ready.set()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._engine is not None:
            await self._engine.close()
        await self.sandbox.close()

    async def _start_until_it_reads(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not await self._start_once():
            if self._settings.engine == "auto" and self.choice.name != "ppocr":
                reason = f"{self.choice.name} did not start: {self._unhealthy_reason}"
                self.choice = EngineSelection("ppocr", reason)
                continue
            self._state = "failed"
            # broken weights do not mend themselves; loading them again and again helps nobody
            await asyncio.sleep(pause if self._kind.retryable else LONGEST_PAUSE_SECONDS)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _start_once(self) -> bool:
        began = time.monotonic()
        name = self.choice.name
        logger.info("starting the %s engine", name)
        engine: Engine | None = None
        try:
            engine = self._create(name, self._settings.engine_config(name))
            await engine.start()
        except Exception as error:
            if engine is not None:
                await engine.close()
            known = isinstance(error, DsocrError)
            self._kind = type(error) if isinstance(error, DsocrError) else EngineUnavailable
            unhealthy_reason = (
                error.message if isinstance(error, DsocrError) else "it failed to start"
            )
            logger.error("%s: %s", name, unhealthy_reason, exc_info=None if known else error)
            self._unhealthy_reason = without_folder(
                unhealthy_reason, self._settings.runtime.model_path
            )
            return False
        self._engine = engine
        self._pipeline = Pipeline(engine, retry=self._settings.retry)
        self.seconds_to_start = time.monotonic() - began
        self._state, self._unhealthy_reason = "ready", ""
        self._ready.set()
        logger.info(
            "%s (%s, %s) reads, because %s; it was ready in %.1f s",
            name,
            engine.info.model,
            engine.info.device,
            self.choice.reason,
            self.seconds_to_start,
        )
        if self.choice.advice:
            logger.info(self.choice.advice)
        return True
