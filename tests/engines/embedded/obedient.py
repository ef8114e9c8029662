"""A reading process for tests that does what the question's order says. Loads no model."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dsocr.child import Channel, Header


def serve(channel: Channel, arguments: Header) -> None:
    started = Path(arguments["folder"]) / "starts"
    with started.open("a") as log:
        log.write("x")
    if (Path(arguments["folder"]) / "broken").exists():
        os._exit(3)
    if (Path(arguments["folder"]) / "incomplete").exists():
        channel.send({"problem": "missing: model.onnx"})
        return
    channel.send({})
    while True:
        question, _ = channel.receive()
        if "cancel" not in question:
            channel.send(_answer(channel, question, Path(arguments["folder"])))


def _answer(channel: Channel, question: Header, folder: Path) -> Header:
    order = question["order"]
    if order == "crash":
        os._exit(1)
    if order == "crash once" and not (folder / "crashed").exists():
        (folder / "crashed").touch()
        os._exit(1)
    if order == "hang":
        time.sleep(3600)
    if order == "wait":
        (folder / "waiting").touch()
        while True:
            message, _ = channel.receive()
            if message.get("cancel") == question["page"]:
                return {"dropped": True}
    return {"said": order}
