"""Creates the engine: a pool with one member for each URL of the settings."""

from __future__ import annotations

from dsocr.engines.base import Engine
from dsocr.engines.deepseek.remote.config import RemoteConfig, parse_urls
from dsocr.engines.deepseek.remote.described import describe
from dsocr.engines.deepseek.remote.failures import ServerFailed
from dsocr.engines.deepseek.remote.server import RemoteServer, make_client
from dsocr.engines.pool import EnginePool
from dsocr.engines.retry_budget import RetryBudget
from dsocr.errors import BadCheckpoint


def create_engine(config: RemoteConfig) -> Engine:
    """Raises `BadCheckpoint` where no server is named, and `ValueError` for an invalid URL."""
    if not config.urls:
        raise BadCheckpoint("No server is named. Set DEEPSEEK_OCR_REMOTE_URLS=http://host:8000/v1.")
    urls = parse_urls(",".join(config.urls))
    members = [RemoteServer(number, url, config) for number, url in enumerate(urls, 1)]
    budget = RetryBudget(config.retry_share)
    return EnginePool(
        members, retry_budget=budget, busy_seconds=config.wait_seconds, by_duration=True
    )


async def examine_server(url: str, config: RemoteConfig) -> tuple[bool, str]:
    """Whether the server is ready, and what it is or why it is not, for people."""
    async with make_client(parse_urls(url)[0], config) as client:
        try:
            described = await describe(client, config)
        except ServerFailed as error:
            return False, str(error)
    return True, f"{described.kind.name}, model {described.model}"
