"""Workers that misbehave on order, in real processes: what a supervisor has to live with."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dsocr.process.child import Channel, Header

BEATS = 12
"""Of a slow page, one for each file `beat-0`, `beat-1`, ... that the test makes."""
READY = {"kind": "ready", "device": "none", "dtype": "none", "attention": "none", "seconds": 0.0}


def obey(channel: Channel, arguments: Header) -> None:
    """Repeats each prompt, and does what its last word says. `@..-once` once in all workers."""
    notes = Path(arguments["notes"])
    if (notes / "stillborn").exists():
        with (notes / "stillborn").open("a") as lives:
            lives.write("one more\n")
        os._exit(3)
    wait_while(lambda: (notes / "late").exists())
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
            act(channel, order.removesuffix("-once"), notes)
        channel.send({"kind": "text", "id": number, "text": "!"})
        channel.send({"kind": "done", "id": number, "text": prompt})


def act(channel: Channel, order: str, notes: Path) -> None:
    if order.startswith("crash"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif order == "hang":
        time.sleep(600)
    elif order == "hold":
        wait_while(lambda: not (notes / "released").exists())
    elif order == "slow":
        for number in range(BEATS):
            wait_while(lambda number=number: not (notes / f"beat-{number}").exists())
            channel.send({"kind": "heartbeat"})


def wait_while(condition: Callable[[], bool]) -> None:
    """For the test to make or remove a file."""
    while condition():
        time.sleep(0.005)


def crowd(channel: Channel, arguments: Header) -> None:
    """Reads many pages side by side, a letter of each at a time; `@crash`, `@hang` where the
    order stands, `@..-once` once in all processes. `@hold` keeps its page there, and no other."""
    notes = Path(arguments["notes"])
    (notes / f"process-{os.getpid()}").touch()
    channel.send(READY | {"max_pages": arguments["max_pages"]})
    pages: dict[int, str] = {}
    while True:
        while channel.waiting() or not pages:
            header, _ = channel.receive()
            if header["kind"] == "cancel":
                pages.pop(header["id"], None)
                continue
            pages[header["id"]] = header["prompt"]
            with (notes / "seen").open("a") as seen:
                seen.write(header["prompt"] + "\n")
            channel.send({"kind": "started", "id": header["id"]})
        channel.send({"kind": "events", "events": list(_letters(pages, channel, notes))})
        time.sleep(0.002)


def _letters(pages: dict[int, str], channel: Channel, notes: Path) -> Iterator[Header]:
    for number, left in list(pages.items()):
        if not left:
            del pages[number]
            yield {"kind": "done", "id": number}
        elif left.startswith("@hold"):
            if (notes / "released").exists():
                pages[number] = left.removeprefix("@hold")
        elif left.startswith("@"):
            once = notes / f"{number}{left}"
            if not left.endswith("-once") or not once.exists():
                once.touch()
                act(channel, left[1:].removesuffix("-once"), notes)
            pages[number] = ""
        else:
            yield {"kind": "text", "id": number, "text": left[0]}
            pages[number] = left[1:]


def mute(channel: Channel, arguments: Header) -> None:
    """Never becomes ready."""
    channel.receive()
