"""Being told that the process shall end, before the server waits for its connections to end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def on_shutdown_signal(tell: Callable[[], None]) -> Iterator[None]:
    """Calls `tell` at SIGINT or SIGTERM and lets the server's own handler go on from there.

    A stream of events lasts as long as its job: whoever waits for it to end must end it first.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread alone
        return

    def pass_on(sig: int, frame: FrameType | None) -> None:
        tell()
        previous: Any = before[signal.Signals(sig)]
        if callable(previous):
            previous(sig, frame)

    ends = (signal.SIGINT, signal.SIGTERM)
    before = {sig: signal.getsignal(sig) for sig in ends}
    ours = [sig for sig in ends if callable(before[sig])]
    for sig in ours:
        signal.signal(sig, pass_on)
    try:
        yield
    finally:
        for sig in ours:
            signal.signal(sig, before[sig])
