"""Attributes of a route: how large its body may be, and the shape of its errors.

The body limit middleware and the error handlers look them up by the route of a request, also
before it is routed. A foreign contract sets its own with the two decorators.
"""

from __future__ import annotations

import re
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
class ErrorInfo:
    """The content of an error response, independent of its shape."""

    status: int
    code: str
    message: str
    request_id: str
    retryable: bool = False

    @property
    def field(self) -> str | None:
        """The invalid field of the request, which begins the message; None where none is named."""
        name, colon, _ = self.message.partition(": ")
        is_named = self.code == "invalid_field" and colon and re.fullmatch(r"[\w.-]+", name)
        return name if is_named else None


BodyLimit = Callable[[Settings], int]
"""The largest body in bytes, without the form around its files."""
ErrorShape = Callable[[ErrorInfo], dict[str, Any]]
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


def default_error_shape(error: ErrorInfo) -> dict[str, Any]:
    """The shape of `docs/api.md`. `detail` is the key that clients of FastAPI expect."""
    details = {
        "code": error.code,
        "message": error.message,
        "requestId": error.request_id,
        "retryable": error.retryable,
    }
    return {"error": details, "detail": error.message}


def body_limit_of(scope: Scope, settings: Settings) -> int:
    """The largest body of a request, in bytes."""
    limit: BodyLimit | None = _attributes(scope).get("body_limit")
    return DEFAULT_BODY_BYTES if limit is None else limit(settings)


def error_shape_of(scope: Mapping[str, Any]) -> ErrorShape:
    """The shape of a request's error answers."""
    shape: ErrorShape = _attributes(scope).get("error_shape", default_error_shape)
    return shape


def methods_of(scope: Mapping[str, Any]) -> list[str]:
    """The methods that a request's path is answered to, of all its routes."""
    return _table_of(scope["app"]).methods(scope)


class RouteTable:
    """The routes of an app, to find the one of a request before it is routed."""

    def __init__(self, routes: Iterable[Any]) -> None:
        self._routes = [route for route in _flattened(routes) if isinstance(route, Route)]

    def attributes(self, scope: Mapping[str, Any]) -> Mapping[str, Any]:
        """Of the endpoint with the request's path and method, else with its path; else empty."""
        request = dict(scope)
        matches = [(route, route.matches(request)[0]) for route in self._routes]
        for kind in (Match.FULL, Match.PARTIAL):
            for route, match in matches:
                if match is kind:
                    return vars(route.endpoint)
        return {}

    def methods(self, scope: Mapping[str, Any]) -> list[str]:
        """Those that the request's path is answered to, sorted."""
        request = dict(scope)
        routes = (each for each in self._routes if each.matches(request)[0] is not Match.NONE)
        return sorted({method for route in routes for method in route.methods or ()})


def _attributes(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of the endpoint of a request. They are looked up once and kept in its state."""
    route = scope.get("route")
    if route is not None:
        return vars(route.endpoint) if isinstance(route, Route) else {}
    if "app" not in scope:
        return {}
    state: dict[str, Any] = scope.get("state", {})
    if "route_attributes" not in state:
        state["route_attributes"] = _table_of(scope["app"]).attributes(scope)
    found: Mapping[str, Any] = state["route_attributes"]
    return found


def _table_of(app: Any) -> RouteTable:
    """The app's table, made at its first request: then it has all its routes."""
    if not hasattr(app.state, "route_table"):
        app.state.route_table = RouteTable(app.router.routes)
    table: RouteTable = app.state.route_table
    return table


def _flattened(routes: Iterable[Any]) -> Iterator[Any]:
    """The routes, and those of included routers: some versions of FastAPI keep these nested."""
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is None:
            yield route
        else:
            yield from _flattened(included.routes)
