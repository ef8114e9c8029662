"""The frames that stand-ins for an engine's process exchange with the supervisor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dsocr.process.child import Channel, Header
from dsocr.process.packing import pack_counts, pack_floats

READY = {"kind": "ready", "device": "none", "dtype": "none", "attention": "none", "seconds": 0.0}


def started_pages(channel: Channel, seen: Path | None = None) -> Iterator[tuple[int, str]]:
    """Each page as it comes, reported as started: its number and its prompt, which `seen` gets as
    a line. For a worker that recognizes one page at a time: cancellations have no effect."""
    while True:
        header, _ = channel.receive()
        if header["kind"] != "cancel":
            yield _start(channel, header, seen)


def serve_pages(
    channel: Channel, advance: Callable[[dict[int, str]], Iterable[Header]], seen: Path
) -> None:
    """Recognizes all pages at once: `advance` changes what is left of each prompt, by the page's
    number, and yields the events."""
    pages: dict[int, str] = {}
    while True:
        while channel.has_input() or not pages:
            header, _ = channel.receive()
            if header["kind"] == "cancel":
                pages.pop(header["id"], None)
            else:
                number, prompt = _start(channel, header, seen)
                pages[number] = prompt
        channel.send({"kind": "events", "events": list(advance(pages))})
        time.sleep(0.002)


def done_frame(number: int, reason: str, text_ends: Iterable[int], **counts: int) -> Header:
    """The end of a page of the native engine, each token as probable as the others and none of
    them drafted, unless the counts say so."""
    ends = list(text_ends)
    counts = {"drafted_tokens": 0, "accepted_tokens": 0, **counts}
    scores = {"logprobs": pack_floats([-0.1] * len(ends)), "text_ends": pack_counts(ends)}
    return {"kind": "done", "id": number, "finish_reason": reason, **counts, **scores}


def _start(channel: Channel, header: Header, seen: Path | None) -> tuple[int, str]:
    number, prompt = header["id"], header["prompt"]
    if seen is not None:
        with seen.open("a") as file:
            file.write(prompt + "\n")
    channel.send({"kind": "started", "id": number})
    return number, prompt
