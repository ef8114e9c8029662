"""A worker that is ready at once and says what it was given."""

from __future__ import annotations

import os

from dsocr.process.child import Channel, Header


def serve(channel: Channel, arguments: Header) -> None:
    channel.send({"kind": "ready", "pid": os.getpid(), "given": arguments})
    channel.receive()
