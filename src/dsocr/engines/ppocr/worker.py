"""The worker process of the embedded engine; `process/supervisor.py` is its parent's side."""

from __future__ import annotations

import logging
import os
import time
from collections import deque

import numpy as np

from dsocr.engines.ppocr.recognizer import PageRecognizer
from dsocr.errors import EngineCrashed, EngineUnavailable
from dsocr.process.child import Channel, Header, Received
from dsocr.process.shared_memory import as_buffer

log = logging.getLogger(__name__)

_NICENESS = 5
"""Recognition uses all cores; the process that answers requests has priority."""
_HEARTBEAT_SECONDS = 1.0


class _Cancelled(Exception):
    """The page was cancelled."""


def serve(channel: Channel, arguments: Header) -> None:
    """Recognizes pages until the parent closes the channel."""
    os.nice(_NICENESS)
    try:
        recognizer = PageRecognizer(arguments["threads"], bfloat16=arguments["bfloat16"])
    except (FileNotFoundError, ImportError) as error:
        message = f"The ppocr engine cannot start; install what is missing: {error}"
        channel.send({"kind": "unusable", "code": EngineUnavailable.code, "message": message})
        return
    channel.send({"kind": "ready"})
    queue = _RequestQueue(channel)
    while True:
        request, pixels = queue.get()
        channel.send({"kind": "started", "id": request["id"]})
        try:
            response = _recognize(recognizer, request, pixels, queue)
        except _Cancelled:
            continue
        _send(channel, {**response, "id": request["id"]})


def _recognize(
    recognizer: PageRecognizer, request: Header, pixels: Received, queue: _RequestQueue
) -> Header:
    """The page's response. An error fails that page alone: the models stay loaded."""
    image = np.frombuffer(as_buffer(pixels), np.uint8)
    image = image.reshape(request["height"], request["width"], 3)
    try:
        return {"kind": "done", **recognizer.recognize(image, request, poll=queue.poll)}
    except _Cancelled:
        raise
    except Exception as error:
        log.exception("recognizing a page failed")
        return _failed(error)


def _send(channel: Channel, response: Header) -> None:
    """Sends a page's response. One that is no JSON fails the page: it is encoded before any byte of
    it is sent."""
    try:
        channel.send(response)
    except (TypeError, ValueError, RecursionError) as error:
        log.exception("encoding the response for a page failed")
        channel.send({**_failed(error), "id": response["id"]})


def _failed(error: Exception) -> Header:
    message = f"The engine failed on this page ({type(error).__name__})."
    return {"kind": "failed", "code": EngineCrashed.code, "message": message}


class _RequestQueue:
    """Pages in the order of their arrival, without those that were cancelled."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: deque[tuple[Header, Received]] = deque()
        self._current: int | None = None
        self._last_heartbeat = time.monotonic()

    def get(self) -> tuple[Header, Received]:
        """The next page; blocks until there is one."""
        self._current = None
        while not self._waiting:
            self._accept(*self._channel.receive())
        request, pixels = self._waiting.popleft()
        self._current = request["id"]
        return request, pixels

    def poll(self) -> None:
        """Sends heartbeats, receives messages, and raises `_Cancelled` for the current page."""
        if time.monotonic() - self._last_heartbeat >= _HEARTBEAT_SECONDS:
            self._last_heartbeat = time.monotonic()
            self._channel.send({"kind": "heartbeat"})
        while self._channel.has_input():
            self._accept(*self._channel.receive())
        if self._current is None:
            raise _Cancelled

    def _accept(self, header: Header, pixels: Received) -> None:
        if header["kind"] == "read":
            self._waiting.append((header, pixels))
            return
        if header["id"] == self._current:
            self._current = None
        self._waiting = deque(page for page in self._waiting if page[0]["id"] != header["id"])
