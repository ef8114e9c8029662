"""Runs one engine: selects it, starts it, falls back to another, starts it again when it failed.

The server starts it in the background and answers meanwhile; a command waits for it. Knows no HTTP,
no command line and no settings: configs are handed in.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from dsocr.engines import registry
from dsocr.engines.base import Engine, EngineInfo, ModeSpec
from dsocr.engines.deepseek.weights import find_weights
from dsocr.engines.selection import EngineSelection, select_engine
from dsocr.engines.stats import EngineStats, WorkerState
from dsocr.errors import DsocrError, EngineUnavailable
from dsocr.metrics import Metrics
from dsocr.pages.config import PagesConfig
from dsocr.pages.sandbox import Sandbox
from dsocr.pipeline.pipeline import Pipeline
from dsocr.process.progress import StartProgress
from dsocr.types import Mode

logger = logging.getLogger(__name__)

State = Literal["starting", "ready", "failed", "stopped"]
CreateEngine = Callable[[str, Any], Engine]
FALLBACK = "ppocr"
"""The engine that `auto` falls back to: it needs no weights and no GPU."""
MIN_PAUSE_SECONDS = 1.0
"""Between two attempts to start; doubled after each."""
MAX_PAUSE_SECONDS = 30.0
WORKERS_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class HostConfig:
    """The settings of an engine host."""

    engine: str
    """`auto`, or the name of an engine or an alias."""
    engine_configs: Mapping[str, Any]
    """The config dataclass of each engine by its name."""
    model_path: Path | None = None
    """Folder of the native engine's weights."""
    pages: PagesConfig = field(default_factory=PagesConfig)
    retry: bool = True
    """Whether pages that loop or are cut short are read again in other ways."""


class EngineHost:
    """One engine, its pipeline, and the sandbox that decodes files for it."""

    def __init__(
        self,
        config: HostConfig,
        create_engine: CreateEngine | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        """`metrics` counts the pages of every engine that the host starts."""
        self.selection: EngineSelection = select_engine(config.engine, config.model_path)
        self.seconds_to_start = 0.0
        self.sandbox = Sandbox(config.pages)
        self._config = config
        self._create = create_engine or registry.create
        self._metrics = metrics
        self._state: State = "starting"
        self._start_error: DsocrError | None = None
        """Why the last attempt to start failed; None if it did not."""
        self._candidate: Engine | None = None
        """The engine that is being started."""
        self._engine: Engine | None = None
        self._pipeline: Pipeline | None = None
        self._is_ready = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None

    @property
    def state(self) -> State:
        """`starting` also while a ready engine restarts its process: requests wait for it."""
        return "starting" if self._state == "ready" and self.unhealthy_reason else self._state

    @property
    def unhealthy_reason(self) -> str:
        """Why the engine cannot read at present, for people; empty when it can. Names no path."""
        if self._start_error is not None:
            return self._without_folder(self._start_error.message)
        return self._engine.unhealthy_reason if self._engine is not None else ""

    @property
    def start_progress(self) -> StartProgress | None:
        """How far the start or restart is; None when the engine is ready, or does not say."""
        engine = self._engine or self._candidate
        return engine.start_progress if engine is not None and self.state == "starting" else None

    @property
    def waiting_reason(self) -> str:
        """Why a page has to wait now, for people; says how far a start is."""
        progress = self.start_progress
        reason = self.unhealthy_reason or f"The {self.selection.name} engine is starting."
        return f"{reason.removesuffix('.')}: {progress.text}." if progress else reason

    @property
    def info(self) -> EngineInfo | None:
        """None until the engine is ready."""
        return self._engine.info if self._engine and self._state == "ready" else None

    @property
    def modes(self) -> Mapping[Mode, ModeSpec] | None:
        """Of the engine, also while it starts; None before it is created."""
        engine = self._engine or self._candidate
        return engine.info.modes if engine is not None else None

    @property
    def engine(self) -> Engine:
        """The engine once it is started. Raises `EngineUnavailable` before."""
        if self._engine is None:
            raise self._not_ready()
        return self._engine

    def stats(self) -> EngineStats:
        return self._engine.stats() if self._engine is not None else EngineStats()

    def workers(self) -> tuple[WorkerState, ...]:
        """One for each device; empty before the engine is started. Their reasons name no path."""
        if self._engine is None:
            return ()
        stats = self._engine.stats()
        alone = WorkerState(
            self._engine.info.device,
            self.state,
            self.unhealthy_reason,
            pages=stats.running + stats.waiting,
            restarts=sum(stats.restarts.values()),
        )
        return tuple(
            replace(one, unhealthy_reason=self._without_folder(one.unhealthy_reason))
            for one in stats.workers or (alone,)
        )

    async def wait_for_workers(self) -> tuple[WorkerState, ...]:
        """Waits until each worker has been started once, or has failed to."""
        while any(one.state == "starting" and not one.restarts for one in self.workers()):
            await asyncio.sleep(WORKERS_POLL_SECONDS)
        return self.workers()

    def start(self) -> None:
        """Starts the engine in the background; `pipeline` waits for it."""
        self._starting = asyncio.create_task(self._start_until_ready())

    async def start_once(self) -> None:
        """Starts the engine, or the fallback under `auto`. Raises why it cannot be started."""
        while not await self._try_to_start():
            assert self._start_error is not None
            if not self._fall_back():
                raise self._start_error

    async def pipeline(self, wait_seconds: float) -> tuple[Pipeline, EngineInfo]:
        """The pipeline and its engine's info, after at most `wait_seconds`.

        Raises the error of the last start, or `EngineUnavailable` while it is starting.
        """
        if self._state == "starting":
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._is_ready.wait(), wait_seconds)
        info = self.info
        if self._pipeline is None or info is None:
            raise self._not_ready()
        return self._pipeline, info

    async def close(self) -> None:
        self._state = "stopped"
        self._is_ready.set()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._engine is not None:
            await self._engine.close()
        await self.sandbox.close()

    def _without_folder(self, message: str) -> str:
        return without_folder(message, self._config.model_path) if message else ""

    def _not_ready(self) -> DsocrError:
        kind = type(self._start_error) if self._start_error is not None else EngineUnavailable
        return kind(self.waiting_reason)

    async def _start_until_ready(self) -> None:
        pause = MIN_PAUSE_SECONDS
        while not await self._try_to_start():
            if self._fall_back():
                continue
            self._state = "failed"
            assert self._start_error is not None
            logger.error("%s: %s", self.selection.name, self._start_error.message)
            # an error that is not retryable, such as broken weights, is checked again rarely
            await asyncio.sleep(pause if self._start_error.retryable else MAX_PAUSE_SECONDS)
            pause = min(2 * pause, MAX_PAUSE_SECONDS)

    def _fall_back(self) -> bool:
        """Selects the fallback engine under `auto`. False where there is none left."""
        if self._config.engine != "auto" or self.selection.name == FALLBACK:
            return False
        reason = f"{self.selection.name} did not start: {self.unhealthy_reason}"
        logger.warning("%s", reason)
        self.selection = EngineSelection(FALLBACK, reason)
        return True

    async def _try_to_start(self) -> bool:
        began = time.monotonic()
        name = self.selection.name
        logger.info("starting the %s engine", name)
        try:
            engine = await self._created_and_started(name)
        except DsocrError as error:
            self._start_error = error
            return False
        self._engine = engine
        self._pipeline = Pipeline(engine, retry=self._config.retry, metrics=self._metrics)
        self.seconds_to_start = time.monotonic() - began
        self._state, self._start_error = "ready", None
        self._is_ready.set()
        self._log_ready(engine.info)
        return True

    async def _created_and_started(self, name: str) -> Engine:
        """Raises `DsocrError`; a bug while starting is logged and becomes `EngineUnavailable`."""
        engine: Engine | None = None
        try:
            config = self._config.engine_configs[name]
            engine = self._candidate = await asyncio.to_thread(self._create, name, config)
            await engine.start()
        except BaseException as error:
            if engine is not None:
                await engine.close()
            if isinstance(error, ImportError):
                raise EngineUnavailable(f"The {name} engine cannot be loaded: {error}.") from error
            if isinstance(error, DsocrError) or not isinstance(error, Exception):
                raise
            logger.exception("%s failed to start", name)
            raise EngineUnavailable("it failed to start") from error
        return engine

    def _log_ready(self, info: EngineInfo) -> None:
        logger.info(
            "the engine is %s (%s, %s), because %s; it was ready in %.1f s",
            *(info.name, info.model, info.device, self.selection.reason, self.seconds_to_start),
        )
        if self.selection.advice:
            logger.info(self.selection.advice)


@contextlib.asynccontextmanager
async def started_host(config: HostConfig) -> AsyncIterator[EngineHost]:
    """A host whose engine is ready, for one command. Raises why it cannot be started."""
    host = EngineHost(config)
    try:
        await host.start_once()
        yield host
    finally:
        await host.close()


def without_folder(message: str, model_path: Path | None) -> str:
    """The message without the path of the weights: `/health` shows it to anyone."""
    folders = {model_path, find_weights(model_path)}
    paths = {str(path) for folder in folders if folder for path in (folder, folder.resolve())}
    for path in sorted(paths, key=len, reverse=True):
        message = message.replace(path, "the model folder")
    return message
