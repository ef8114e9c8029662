"""Workers that crash, hang or slow down on command, in real processes, to test the supervisor."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from dsocr.process.child import Channel, Header
from tests.engines.worker_frames import READY, serve_pages, started_pages

BEATS = 12
"""Of a slow page, one for each file `beat-0`, `beat-1`, ... that the test makes."""


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
    for number, prompt in started_pages(channel, notes / "seen"):
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
    serve_pages(channel, partial(_letters, channel, notes), notes / "seen")


def _letters(channel: Channel, notes: Path, pages: dict[int, str]) -> Iterator[Header]:
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
