"""A service behind a socket that the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from dsocr.server.app import create_app
from tests.fakes import FakeEngine
from tests.served import listening
from tests.server.conftest import client, settings_with

__all__ = ["client", "service"]

KEYS = ("secret", "other")


class McpService(NamedTuple):
    url: str
    engine: FakeEngine


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[McpService]:
    """With keys, a folder whose files `/mcp` may read, and a host whose URLs are fetched."""
    folder = tmp_path_factory.mktemp("mcp")
    (folder / "shared").mkdir()
    settings = settings_with(
        folder / "runs",
        api_keys=KEYS,
        mcp_root=folder / "shared",
        url_hosts=("files.example",),
    )
    engine = FakeEngine()
    app = create_app(settings, create_engine=lambda name, config: engine)
    with listening(app, settings.server) as port:
        yield McpService(f"http://127.0.0.1:{port}", engine)
