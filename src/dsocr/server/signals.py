"""A callback at SIGINT and SIGTERM, before the server waits for its connections to close."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def on_shutdown_signal(callback: Callable[[], None]) -> Iterator[None]:
    """Calls `callback` at SIGINT or SIGTERM, then the handler that was installed before.

    Event streams last as long as their jobs: the callback ends them, so that the server can stop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signal handlers run in the main thread only
        return

    def handle(sig: int, frame: FrameType | None) -> None:
        callback()
        previous: Any = before[signal.Signals(sig)]
        if callable(previous):
            previous(sig, frame)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {sig: signal.getsignal(sig) for sig in signals}
    handled = [sig for sig in signals if callable(before[sig])]
    for sig in handled:
        signal.signal(sig, handle)
    try:
        yield
    finally:
        for sig in handled:
            signal.signal(sig, before[sig])
