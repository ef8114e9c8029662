"""`/v1/models`: the models of the service, and which one a request names."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from starlette.responses import JSONResponse

from dsocr.host import EngineHost
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
    models = [_model(name, host) for name, host in _names(service).items()]
    return JSONResponse({"object": "list", "data": models})


@router.get(
    "/v1/models/{name:path}",
    response_class=Response,
    summary="OpenAI: a model",
    responses=error_answers(401, 404, 422),
)
@openai_errors
async def show_model(name: str, service: RunningService) -> Response:
    host = _names(service).get(name)
    if host is None:
        raise ModelNotFound(f"There is no model {name[:80]!r}.")
    return JSONResponse(_model(name, host))


def model_of(name: str | None, service: Service) -> str | None:
    """The name of the model that a request names; None: the default one. A service with one model
    reads with it, whatever the name is. Raises `ModelNotFound`."""
    models = service.models
    found = models.matching(name)
    if found is None and name not in (None, "", ALIAS) and models.other_names:
        raise ModelNotFound(f"There is no model {name[:80]!r}; /v1/models lists them.")
    return found


def _names(service: Service) -> dict[str, EngineHost]:
    """Names that requests may have, with their hosts."""
    models = service.models
    names = {ALIAS: models.default}
    if models.other_names:
        return names | dict(models)
    info = models.info_of()
    return names | ({info.model: models.default} if info is not None else {})


def _model(name: str, host: EngineHost) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": host.selection.name,
        "capabilities": {"completion_chat": True, "vision": True, "ocr": True},
    }
