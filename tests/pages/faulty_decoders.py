"""Decoding processes with faults. They import little: each of many tests starts one."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from dsocr.process.child import Channel, Header

SCRIPTED = f"{__name__}:scripted"
DYING = f"{__name__}:dying"
LINE = ["a", 0, 0, 1, 1, [[0, 1]]]
GOOD = {
    "width": 2,
    "height": 1,
    "dpi": 72.0,
    "lines": [LINE],
    "hidden_lines": [LINE],
    "image_share": 0,
    "flags": ["hidden_text"],
}
INVALID: dict[str, Any] = {
    "no object": [1],
    "nothing": {},
    "more pixels than sent": {**GOOD, "width": 3},
    "negative size": {**GOOD, "width": -2, "height": -1},
    "size in words": {**GOOD, "width": "2"},
    "no share": {**GOOD, "image_share": None},
    "share of nothing": {**GOOD, "image_share": float("nan")},
    "lines of numbers": {**GOOD, "lines": [1]},
    "text that is none": {**GOOD, "lines": [[7, *LINE[1:]]]},
    "half a character": {**GOOD, "lines": [["\ud800", *LINE[1:]]]},
    "box off the page": {**GOOD, "lines": [["a", 0, 0, 1, 99, []]]},
    "hidden line off the page": {**GOOD, "hidden_lines": [["a", 0, 0, 1, 99, []]]},
    "font of no characters": {**GOOD, "lines": [[*LINE[:5], [[0, 0]]]]},
    "unnumbered font": {**GOOD, "lines": [[*LINE[:5], [["Arial", 1]]]]},
    "unknown flag": {**GOOD, "flags": ["pwned"]},
    "unknown error": {"error": "pwned", "message": "", "cause": ""},
    "error without words": {"error": "bad_pdf"},
}


def scripted(channel: Channel, arguments: Header) -> None:
    """A decoding process whose response depends on the name of its file."""
    while True:
        request, _ = channel.receive()
        if request["page"] is None:
            channel.send({"num_pages": 1})
            continue
        response = {"sound": GOOD, **INVALID}.get(Path(request["path"]).name)
        if response is None:
            channel._send(b"\0\0\0\x09" + bytes(8) + b"[[[[[[[[[", None)
        else:
            channel.send(json.loads(json.dumps(response)), bytes(6))


def dying(channel: Channel, arguments: Header) -> None:
    """A decoding process that ends at each page, as the file's name says."""
    while True:
        request, _ = channel.receive()
        path = Path(request["path"])
        if request["page"] is not None:
            with path.open("a") as file:
                file.write("x")
            os.kill(os.getpid(), getattr(signal, path.name))
        channel.send({"num_pages": 1})
