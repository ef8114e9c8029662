"""A service in this process, behind a real socket."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from dsocr.config import ServerConfig, Settings
from dsocr.engines.base import Engine
from dsocr.server.app import create_app
from dsocr.server.serve import uvicorn_config
from tests.waiting import wait_until


@contextlib.contextmanager
def served(settings: Settings, engine: Engine) -> Iterator[int]:
    """Listens on a free port of this machine, which it yields."""
    app = create_app(settings, create_engine=lambda name, config: engine)
    with listening(app, settings.server) as port:
        yield port


@contextlib.contextmanager
def listening(app: FastAPI, server_config: ServerConfig) -> Iterator[int]:
    """The same for an app, whose engine is loaded."""
    config = dataclasses.replace(server_config, drain_seconds=1)
    server = uvicorn.Server(uvicorn_config(app, config, host="127.0.0.1", port=0))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started)
        wait_until(lambda: app.state.service.host.state == "ready")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
