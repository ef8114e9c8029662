"""Creates the ASGI app: its middleware, its routes, and the objects of its lifespan."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from dsocr import __version__
from dsocr.config import Settings
from dsocr.host import CreateEngine
from dsocr.jobs.files.kept_files import kept_files
from dsocr.jobs.queue import JobQueue
from dsocr.metrics import Metrics, create_metrics
from dsocr.model_hosts import ModelHosts
from dsocr.process.machine import raise_open_files, this_machine
from dsocr.server import problems, web_page
from dsocr.server.admission import AdmissionLimiter
from dsocr.server.capacity import Capacity, capacity_of
from dsocr.server.contracts import contract_routers
from dsocr.server.contracts.body import IGNORED_HEADER
from dsocr.server.deps import BROWSER_HEADER, ApiKeys, Service
from dsocr.server.forms import FORM_OVERHEAD_BYTES
from dsocr.server.key_file import KeyFile
from dsocr.server.middleware.access import Cors, HostMiddleware, OriginMiddleware
from dsocr.server.middleware.body_limit import BodyLimitMiddleware
from dsocr.server.middleware.request_id import RequestIdMiddleware
from dsocr.server.route_attributes import body_limit_of
from dsocr.server.routes import (
    bundle,
    export,
    job_events,
    job_exports,
    job_pages,
    jobs,
    metrics,
    ocr,
    system,
    versions,
)
from dsocr.server.signals import on_shutdown_signal

DESCRIPTION = (
    "Recognizes images and PDFs and returns markdown with boxes. "
    "If the service has keys, send one as `Authorization: Bearer`."
)
THREADS = 64
"""Of the event loop's executor. They wait for disks, exports and callbacks. asyncio's default,
4 more than there are cores, lets a few slow exports hold up every upload."""
ALLOWED_HEADERS = (
    "Authorization",
    "X-Api-Key",
    "Ocp-Apim-Subscription-Key",
    "X-Request-Id",
    "Last-Event-ID",
    "Idempotency-Key",
    "Mcp-Protocol-Version",
    "Mcp-Session-Id",
    "Mcp-Method",
    "Mcp-Name",
    BROWSER_HEADER,
)

EXPOSED_HEADERS = (
    "X-Request-Id",
    "Retry-After",
    "Content-Disposition",
    "Location",
    IGNORED_HEADER,
)


def create_app(settings: Settings, *, create_engine: CreateEngine | None = None) -> FastAPI:
    """The service. The ASGI lifespan starts and stops its engine."""
    app = FastAPI(
        title="dsocr",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,  # the route in `routes.system` requires a key
        docs_url=None,  # these two load scripts from other hosts
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(settings, create_engine),
    )
    app.include_router(system.open_router)
    app.include_router(system.router)
    app.include_router(metrics.router)
    app.include_router(ocr.router)
    app.include_router(bundle.router)
    for part in (jobs, job_events, job_pages, job_exports):
        app.include_router(part.router)
    app.include_router(versions.router)
    app.include_router(export.router)
    for router in contract_routers(settings.server.contracts):
        app.include_router(router)
    web_page.install(app, settings.server)
    problems.install(app)
    _add_middleware(app, settings)
    return app


def _lifespan(settings: Settings, create_engine: CreateEngine | None) -> Any:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        raise_open_files()
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "dsocr"))
        counters = create_metrics()
        models = ModelHosts(settings.models_config(), create_engine, counters)
        queue = JobQueue(settings.runs_dir / "jobs", models, settings.jobs, counters)
        app.state.service = _service(settings, models, queue, counters)
        try:
            await models.start()
            await queue.start()
            with on_shutdown_signal(queue.close_event_streams):
                yield
        finally:
            await queue.close()
            await models.close()

    return lifespan


def _service(settings: Settings, models: ModelHosts, queue: JobQueue, counters: Metrics) -> Service:
    machine = this_machine()

    @functools.lru_cache(maxsize=8)
    def capacity_at(max_concurrency: int | None) -> Capacity:
        return capacity_of(settings, max_concurrency, machine)

    def capacity() -> Capacity:
        info = models.info_of()
        return capacity_at(info.max_concurrency if info else None)

    return Service(
        settings=settings,
        keys=ApiKeys(settings.server.api_keys, KeyFile(settings.keys_path)),
        admission=AdmissionLimiter(
            max_requests=lambda: capacity().requests.value,
            max_bytes=lambda: capacity().queue_bytes.value,
        ),
        models=models,
        jobs=queue,
        metrics=counters,
        uploads=AdmissionLimiter(
            max_requests=lambda: capacity().jobs.uploads.value, max_bytes=lambda: sys.maxsize
        ),
        capacity=capacity,
        kept=kept_files(settings.runs_dir / "files", settings.jobs.storage_url),
    )


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Innermost first. CORS is outside of what may refuse: a web page must see the refusal."""
    config = settings.server
    app.add_middleware(
        BodyLimitMiddleware,
        limit_of=lambda scope: body_limit_of(scope, settings),
        overhead=FORM_OVERHEAD_BYTES,
        window_seconds=config.body_window_seconds,
        bytes_per_second=config.body_bytes_per_second,
    )
    app.add_middleware(OriginMiddleware, allowed=config.allowed_origins)
    app.add_middleware(
        Cors,
        allow_origins=config.allowed_origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=ALLOWED_HEADERS,
        expose_headers=EXPOSED_HEADERS,
    )
    app.add_middleware(HostMiddleware, allowed=config.allowed_hosts)
    app.add_middleware(RequestIdMiddleware)
