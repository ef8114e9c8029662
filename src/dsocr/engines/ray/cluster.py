"""The connection of this process to a Ray cluster."""

from __future__ import annotations

import asyncio
import functools
import os
import queue
import signal
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
    answers: call it by `start_call`, so that the process can end meanwhile, and `restore_sigterm`
    afterwards.

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


def restore_sigterm() -> None:
    """Puts this process's handler of SIGTERM back: a connected Ray prints a stack trace at it and
    aborts the process three seconds later. Does nothing outside the main thread."""
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


def unusable_cluster(error: Exception, advice: str = "") -> EngineUnavailable:
    """What an error of `connect` means, for people. Its own text has addresses and paths."""
    if isinstance(error, ImportError):
        return EngineUnavailable("Ray is missing: pip install 'dsocr[ray]'.")
    if type(error).__name__ == "AuthenticationError":
        return EngineUnavailable(NO_TOKEN)
    return EngineUnavailable(f"The Ray cluster cannot be used{advice}.")


class _RayThread:
    """The one thread that calls Ray's blocking functions, one after the other.

    The process does not wait for it when it ends, other than for an executor's. It lasts as long as
    the process: the kernel ends a cluster's processes with the thread that has started them.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="ray", daemon=True).start()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()

        def call() -> None:
            try:
                result = function()
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self._calls.put(call)
        return future

    def _run(self) -> None:
        while True:
            self._calls.get()()


@functools.cache
def _ray_thread() -> _RayThread:
    return _RayThread()


def start_call(function: Callable[[], T]) -> Future[T]:
    """Calls the function in the thread for Ray, after the calls that were started before."""
    return _ray_thread().submit(function)


async def in_ray_thread(function: Callable[[], T]) -> T:
    """The result of `start_call`. A cancelled caller does not wait; the call goes on."""
    return await asyncio.shield(asyncio.wrap_future(start_call(function)))
