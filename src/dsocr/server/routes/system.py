"""The state and the abilities of the service: `/live`, `/ready`, `/health`, `/api/modes`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from dsocr import __version__
from dsocr.config import MIB
from dsocr.engines.base import ModeSpec
from dsocr.engines.deepseek.modes import AUTO_DESCRIPTION, MODES
from dsocr.engines.deepseek.prompts import TASKS
from dsocr.engines.registry import ENGINES
from dsocr.errors import EngineUnavailable
from dsocr.exports import FORMATS
from dsocr.host import EngineHost
from dsocr.process.capacity import Limit
from dsocr.process.progress import StartProgress
from dsocr.server.capacity import Capacity
from dsocr.server.deps import RunningService, Service, locked_router
from dsocr.server.schemas.errors import error_answers
from dsocr.server.schemas.system import (
    AutoMode,
    EngineAnswer,
    EngineState,
    EngineWorker,
    FormatAnswer,
    Health,
    LimitInEffect,
    Limits,
    LimitsInEffect,
    Live,
    ModeAnswer,
    ModelChoice,
    ModelState,
    Modes,
    ProgressAnswer,
    QueueState,
    TaskAnswer,
)
from dsocr.types import Mode

MINERU_PROTOCOL = 1
"""The version of MinerU's task API that `server.contracts.mineru` answers."""
open_router = APIRouter(tags=["system"])
"""For monitoring; needs no key."""
router = locked_router("system")


@open_router.get("/livez", response_model=Live, include_in_schema=False)
@open_router.get("/live", response_model=Live, summary="Liveness")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@open_router.get("/readyz", response_model=Live, include_in_schema=False)
@open_router.get("/ready", response_model=Live, summary="Readiness", responses=error_answers(503))
async def ready(service: RunningService) -> dict[str, str]:
    if service.host.state != "ready":
        raise EngineUnavailable(service.host.waiting_reason)
    if service.admission.full:
        raise EngineUnavailable("The queue is full.")
    return {"status": "ready"}


@open_router.get("/health", response_model=Health, summary="A quick status check")
async def health(service: RunningService) -> Health:
    admission, info = service.admission, service.host.info
    jobs = await service.jobs.count_by_status()
    return Health(
        status="ok",
        modelLoaded=info is not None,
        modes=list(_modes(service.host)),
        engine=_engine_state(service.host),
        models=[
            ModelState(name=name, state=host.state, trouble=host.unhealthy_reason)
            for name, host in service.models
        ],
        queue=QueueState(
            running=admission.running,
            waiting=admission.waiting,
            maxRequests=admission.max_requests,
            jobs=jobs["queued"] + jobs["running"],
        ),
        limits=_limits_in_effect(service.capacity()),
        version=__version__,
        protocol_version=MINERU_PROTOCOL,
        queued_tasks=jobs["queued"],
        processing_tasks=jobs["running"],
        completed_tasks=jobs["succeeded"],
        failed_tasks=jobs["failed"],
        max_concurrent_requests=admission.max_requests,
        processing_window_size=info.max_concurrency if info else 1,
        errorCode=0,
        errorMsg="Healthy",
    )


for _path, _answer in (("/live", live), ("/ready", ready), ("/health", health)):
    open_router.head(_path, include_in_schema=False)(_answer)  # uptime monitors send HEAD


@router.get(
    "/api/modes",
    response_model=Modes,
    summary="Modes, tasks, formats, engines and limits",
    responses=error_answers(401),
)
async def modes(service: RunningService) -> Modes:
    settings = service.settings
    limits = settings.server
    specs = _modes(service.host)
    return Modes(
        defaultPrompt=settings.default_prompt,
        modes={key: _mode_answer(spec) for key, spec in specs.items()},
        visionTokens={key: list(spec.vision_tokens) for key, spec in specs.items()},
        autoMode=AutoMode(key="auto", label="Auto", description=AUTO_DESCRIPTION),
        maxImageMb=_number(limits.max_image_mb),
        tasks=[TaskAnswer(**dataclasses.asdict(spec)) for spec in TASKS.values()],
        formats=[
            FormatAnswer(
                key=spec.key,
                label=spec.label,
                extension=spec.extension,
                mediaType=spec.media_type,
                needs=list(spec.needs),
            )
            for spec in FORMATS
        ],
        engines=[_engine_answer(name, service) for name in ENGINES],
        models=[
            _model_choice(name, host, is_default=host is service.host)
            for name, host in service.models
        ],
        limits=Limits(
            maxImageMb=_number(limits.max_image_mb),
            maxPages=limits.max_pages,
            maxImageMegapixels=_number(settings.pages.max_pixels / 1_000_000),
            maxPromptBytes=limits.max_prompt_bytes,
            maxOutputTokens=limits.max_output_tokens,
            maxJobMb=_number(settings.jobs.max_job_mb),
            maxJobPages=settings.jobs.max_pages,
            maxJobFiles=settings.jobs.max_files,
            retentionDays=_number(settings.jobs.retention_days),
        ),
    )


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)


def _modes(host: EngineHost) -> Mapping[Mode, ModeSpec]:
    """Those of the engine, as far as they are known before it is ready; else DeepSeek-OCR's."""
    return host.described.modes if host.described else MODES


def _mode_answer(spec: ModeSpec) -> ModeAnswer:
    return ModeAnswer(**{name: getattr(spec, name) for name in ModeAnswer.model_fields})


def _engine_state(host: EngineHost) -> EngineState:
    info = host.info
    return EngineState(
        name=host.selection.name,
        model=info.model if info else None,
        device=info.device if info else None,
        state=host.state,
        reason=host.selection.reason,
        advice=host.selection.advice,
        trouble=host.unhealthy_reason,
        progress=_progress_answer(host.start_progress),
        details=dict(info.details) if info else {},
        workers=[
            EngineWorker(
                device=worker.device,
                state=worker.state,
                trouble=worker.unhealthy_reason,
                pages=worker.pages,
                restarts=worker.restarts,
            )
            for worker in host.workers()
        ],
        tasks=list(info.tasks) if info else None,
    )


def _progress_answer(progress: StartProgress | None) -> ProgressAnswer | None:
    return None if progress is None else ProgressAnswer(**dataclasses.asdict(progress))


def _limits_in_effect(capacity: Capacity) -> LimitsInEffect:
    queue_bytes = capacity.queue_bytes
    return LimitsInEffect(
        decoders=_limit_answer(capacity.decoders),
        requests=_limit_answer(capacity.requests),
        queueMb=LimitInEffect(
            value=_number(round(queue_bytes.value / MIB, 3)), reason=queue_bytes.reason
        ),
        connections=_limit_answer(capacity.connections),
        jobUploads=_limit_answer(capacity.jobs.uploads),
        runningJobs=_limit_answer(capacity.jobs.running),
        unfinishedJobs=_limit_answer(capacity.jobs.unfinished),
        jobsPerKey=_limit_answer(capacity.jobs.per_key),
    )


def _limit_answer(limit: Limit) -> LimitInEffect:
    return LimitInEffect(value=limit.value, reason=limit.reason)


def _model_choice(name: str, host: EngineHost, *, is_default: bool) -> ModelChoice:
    described, info = host.described, host.info
    modes = _modes(host)
    return ModelChoice(
        name=name,
        engine=host.selection.name,
        model=described.model if described else None,
        device=info.device if info else None,
        state=host.state,
        reason=host.unhealthy_reason,
        modes=list(modes),
        visionTokens={key: list(spec.vision_tokens) for key, spec in modes.items()},
        tasks=list(described.tasks) if described else [],
        default=is_default,
    )


def _engine_answer(name: str, service: Service) -> EngineAnswer:
    host = service.host
    if name != host.selection.name and name in service.models.engine_names:
        host = service.models.host(name)
    selection = host.selection
    if name == selection.name:
        info = host.info
        device = info.device if info else None
        return EngineAnswer(key=name, state=host.state, device=device, reason=selection.reason)
    reason = selection.advice if name == selection.better else f"{selection.name} is used here"
    return EngineAnswer(key=name, state="off", device=None, reason=reason)


def _number(value: float) -> int | float:
    """15 rather than 15.0, for whole numbers."""
    return int(value) if float(value).is_integer() else value
