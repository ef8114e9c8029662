"""Workers that crash, hang or slow down on command, in real processes, to test the supervisor."""

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
    """Echoes each prompt and runs the command after its `@`; `@..-once` once in all processes."""
    notes = Path(arguments["notes"])
    if (notes / "stillborn").exists():
        with (notes / "stillborn").open("a") as lives:
            lives.write("one more\n")
        os._exit(3)
    if (notes / "late").exists():
        channel.send({"kind": "progress", "stage": "waiting", "done": 1, "total": 2, "unit": ""})
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
        command = prompt.partition("@")[2]
        other = command == "crash-other-once" and (notes / command).exists()
        channel.send({"kind": "text", "id": number, "text": "other" if other else prompt})
        once = command.endswith("-once")
        if not once or not (notes / command).exists():
            (notes / command).touch() if command else None
            act(channel, command.removesuffix("-once"), notes)
        channel.send({"kind": "text", "id": number, "text": "!"})
        channel.send({"kind": "done", "id": number, "text": prompt})


def act(channel: Channel, command: str, notes: Path) -> None:
    if command.startswith("crash"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif command == "hang":
        time.sleep(600)
    elif command == "hold":
        wait_while(lambda: not (notes / "released").exists())
    elif command == "slow":
        for number in range(BEATS):
            wait_while(lambda number=number: not (notes / f"beat-{number}").exists())
            channel.send({"kind": "heartbeat", "running": 1, "cache_used": 0.25})


def wait_while(condition: Callable[[], bool]) -> None:
    """For the test to make or remove a file."""
    while condition():
        time.sleep(0.005)


def crowd(channel: Channel, arguments: Header) -> None:
    """Echoes many pages at once, a letter of each at a time, and runs `@crash` or `@hang` where it
    occurs in the prompt; `@..-once` once in all processes. `@hold` holds its own page only."""
    notes = Path(arguments["notes"])
    (notes / f"process-{os.getpid()}").touch()
    channel.send(READY)
    pages: dict[int, str] = {}
    while True:
        while channel.has_input() or not pages:
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
