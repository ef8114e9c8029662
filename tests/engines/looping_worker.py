"""A worker whose page loops, in a real process, to test how the native engine handles it."""

from __future__ import annotations

import os

from dsocr.process.child import Channel, Header
from dsocr.process.packing import pack_counts, pack_floats
from tests.engines.stubborn_worker import READY

GOOD = "<|ref|>text<|/ref|><|det|>[[10, 10, 500, 90]]<|/det|>\nOnce upon a time, "
AGAIN = "once upon a time, "


def loop(channel: Channel, arguments: Header) -> None:
    """Streams a loop, a character a token, then reports where it began."""
    max_pages = int(os.environ.get("MAX_PAGES", "2"))
    channel.send(READY | {"max_pages": max_pages, "max_num_seqs": 1, "cache_tokens": 8192})
    while True:
        header, _ = channel.receive()
        number = header["id"]
        channel.send({"kind": "started", "id": number})
        for piece in (GOOD, *[AGAIN] * 20):
            channel.send({"kind": "text", "id": number, "text": piece})
        done = {
            "finish_reason": "repetition",
            "prompt_tokens": 3,
            "image_tokens": 1,
            "logprobs": pack_floats([-0.1] * len(GOOD)),
            "text_ends": pack_counts(range(1, len(GOOD) + 1)),
        }
        channel.send({"kind": "done", "id": number, **done})
