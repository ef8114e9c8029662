"""One worker process of a supervisor: its start, its frames and its end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from dsocr.errors import EngineUnavailable
from dsocr.process.child import Child, ChildDied, Header
from dsocr.process.early import take_early


class WorkerProcess:
    """A child process whose frames, and then its exit, are passed to the event loop."""

    def __init__(self, child: Child, clock: Callable[[], float]) -> None:
        """To be created in the event loop that gets the frames."""
        self.child = child
        self.ready: asyncio.Future[Header] = asyncio.get_running_loop().create_future()
        """Its `ready` frame, or the error that kept it from starting."""
        self.last_frame_at = clock()
        """By the supervisor's clock."""
        self.kill_reason = ""
        """Why the supervisor killed it, if it did."""

    @property
    def is_ready(self) -> bool:
        ready = self.ready
        return ready.done() and not ready.cancelled() and ready.exception() is None

    def listen(
        self,
        on_message: Callable[[WorkerProcess, Header], None],
        on_exit: Callable[[WorkerProcess, str], None],
    ) -> None:
        """Both are called in the event loop; `on_exit` once, with the reason."""
        loop = asyncio.get_running_loop()
        arguments = (loop, on_message, on_exit)
        threading.Thread(target=self._receive_frames, args=arguments, daemon=True).start()

    async def wait_until_ready(self, seconds: float) -> Header:
        """The `ready` frame. Raises `asyncio.TimeoutError`, or the error of an `unusable` frame."""
        return await asyncio.wait_for(asyncio.shield(self.ready), seconds)

    def fail_start(self, error: Exception) -> None:
        self.ready.set_exception(error)
        self.ready.exception()  # marked as retrieved, even if nothing awaits it

    async def kill(self) -> None:
        await asyncio.to_thread(self.child.kill)

    def _receive_frames(
        self,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[WorkerProcess, Header], None],
        on_exit: Callable[[WorkerProcess, str], None],
    ) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            try:
                while True:
                    header, _ = self.child.channel.receive()
                    loop.call_soon_threadsafe(on_message, self, header)
            except (EOFError, OSError, ValueError):
                reason = self.kill_reason or _exit_reason(self.child)
                self.child.kill()
                loop.call_soon_threadsafe(on_exit, self, reason)


async def start_worker(
    target: str, arguments: Mapping[str, Any], clock: Callable[[], float]
) -> WorkerProcess:
    """Raises `EngineUnavailable`. A child whose start is cancelled is killed: no caller has it."""
    starting = asyncio.ensure_future(asyncio.to_thread(_started, target, arguments))
    try:
        return WorkerProcess(await asyncio.shield(starting), clock)
    except ChildDied as error:
        raise EngineUnavailable("The engine's process cannot be started.") from error
    except asyncio.CancelledError:
        with contextlib.suppress(ChildDied):
            child = await starting
            await asyncio.to_thread(child.kill)
        raise


def _started(target: str, arguments: Mapping[str, Any]) -> Child:
    return take_early(target, arguments) or Child(target, arguments)


def _exit_reason(child: Child) -> str:
    """The socket closes a moment before the process has ended."""
    for _ in range(50):
        if not child.alive:
            break
        time.sleep(0.02)
    return child.exit_reason()
