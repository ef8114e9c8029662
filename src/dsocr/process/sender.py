"""Sends frames in order while their payloads are made ahead in other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from dsocr.process.child import Channel, Header, Payload

SENDER_THREADS = 2
"""One makes the next page's payload while the other sends."""


class FrameSender:
    """A queue of frames. Payloads are made when their frames are next, and dropped once sent."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(SENDER_THREADS, thread_name_prefix="pixels")
        self._last_sent = threading.Event()
        self._last_sent.set()

    def submit(
        self,
        channel: Channel,
        header: Header,
        payload: Callable[[], Payload | None],
        is_current: Callable[[], bool],
    ) -> None:
        """Queues a frame; a thread waits if the process does not take it yet.

        No payload is made once `is_current` is false: the channel's process is gone, and the frames
        of its successor wait in the same queue. A payload of None sends nothing. A closed channel
        is ignored; the thread that receives from it reports the end.
        """
        previous_sent, sent = self._last_sent, threading.Event()

        def send() -> None:
            try:
                data = payload() if is_current() else None
                previous_sent.wait()
                if data is not None:
                    channel.send(header, data)
            except OSError:
                pass
            finally:
                previous_sent.wait()
                sent.set()

        self._threads.submit(send)
        self._last_sent = sent  # only once submitted: an event that no thread sets blocks the queue

    def close(self) -> None:
        """Does not wait for frames being sent."""
        self._threads.shutdown(wait=False)
