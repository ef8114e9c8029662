"""Attributes of a route hold before it is routed: its body limit, and the shape of its errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from dsocr.server.app import create_app
from dsocr.server.deps import locked_router
from dsocr.server.route_attributes import ErrorWords, body_limit, error_shape
from tests.fakes import FakeEngine
from tests.server.conftest import settings_with

FOREIGN = "/foreign/{name}"


def foreign_shape(words: ErrorWords) -> dict[str, Any]:
    return {"fault": f"{words.status} {words.code}"}


@pytest.fixture
def http(tmp_path: Path) -> Iterator[TestClient]:
    """A service with one more route, which has its own limit and its own errors."""
    router = locked_router("foreign")

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


def test_a_body_within_the_routes_limit_is_taken(http: TestClient) -> None:
    assert http.post("/foreign/a", content=b"x" * 100).json() == {"bytes": 100}


def test_a_body_over_the_routes_limit_is_refused_in_the_routes_shape(http: TestClient) -> None:
    answer = http.post("/foreign/a", content=b"x" * (1 << 20))
    assert (answer.status_code, answer.json()) == (413, {"fault": "413 too_large"})


def test_a_missing_key_and_a_wrong_method_are_told_in_the_routes_shape(http: TestClient) -> None:
    answer = http.post("/foreign/a", content=b"", headers={"X-Api-Key": "other"})
    assert (answer.status_code, answer.json()) == (401, {"fault": "401 unauthorized"})
    answer = http.get("/foreign/a")
    assert (answer.status_code, answer.json()) == (405, {"fault": "405 method_not_allowed"})


def test_other_routes_keep_their_shape_and_limit(http: TestClient) -> None:
    answer = http.post("/api/jobs/export", content=b"x" * (2 << 20))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert http.get("/no/such/path").json()["error"]["code"] == "not_found"
