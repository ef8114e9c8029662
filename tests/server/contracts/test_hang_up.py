"""A client of a contract that hangs up frees its place, and its document is not read on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes import pdf, png
from tests.server.conftest import Serve, Served
from tests.server.contracts.test_mistral import PHOTO, data_url
from tests.server.contracts.test_openai import user
from tests.waiting import wait_until

HANGING = data_url(png(["@hang"]), "image/png")
LONG = {"type": "document_url", "document_url": data_url(pdf([["@hang"]] * 3))}
CHAT = {"messages": user({"type": "image_url", "image_url": {"url": HANGING}})}


def send(served: Served, path: str, body: Any) -> Any:
    """An open connection on which the request was sent."""
    content = json.dumps(body).encode()
    connection = served.connect()
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", CHAT),
        ("/v1/chat/completions", {**CHAT, "stream": True}),
        ("/v1/ocr", {"document": {**PHOTO, "image_url": HANGING}}),
        ("/v1/ocr", {"document": LONG}),
    ],
)
def test_client_that_hangs_up_frees_its_place(serve: Serve, path: str, body: Any) -> None:
    with serve(max_pages=2) as served:
        connection = send(served, path, body)
        wait_until(lambda: served.engine.running > 0)
        connection.close()
        wait_until(lambda: served.engine.running == 0)
        wait_until(lambda: not served.files())
