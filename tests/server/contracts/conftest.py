"""Services that the tests of a module share: a start costs more than most requests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from starlette.testclient import TestClient

from dsocr.engines.base import Engine
from dsocr.server.app import create_app
from tests.fakes import FakeEngine
from tests.server.conftest import settings_with

Services = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Services:
    """`with services(engine) as http:` is a running service with this engine."""

    @contextlib.contextmanager
    def running(engine: Engine | None = None) -> Iterator[TestClient]:
        app = create_app(
            settings_with(tmp_path_factory.mktemp("runs")),
            create_engine=lambda name, config: engine or FakeEngine(),
        )
        with TestClient(app, raise_server_exceptions=False) as http:
            yield http

    return running


@pytest.fixture(scope="module")
def http(services: Services) -> Iterator[TestClient]:
    """A service with the fake engine."""
    with services() as running:
        yield running
