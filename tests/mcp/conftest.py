"""A service behind a socket that the tests of a file share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import uvicorn

from dsocr.server.app import create_app
from dsocr.server.serve import uvicorn_config
from tests.fakes import FakeEngine
from tests.server.conftest import client, settings_with
from tests.waiting import wait_until

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
    server = uvicorn.Server(uvicorn_config(app, settings.server, host="127.0.0.1", port=0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        wait_until(lambda: app.state.service.host.state == "ready")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield McpService(f"http://127.0.0.1:{port}", engine)
    finally:
        server.should_exit = True
        thread.join()
