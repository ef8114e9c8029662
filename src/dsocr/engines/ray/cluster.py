"""The connection of this process to a Ray cluster."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from dsocr.errors import EngineUnavailable

T = TypeVar("T")

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "120000",  # a busy machine needs more than the default 30 s
}
"""Of the cluster's processes, where it is not set otherwise."""

NO_TOKEN = (
    "The Ray cluster asks for a token: copy ~/.ray/auth_token from its head node to this machine "
    "and set RAY_AUTH_MODE=token."
)


def connect(address: str) -> bool:
    """Whether this process was connected now, and not before. Blocks, for minutes where no cluster
    answers: call it by `start_thread`, so that the process can end meanwhile.

    `address` is that of `RayConfig`. Raises `ImportError` without Ray, and Ray's errors.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        return False
    ray.init(
        address=address or None,
        include_dashboard=None if address else False,
        log_to_driver=False,
        configure_logging=False,
        namespace="serve",
    )
    return True


def unusable_cluster(error: Exception, advice: str = "") -> EngineUnavailable:
    """What an error of `connect` means, for people. Its own text has addresses and paths."""
    if isinstance(error, ImportError):
        return EngineUnavailable("Ray is missing: pip install 'dsocr[ray]'.")
    if type(error).__name__ == "AuthenticationError":
        return EngineUnavailable(NO_TOKEN)
    return EngineUnavailable(f"The Ray cluster cannot be used{advice}.")


def start_thread(function: Callable[[], T]) -> Future[T]:
    """Runs the function in a thread that the process does not wait for when it ends, other than for
    those of an executor."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = function()
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="ray", daemon=True).start()
    return future


async def in_thread(function: Callable[[], T]) -> T:
    """The result of `start_thread`. A cancelled caller does not wait; the function goes on."""
    running = start_thread(function)
    waiting: asyncio.Future[T] = asyncio.wrap_future(running)
    return await asyncio.shield(waiting)
