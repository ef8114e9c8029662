"""Workers that misbehave on order, in real processes: what a supervisor has to live with."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from dsocr.child import Channel, Header

READY = {"kind": "ready", "device": "none", "dtype": "none", "attention": "none", "seconds": 0.0}


def obey(channel: Channel, arguments: Header) -> None:
    """Repeats each prompt, and does what its last word says. `@..-once` once in all workers."""
    notes = Path(arguments["notes"])
    if (notes / "stillborn").exists():
        os._exit(3)
    channel.send({"kind": "loading", "message": "nothing"})
    channel.send(READY)
    while True:
        header, _ = channel.receive()
        if header["kind"] == "cancel":
            continue
        number, prompt = header["id"], header["prompt"]
        with (notes / "seen").open("a") as seen:
            seen.write(prompt + "\n")
        channel.send({"kind": "started", "id": number})
        order = prompt.partition("@")[2]
        other = order == "crash-other-once" and (notes / order).exists()
        channel.send({"kind": "text", "id": number, "text": "other" if other else prompt})
        once = order.endswith("-once")
        if not once or not (notes / order).exists():
            (notes / order).touch() if order else None
            act(channel, order.removesuffix("-once"))
        channel.send({"kind": "text", "id": number, "text": "!"})
        channel.send({"kind": "done", "id": number, "text": prompt})


def act(channel: Channel, order: str) -> None:
    if order.startswith("crash"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif order == "hang":
        time.sleep(600)
    elif order == "slow":
        for _ in range(12):
            time.sleep(0.1)
            channel.send({"kind": "beat"})


def mute(channel: Channel, arguments: Header) -> None:
    """Never becomes ready."""
    channel.receive()
