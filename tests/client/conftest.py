"""Both clients, against one service with the fake engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from dsocr.client import AsyncClient, Client
from dsocr.config import ServerConfig, Settings
from tests.fakes import FakeEngine
from tests.served import served

KEY = "open-sesame"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a service that requires `KEY`. It ends with the file: other files count the child
    processes of this one."""
    settings = Settings(
        engine="ppocr",
        runs_dir=tmp_path_factory.mktemp("runs"),
        server=ServerConfig(api_keys=(KEY,), max_pages=3),
    )
    with served(settings, FakeEngine()) as port:
        yield f"http://127.0.0.1:{port}"


class Blocking:
    """An `AsyncClient` with the methods of `Client`; iterators become lists."""

    def __init__(self, url: str, key: str | None, **more: Any) -> None:
        self._client = AsyncClient(url, key, **more)
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = getattr(self._client, name)(*args, **kwargs)
            work = _collected(result) if hasattr(result, "__aiter__") else result
            return self._loop.run_until_complete(work)

        return call

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


async def _collected(events: Any) -> list[Any]:
    return [event async for event in events]


@pytest.fixture(params=[Client, Blocking], ids=["Client", "AsyncClient"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def client(kind: Any, url: str) -> Iterator[Any]:
    made = kind(url, KEY)
    yield made
    made.close()
