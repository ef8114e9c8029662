"""Attributes of a route: how large its body may be, and the shape of its errors.

The layers around the app and the error handlers look them up by the route that a request matches,
also before it is routed. A foreign contract sets its own with the two decorators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.routing import Match, Route
from starlette.types import Scope

from dsocr.config import MIB, Settings

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])

DEFAULT_BODY_BYTES = 1 * MIB
"""Of a route without an attribute of its own."""


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """What an error answer says, whatever its shape."""

    status: int
    code: str
    message: str
    request_id: str
    retryable: bool = False


BodyLimit = Callable[[Settings], int]
"""The largest body in bytes, without the form around its files."""
ErrorShape = Callable[[ErrorWords], dict[str, Any]]
"""The JSON object of an error answer."""


def body_limit(limit: BodyLimit) -> Callable[[Endpoint], Endpoint]:
    """Decorates an endpoint with the size that its body may have."""

    def decorate(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)["body_limit"] = limit
        return endpoint

    return decorate


def error_shape(shape: ErrorShape) -> Callable[[Endpoint], Endpoint]:
    """Decorates an endpoint with the shape of its errors."""

    def decorate(endpoint: Endpoint) -> Endpoint:
        vars(endpoint)["error_shape"] = shape
        return endpoint

    return decorate


def default_error_shape(words: ErrorWords) -> dict[str, Any]:
    """The shape of `docs/api.md`. `detail` is what FastAPI's own clients look at."""
    error = {
        "code": words.code,
        "message": words.message,
        "requestId": words.request_id,
        "retryable": words.retryable,
    }
    return {"error": error, "detail": words.message}


def body_limit_of(scope: Scope, settings: Settings) -> int:
    """The largest body of a request, in bytes."""
    limit: BodyLimit | None = _attributes(scope).get("body_limit")
    return DEFAULT_BODY_BYTES if limit is None else limit(settings)


def error_shape_of(scope: Mapping[str, Any]) -> ErrorShape:
    """The shape of a request's error answers."""
    shape: ErrorShape = _attributes(scope).get("error_shape", default_error_shape)
    return shape


def _attributes(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of the endpoint that the request matches by its path; empty where there is none."""
    route = scope.get("route")
    if route is None and "app" in scope:
        routes = _flattened(scope["app"].router.routes)
        route = next((one for one in routes if _matches(one, scope)), None)
    return vars(route.endpoint) if isinstance(route, Route) else {}


def _flattened(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes, and those of included routers: some versions of FastAPI keep these nested."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _flattened(included.routes)


def _matches(route: Any, scope: Mapping[str, Any]) -> bool:
    """By path; a request with the wrong method matches too."""
    return isinstance(route, Route) and route.matches(dict(scope))[0] is not Match.NONE
