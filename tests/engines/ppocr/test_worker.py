"""The worker process of the engine: one page that fails leaves the others and the models alone."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from dsocr.engines.ppocr import worker
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.process.child import Channel, Header
from tests.waiting import DEADLINE_SECONDS


class EchoesItsRequest:
    """Responds with the query; a query that says so cannot be encoded, or is a bug."""

    def __init__(self, threads: int, *, bfloat16: bool) -> None: ...

    def recognize(self, image: Pixels, request: Header, *, poll: Callable[[], None]) -> Header:
        if request["query"] == "bug":
            raise KeyError
        score: Any = np.float32(0.5) if request["query"] == "no JSON" else 0.5
        return {"blocks": [], "lines": [[request["query"], 0, 0, 1, 1, score]], "flags": []}


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    """The parent's end of a worker that runs in a thread."""
    monkeypatch.setattr(worker, "PageRecognizer", EchoesItsRequest)
    monkeypatch.setattr(worker.os, "nice", lambda increment: 0)
    ours, theirs = socket.socketpair()
    ours.settimeout(DEADLINE_SECONDS)

    def serve() -> None:
        with contextlib.suppress(EOFError):
            worker.serve(Channel(theirs), {"threads": 1, "bfloat16": False})

    thread = threading.Thread(target=serve)
    thread.start()
    channel = Channel(ours)
    yield channel
    channel.close()
    thread.join()
    theirs.close()


def response(parent: Channel, identity: int, query: str) -> Header:
    """The last frame of a page of one pixel."""
    request = {"kind": "read", "id": identity, "width": 1, "height": 1, "query": query}
    parent.send(request, bytes(3))
    started, _ = parent.receive()
    assert (started["kind"], started["id"]) == ("started", identity)
    return parent.receive()[0]


@pytest.mark.parametrize(("query", "error"), [("bug", "KeyError"), ("no JSON", "TypeError")])
def test_an_error_while_a_page_is_recognized_or_encoded_fails_that_page_alone(
    parent: Channel, query: str, error: str
) -> None:
    assert parent.receive()[0] == {"kind": "ready"}
    failed = response(parent, 1, query)
    assert (failed["kind"], failed["id"], failed["code"]) == ("failed", 1, "engine_crash")
    assert error in failed["message"]
    done = response(parent, 2, "words")
    assert (done["kind"], done["id"], done["lines"][0][0]) == ("done", 2, "words")
