"""Sends pages to a Ray Serve deployment, which balances and scales its replicas.

A page whose replica died is sent again: Serve does not do that for pages in flight. Only
`response.cancel()` ends a page in its replica; a cancelled task alone does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
import logging
from collections.abc import Callable
from typing import Any

from dsocr import tracing
from dsocr.engines import registry
from dsocr.engines.base import EngineInfo, OnText
from dsocr.engines.ray.cluster import connect, in_ray_thread, restore_sigterm, unusable_cluster
from dsocr.engines.ray.config import RayEngineConfig
from dsocr.engines.ray.replica import Failure, Message, PageReplica, SentPage, portable
from dsocr.engines.stats import EngineStats
from dsocr.errors import EngineCrashed, EngineUnavailable, QueueFull
from dsocr.process.inflight import error_from_frame
from dsocr.process.text_stream import TextStream
from dsocr.types import OcrOptions, PageImage, PageResult

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""A page whose replica died so often is given up: it may be the cause."""
LEAVE_SECONDS = 30.0
"""So long the end of the service may wait for the cluster."""


class ReplicaLost(Exception):
    """The replica of a page died, or its node did."""


class RayEngine:
    """Recognizes pages by replicas on a Ray cluster."""

    start_progress = None

    def __init__(self, config: RayEngineConfig) -> None:
        self._config = config
        self._handle: Any = None
        self._owns_cluster = self._owns_application = self._closed = False
        self._num_running = self._num_retries = 0
        self._starting = asyncio.Lock()
        ray = config.ray
        self._target = config.target or registry.ENGINES[ray.engine]
        self._replica_config = config.engine_configs.get(ray.engine)
        module, _, name = self._target.partition(":")
        create = getattr(importlib.import_module(module), name)
        self.info = self._info_of(create(self._replica_config).info)

    def _info_of(self, replica: EngineInfo) -> EngineInfo:
        ray = self._config.ray
        return dataclasses.replace(
            replica,
            name="ray",
            device=f"Ray, {replica.device}",
            max_concurrency=ray.max_replicas * ray.pages_per_replica,
            details=(("replicas", f"{ray.min_replicas} to {ray.max_replicas}"), *replica.details),
        )

    @property
    def unhealthy_reason(self) -> str:
        return ""

    def stats(self) -> EngineStats:
        return EngineStats(running=self._num_running, retries=self._num_retries)

    async def start(self) -> None:
        """Connects to the cluster, deploys the replicas where there is no such application, and
        waits for the first one. Raises `EngineUnavailable`."""
        async with self._starting:
            if self._handle is None:
                try:
                    await in_ray_thread(self._connect)
                    restore_sigterm()
                    self._handle = await in_ray_thread(self._deploy)
                except Exception as error:
                    logger.exception("the application cannot be deployed")
                    raise unusable_cluster(error) from error
        info = await self._describe()
        self.info = self._info_of(info)

    async def _describe(self) -> EngineInfo:
        response = self._handle.info.remote()
        try:
            seconds = self._config.ray.start_seconds
            info: EngineInfo | Failure = await asyncio.wait_for(_awaited(response), seconds)
        except ReplicaLost as error:
            raise EngineUnavailable("The replica ended while it started.") from error
        except asyncio.TimeoutError as error:
            raise EngineUnavailable("No replica was ready in time.") from error
        if isinstance(info, Failure):
            raise error_from_frame({"code": info.code, "message": info.message})
        return info

    def _connect(self) -> None:
        """Blocks. Leaves the cluster again if the engine was closed meanwhile."""
        self._owns_cluster |= connect(self._config.ray.address)
        if self._closed:
            self._leave()

    def _deploy(self) -> Any:
        """Blocks. The handle of the application."""
        from ray import serve

        config = self._config.ray
        with contextlib.suppress(Exception):  # it is not running
            return serve.get_app_handle(config.application)
        self._owns_application = True
        serve.start(proxy_location="Disabled")  # its proxies would take port 8000 of every machine
        bound = application(self._config, self._target, self._replica_config)
        return serve.run(bound, name=config.application, route_prefix=None)

    async def recognize(
        self, page: PageImage, options: OcrOptions, *, on_text: OnText | None = None
    ) -> PageResult:
        """Raises what the replica's engine raises; `EngineCrashed` for a page whose replicas
        died."""
        if self._handle is None:
            await self.start()
        sent, stream = portable(page), TextStream(on_text)
        self._num_running += 1
        try:
            for _ in range(MAX_ATTEMPTS):
                try:
                    end = await self._attempt(sent, options, stream if on_text else None)
                except ReplicaLost:
                    logger.warning("page %d is sent again: its replica was lost", page.index)
                    self._num_retries += 1
                    stream.restart()
                    continue
                if isinstance(end, Failure):
                    raise error_from_frame({"code": end.code, "message": end.message})
                return end
        finally:
            self._num_running -= 1
        raise EngineCrashed()

    async def _attempt(
        self, page: SentPage, options: OcrOptions, stream: TextStream | None
    ) -> PageResult | Failure:
        trace = tracing.outgoing_headers()
        if stream is None:
            response = self._handle.recognize.remote(page, options, trace)
            result: PageResult | Failure = await _awaited(response)
            return result
        response = self._handle.options(stream=True).stream.remote(page, options, trace)
        return await _streamed(response, stream.add)

    async def close(self) -> None:
        """A start that is not complete leaves the cluster by itself."""
        self._closed = True
        connected, self._handle = self._owns_cluster or self._handle is not None, None
        if connected:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(in_ray_thread(self._leave), LEAVE_SECONDS)

    def _leave(self) -> None:
        """Ends what this engine began, and nothing that others may use."""
        import ray
        from ray import serve

        with contextlib.suppress(Exception):
            if self._owns_cluster and not self._config.ray.address:
                serve.shutdown()
            elif self._owns_application:
                serve.delete(self._config.ray.application)
        if self._owns_cluster:
            ray.shutdown()


def create_engine(config: RayEngineConfig) -> RayEngine:
    return RayEngine(config)


def application(config: RayEngineConfig, target: str, replica_config: Any) -> Any:
    """The Serve application of these replicas, not deployed yet."""
    from ray import serve

    ray = config.ray
    deployment = serve.deployment(
        PageReplica,
        name="pages",
        max_ongoing_requests=ray.pages_per_replica,
        autoscaling_config={
            "min_replicas": ray.min_replicas,
            "max_replicas": ray.max_replicas,
            "target_ongoing_requests": max(1, ray.pages_per_replica // 2),
        },
        ray_actor_options={
            "num_gpus": ray.gpus_per_replica,
            "num_cpus": ray.cpus_per_replica,
        },
    )
    return deployment.bind(target, replica_config, config.traces_url)


async def _awaited(response: Any) -> Any:
    """Raises `ReplicaLost` and `QueueFull`. Cancelling cancels the page in its replica."""
    try:
        return await response
    except asyncio.CancelledError:
        response.cancel()
        raise
    except Exception as error:
        raise _translated(error) from error


async def _streamed(response: Any, on_text: Callable[[str], None]) -> PageResult | Failure:
    end: PageResult | Failure | None = None
    try:
        message: Message
        async for message in response:
            if isinstance(message, str):
                on_text(message)
            else:
                end = message
    except asyncio.CancelledError:
        response.cancel()
        raise
    except Exception as error:
        response.cancel()
        raise _translated(error) from error
    if end is None:
        raise ReplicaLost
    return end


def _translated(error: Exception) -> Exception:
    """Ray's error as ours. Its text has addresses: it is only logged."""
    from ray.exceptions import RayError
    from ray.serve.exceptions import BackPressureError

    if isinstance(error, BackPressureError):
        return QueueFull()
    if isinstance(error, RayError):
        logger.warning("a replica was lost (%s)", type(error).__name__)
        return ReplicaLost()
    return error
