"""What a server says of itself: its program and its model. Also its health check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from dsocr.engines.deepseek.remote.config import RemoteConfig
from dsocr.engines.deepseek.remote.failures import ServerFailed
from dsocr.engines.deepseek.remote.servers import KINDS, ServerKind, kind_of_owner

MAX_MODELS_BYTES = 4 << 20
DSOCR_MODEL = "deepseek-ocr"
"""The name that a dsocr service always lists, beside that of its model."""
MAX_NAMES = 5
"""In a message."""


@dataclass(frozen=True, slots=True)
class ServerDescription:
    """A server that is ready."""

    kind: ServerKind
    model: str
    """Its name for the model."""


async def describe(client: httpx.AsyncClient, config: RemoteConfig) -> ServerDescription:
    """Asks the server for its models and its health. Raises `ServerFailed` with the reason, for
    people, why it cannot read pages."""
    models = await _models(client, config)
    model = _model_of(models, config.model)
    kind = KINDS.get(config.kind) or kind_of_owner(str(model.get("owned_by", "")))
    if kind.health_path:
        await _get(client, kind.health_path, config)
    return ServerDescription(kind, str(model["id"]))


async def _models(client: httpx.AsyncClient, config: RemoteConfig) -> list[dict[str, Any]]:
    response = await _get(client, "/v1/models", config)
    try:
        return [entry for entry in response.json()["data"] or [] if entry["id"]]
    except (ValueError, TypeError, KeyError) as error:
        raise ServerFailed("it has no list of models at /v1/models", final=True) from error


def _model_of(models: list[dict[str, Any]], wanted: str) -> dict[str, Any]:
    """The model that the settings name, or the only one that there is a reason to choose."""
    names = ", ".join(str(entry["id"])[:60] for entry in models[:MAX_NAMES]) or "none"
    if wanted:
        found = [entry for entry in models if _same_name(str(entry["id"]), wanted)]
        if not found:
            raise ServerFailed(f"it has no model {wanted!r}; it has: {names}", final=True)
        return found[0]
    likely = [entry for entry in models if "ocr" in str(entry["id"]).lower()]
    named = [entry for entry in models if entry["id"] == DSOCR_MODEL]
    choices = models if len(models) == 1 else named or likely
    if len(choices) != 1:
        raise ServerFailed(
            f"it has these models: {names}; set DEEPSEEK_OCR_REMOTE_MODEL", final=True
        )
    return choices[0]


def _same_name(name: str, wanted: str) -> bool:
    """Ollama lists `name:latest` for what is asked for as `name`."""
    return name == wanted or name.removesuffix(":latest") == wanted


async def _get(client: httpx.AsyncClient, path: str, config: RemoteConfig) -> httpx.Response:
    """Raises `ServerFailed` for every status but 200."""
    try:
        response = await client.get(path, timeout=config.connect_seconds)
    except httpx.TimeoutException as error:
        raise ServerFailed("it does not answer in time") from error
    except httpx.HTTPError as error:
        raise ServerFailed("there is no connection") from error
    if response.status_code in (401, 403):
        raise ServerFailed("it refuses the API key; set DEEPSEEK_OCR_REMOTE_API_KEY", final=True)
    if response.status_code != 200:
        raise ServerFailed(f"{path} answers with status {response.status_code}")
    return response
