"""A worker whose page loops, in a real process, to test how the native engine handles it."""

from __future__ import annotations

import os

from dsocr.process.child import Channel, Header
from tests.engines.worker_frames import READY, done_frame, started_pages

GOOD = "<|ref|>text<|/ref|><|det|>[[10, 10, 500, 90]]<|/det|>\nOnce upon a time, "
AGAIN = "once upon a time, "


def loop(channel: Channel, arguments: Header) -> None:
    """Streams a loop, a character a token, then reports where it began."""
    max_pages = int(os.environ.get("MAX_PAGES", "2"))
    channel.send(READY | {"max_pages": max_pages, "max_num_seqs": 1, "cache_tokens": 8192})
    for number, _ in started_pages(channel):
        for piece in (GOOD, *[AGAIN] * 20):
            channel.send({"kind": "text", "id": number, "text": piece})
        ends = range(1, len(GOOD) + 1)
        channel.send(done_frame(number, "repetition", ends, prompt_tokens=3, image_tokens=1))
