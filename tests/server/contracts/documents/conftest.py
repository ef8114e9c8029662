"""One service for the tests of a file that need no settings of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.server.app import create_app
from tests.fakes import FakeEngine
from tests.server.conftest import Client, settings_with


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service with the default settings."""
    settings = settings_with(tmp_path_factory.mktemp("runs"))
    app = create_app(settings, create_engine=lambda name, config: FakeEngine())
    with TestClient(app, raise_server_exceptions=False) as http:
        yield http


@pytest.fixture(name="client")
def fixture_client(client: Client, shared: TestClient) -> Client:
    """As the fixture of all server tests; without settings it is the shared service."""

    @contextlib.contextmanager
    def running(**settings: Any) -> Iterator[TestClient]:
        if not settings:
            yield shared
            return
        with client(**settings) as http:
            yield http

    return running
