"""`/v1/models`: the model that is running."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from starlette.responses import JSONResponse

from dsocr.server.contracts.openai.errors import error_answers, openai_errors
from dsocr.server.deps import RunningService, Service, locked_router
from dsocr.server.problems import NotFound

router = locked_router("openai")

ALIAS = "deepseek-ocr"
"""Always listed: a name for clients that is the same with every engine."""


class ModelNotFound(NotFound):
    """There is no such model."""


@router.get(
    "/v1/models",
    response_class=Response,
    summary="OpenAI: models",
    responses=error_answers(401),
)
@openai_errors
async def list_models(service: RunningService) -> Response:
    models = [_model(name, service) for name in _names(service)]
    return JSONResponse({"object": "list", "data": models})


@router.get(
    "/v1/models/{name:path}",
    response_class=Response,
    summary="OpenAI: a model",
    responses=error_answers(401, 404, 422),
)
@openai_errors
async def show_model(name: str, service: RunningService) -> Response:
    if name not in _names(service):
        raise ModelNotFound(f"There is no model {name[:80]!r}.")
    return JSONResponse(_model(name, service))


def _names(service: Service) -> list[str]:
    info = service.host.info
    return [ALIAS, *([info.model] if info is not None else [])]


def _model(name: str, service: Service) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": service.host.selection.name,
        "capabilities": {"completion_chat": True, "vision": True, "ocr": True},
    }
