"""Malformed requests of every contract: a client's mistake is never an error of the service."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import png
from tests.server.contracts.conftest import Services
from tests.server.contracts.test_openai import data_url, image_part, response_input, user

NUM_REQUESTS = 500
URL = data_url(png(["a"]), "image/png")
SEEDS: dict[str, list[tuple[str, Any]]] = {
    "openai": [
        ("/v1/chat/completions", {"model": "m", "messages": user(image_part("a")), "n": 1}),
        ("/v1/responses", {"input": response_input("a"), "text": {"format": {"type": "text"}}}),
    ],
    "mistral": [
        (
            "/v1/ocr",
            {
                "model": "m",
                "document": {"type": "image_url", "image_url": {"url": URL}},
                "pages": "0",
                "table_format": "html",
                "include_blocks": True,
                "confidence_scores_granularity": "word",
            },
        ),
        ("/v1/ocr", {"document": {"type": "document_url", "document_url": URL}, "pages": [0]}),
        ("/v1/ocr", {"document": {"type": "file", "file_id": "x"}, "image_limit": 1}),
    ],
}
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    "",
    "0-",
    "9999999999-1",
    "\x00",
    "data:;base64,",
    "data:image/png;base64,!!!!",
    "data:image/png,%ff",
    "http://[::1",
    "é" * 300,
    "../../etc/passwd",
    [],
    [[]],
    [None],
    {},
    {"type": "text"},
    {"url": None},
    {"type": "file", "file": {"file_data": "AAAA"}},
]
TEXTS = ["", "{", "[]", "null", "NaN", '"\\ud800"', "[" * 5000, '{"messages": ' + "[" * 300]


@pytest.fixture(scope="module")
def served(services: Services) -> Iterator[TestClient]:
    with services() as http:
        yield http


def changed(value: Any, rng: random.Random) -> Any:
    """The value with one part of it replaced, removed, renamed or repeated."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        rest = {k: v for k, v in value.items() if k != key}
        kind = rng.random()
        if kind < 0.1:
            return rest
        if kind < 0.2:
            return {**rest, key + "x": value[key]}
        return {**rest, key: changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        return [*value[:place], changed(value[place], rng), *value[place + 1 :]]
    if isinstance(value, str) and value and rng.random() < 0.3:
        cut = rng.randrange(len(value))
        return value[:cut] + rng.choice(["", "\x00", "é", "=", "}"]) + value[cut + 1 :]
    return rng.choice(VALUES)


def malformed(contract: str, rng: random.Random) -> tuple[str, bytes]:
    path, seed = rng.choice(SEEDS[contract])
    if rng.random() < 0.05:
        return path, rng.choice(TEXTS).encode()
    body = json.dumps(changed(seed, rng)).encode()
    if rng.random() < 0.1:
        cut = rng.randrange(len(body))
        body = body[:cut] + bytes([rng.randrange(256)]) + body[cut + rng.randrange(3) :]
    return path, body


@pytest.mark.parametrize("contract", sorted(SEEDS))
def test_no_malformed_request_is_an_error_of_the_service(served: TestClient, contract: str) -> None:
    rng = random.Random(21)
    statuses: dict[int, int] = {}
    for _ in range(NUM_REQUESTS):
        path, body = malformed(contract, rng)
        answer = served.post(path, content=body, headers={"Content-Type": "application/json"})
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        assert answer.status_code < 500, (path, body[:2000])
    assert statuses[422] > NUM_REQUESTS / 4


def test_no_malformed_upload_is_an_error_of_the_service(served: TestClient) -> None:
    rng = random.Random(21)
    form = (
        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nocr\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
        + png(["a"])
        + b"\r\n--b--\r\n"
    )
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    for _ in range(100):
        cut = rng.randrange(len(form))
        body = form[:cut] + bytes([rng.randrange(256)]) + form[cut + rng.randrange(9) :]
        assert served.post("/v1/files", content=body, headers=headers).status_code < 500
    for path in ("x", "../x", "%00", "é", "00000000-0000-0000-0000-000000000000"):
        for suffix in ("", "/url", "/url?expiry=x", "/url?expiry=99999999999999999999", "/content"):
            assert served.get(f"/v1/files/{path}{suffix}").status_code < 500
