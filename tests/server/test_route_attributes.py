"""Attributes of a route hold before it is routed: its body limit, and the shape of its errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import Scope

from dsocr.server.app import create_app
from dsocr.server.deps import locked_router
from dsocr.server.route_attributes import ErrorInfo, RouteTable, body_limit, error_shape
from tests.fakes import FakeEngine
from tests.server.conftest import settings_with

FOREIGN = "/foreign/{name}"
PARTS = "/foreign/{name}/parts"


def foreign_shape(words: ErrorInfo) -> dict[str, Any]:
    return {"fault": f"{words.status} {words.code}"}


@pytest.fixture
def http(tmp_path: Path) -> Iterator[TestClient]:
    """A service with more routes, which have their own limit and their own errors."""
    router = locked_router("foreign")

    @router.get(PARTS)
    async def list_parts(name: str) -> None: ...

    @router.post(PARTS)
    @body_limit(lambda settings: 100)
    @error_shape(foreign_shape)
    async def add_part(name: str) -> None: ...

    @router.post(FOREIGN)
    @body_limit(lambda settings: 100)
    @error_shape(foreign_shape)
    async def foreign(request: Request, name: str) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    settings = settings_with(tmp_path / "runs", api_keys=("key",))
    app = create_app(settings, create_engine=lambda name, config: FakeEngine())
    app.include_router(router)
    with TestClient(app, headers={"X-Api-Key": "key"}) as client:
        yield client


def test_a_body_within_the_limit_of_the_route_is_accepted(http: TestClient) -> None:
    assert http.post("/foreign/a", content=b"x" * 100).json() == {"bytes": 100}


def test_a_body_over_the_limit_is_refused_in_the_error_shape_of_the_route(http: TestClient) -> None:
    answer = http.post("/foreign/a", content=b"x" * (1 << 20))
    assert (answer.status_code, answer.json()) == (413, {"fault": "413 too_large"})


def test_a_missing_key_and_a_wrong_method_have_the_error_shape_of_the_route(
    http: TestClient,
) -> None:
    answer = http.post("/foreign/a", content=b"", headers={"X-Api-Key": "other"})
    assert (answer.status_code, answer.json()) == (401, {"fault": "401 unauthorized"})
    answer = http.get("/foreign/a")
    assert (answer.status_code, answer.json()) == (405, {"fault": "405 method_not_allowed"})
    assert answer.headers["allow"] == "POST"
    assert http.post("/v1/files/a").headers["allow"] == "DELETE, GET"


def test_of_two_routes_with_one_path_the_attributes_are_those_for_the_method(
    http: TestClient,
) -> None:
    answer = http.post("/foreign/a/parts", content=b"x" * (1 << 20))
    assert (answer.status_code, answer.json()) == (413, {"fault": "413 too_large"})
    answer = http.request("GET", "/foreign/a/parts", content=b"x" * (1 << 20))
    assert answer.status_code == 200


def test_a_request_is_compared_with_the_routes_once(
    http: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[str] = []
    attributes = RouteTable.attributes

    def counted(table: RouteTable, scope: Scope) -> Mapping[str, Any]:
        compared.append(scope["path"])
        return attributes(table, scope)

    monkeypatch.setattr(RouteTable, "attributes", counted)
    assert http.post("/foreign/a", content=b"x" * (1 << 20)).status_code == 413
    assert http.get("/live").status_code == 200
    assert compared == ["/foreign/a", "/live"]


def test_other_routes_keep_the_default_shape_and_limit(http: TestClient) -> None:
    answer = http.post("/api/jobs/export", content=b"x" * (2 << 20))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert http.get("/no/such/path").json()["error"]["code"] == "not_found"
