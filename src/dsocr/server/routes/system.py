"""The state and the abilities of the service: `/live`, `/ready`, `/health`, `/api/modes`."""

from __future__ import annotations

import dataclasses
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from dsocr import __version__
from dsocr.engines.deepseek.modes import MODES
from dsocr.engines.deepseek.prompts import TASKS
from dsocr.engines.registry import ENGINES
from dsocr.errors import EngineUnavailable
from dsocr.exports import FORMATS
from dsocr.host import EngineHost
from dsocr.process.progress import StartProgress
from dsocr.server.deps import RunningService, locked_router
from dsocr.server.schemas.errors import error_answers
from dsocr.server.schemas.system import (
    EngineAnswer,
    EngineState,
    FormatAnswer,
    Health,
    Limits,
    Live,
    ModeAnswer,
    Modes,
    ProgressAnswer,
    QueueState,
    TaskAnswer,
)

open_router = APIRouter(tags=["system"])
"""For monitoring; needs no key."""
router = locked_router("system")


@open_router.get("/live", response_model=Live, summary="Liveness")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@open_router.get("/ready", response_model=Live, summary="Readiness", responses=error_answers(503))
async def ready(service: RunningService) -> dict[str, str]:
    if service.host.state != "ready":
        raise EngineUnavailable(service.host.waiting_reason)
    if service.admission.full:
        raise EngineUnavailable("The queue is full.")
    return {"status": "ready"}


@open_router.get("/health", response_model=Health, summary="A quick status check")
async def health(service: RunningService) -> Health:
    admission = service.admission
    return Health(
        status="ok",
        modelLoaded=service.host.info is not None,
        modes=list(MODES),
        engine=_engine_state(service.host),
        queue=QueueState(
            running=admission.running,
            waiting=admission.waiting,
            maxRequests=admission.max_requests,
            jobs=await service.jobs.num_unfinished(),
        ),
        version=__version__,
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
    return Modes(
        defaultPrompt=settings.default_prompt,
        modes={
            key: ModeAnswer(**{k: v for k, v in dataclasses.asdict(spec).items() if k != "key"})
            for key, spec in MODES.items()
        },
        maxImageMb=_number(limits.max_image_mb),
        tasks=[TaskAnswer(**dataclasses.asdict(spec)) for spec in TASKS.values()],
        formats=[
            FormatAnswer(
                key=spec.key,
                label=spec.label,
                extension=spec.extension,
                mediaType=spec.media_type,
            )
            for spec in FORMATS
        ],
        engines=[_engine_answer(name, service.host) for name in ENGINES],
        limits=Limits(
            maxImageMb=_number(limits.max_image_mb),
            maxPages=limits.max_pages,
            maxImageMegapixels=_number(settings.pages.max_pixels / 1_000_000),
            maxPromptBytes=limits.max_prompt_bytes,
            maxOutputTokens=limits.max_output_tokens,
            maxJobMb=_number(settings.jobs.max_job_mb),
            maxJobPages=settings.jobs.max_pages,
            maxJobFiles=settings.jobs.max_files,
        ),
    )


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)


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
        tasks=list(info.tasks) if info else None,
    )


def _progress_answer(progress: StartProgress | None) -> ProgressAnswer | None:
    return None if progress is None else ProgressAnswer(**dataclasses.asdict(progress))


def _engine_answer(name: str, host: EngineHost) -> EngineAnswer:
    if name == host.selection.name:
        info = host.info
        device = info.device if info else None
        return EngineAnswer(key=name, state=host.state, device=device, reason=host.selection.reason)
    reason = host.selection.advice or f"{host.selection.name} is used here"
    return EngineAnswer(key=name, state="off", device=None, reason=reason)


def _number(value: float) -> int | float:
    """15 rather than 15.0, for whole numbers."""
    return int(value) if float(value).is_integer() else value
