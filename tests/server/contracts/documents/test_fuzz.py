"""Malformed requests to each contract are answered with a 4xx, never with a 5xx."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes import pdf, png
from tests.server.conftest import Client

Send = Callable[[TestClient, random.Random], Any]

FILE = pdf([["one"]])
VALUES = ("", "0", "-1", "true", "[]", "{}", "\x00", "é" * 40, "9" * 400, "1-", "md", "zip", "nan")
FORMS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "docling": (
        "files",
        ("/v1/convert/file", "/v1/convert/file/async", "/v1/chunk/hybrid/file"),
        ("to_formats", "page_range", "image_export_mode", "ocr_lang", "target_type")
        + ("chunking_max_tokens", "convert_page_range", "images_scale"),
    ),
    "mineru": (
        "files",
        ("/file_parse", "/tasks"),
        ("lang_list", "start_page_id", "end_page_id", "return_images", "parse_method", "backend"),
    ),
    "liteparse": ("file", ("/ocr",), ("language", "other")),
    "marker": (
        "file",
        ("/marker/upload", "/api/v1/marker"),
        ("page_range", "output_format", "paginate", "langs"),
    ),
}
JSON: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "azure": (
        ("/documentintelligence/documentModels/prebuilt-read:analyze",),
        ("base64Source", "urlSource", "other"),
    ),
    "paddleocr": (("/layout-parsing",), ("file", "fileType", "useDocUnwarping")),
    "docling-source": (
        ("/v1/convert/source", "/v1/chunk/hybrid/source/async"),
        ("sources", "options", "target", "file_sources", "convert_options", "chunking_options"),
    ),
}
RAW = {"tika": ("/tika", "/tika/text", "/rmeta/text"), "openwebui": ("/process",)}
GETS = (
    *("/v1/status/poll/{}", "/v1/result/{}", "/tasks/{}", "/tasks/{}/result"),
    "/api/v1/marker/{}",
    "/documentintelligence/documentModels/prebuilt-read/analyzeResults/{}",
)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The bytes cut, changed, or others."""
    kind = chance.randrange(4)
    if kind == 0:
        return data[: chance.randrange(len(data))]
    if kind == 1:
        return chance.randbytes(chance.randrange(200))
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 30)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(7 if depth < 3 else 4)
    if kind < 2:
        return chance.choice(VALUES)
    if kind < 4:
        return chance.choice([None, True, -1, 1e308, 10**30, "aGVsbG8="])
    if kind == 4:
        return [value(chance, depth + 1) for _ in range(chance.randrange(3))]
    names = ("kind", "base64_string", "filename", "to_formats", "page_range", "url")
    return {chance.choice(names): value(chance, depth + 1) for _ in range(chance.randrange(3))}


def sender(name: str) -> Send:
    def form(http: TestClient, chance: random.Random) -> Any:
        field, paths, fields = FORMS[name]
        data = {
            chance.choice(fields): [chance.choice(VALUES) for _ in range(chance.randrange(1, 3))]
            for _ in range(chance.randrange(4))
        }
        files = {chance.choice([field, field, "x"]): ("a.pdf", damaged(FILE, chance))}
        if chance.randrange(4):
            return http.post(chance.choice(paths), data=data, files=files)
        content = damaged(b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx', chance)
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        return http.post(chance.choice(paths), content=content, headers=headers)

    def as_json(http: TestClient, chance: random.Random) -> Any:
        paths, fields = JSON[name]
        body = {chance.choice(fields): value(chance) for _ in range(chance.randrange(4))}
        content = json.dumps(body).encode()
        content = content if chance.randrange(3) else damaged(content, chance)
        query = {
            chance.choice(["pages", "output", "locale", "stringIndexType"]): chance.choice(VALUES)
        }
        headers = {"Content-Type": chance.choice(["application/json", "text/plain", ""])}
        return http.post(chance.choice(paths), content=content, params=query, headers=headers)

    def raw(http: TestClient, chance: random.Random) -> Any:
        names = ["Content-Disposition", "X-Tika-OCRLanguage", "X-Filename", "Accept", "Password"]
        texts = [text.encode() for text in VALUES if "\x00" not in text]
        headers = {chance.choice(names): chance.choice(texts) for _ in range(chance.randrange(3))}
        whole = png(["one"]) if chance.randrange(2) else FILE
        return http.put(chance.choice(RAW[name]), content=damaged(whole, chance), headers=headers)

    def task(http: TestClient, chance: random.Random) -> Any:
        alphabet = "abcdef0123456789.-_=%!"
        text = "".join(chance.choice(alphabet) for _ in range(chance.randrange(1, 60)))
        return http.get(chance.choice(GETS).format(text))

    send = {**dict.fromkeys(FORMS, form), **dict.fromkeys(JSON, as_json)}
    return {**send, **dict.fromkeys(RAW, raw), "tasks": task}[name]


NAMES = (*FORMS, *JSON, *RAW, "tasks")


def check(http: TestClient, name: str, count: int) -> None:
    chance = random.Random(f"contract {name}")
    send = sender(name)
    for number in range(count):
        answer = send(http, chance)
        assert answer.status_code < 500, (name, number, answer.request.url, answer.text)


@pytest.mark.parametrize("name", NAMES)
def test_malformed_requests_are_no_5xx(client: Client, name: str) -> None:
    with client() as http:
        check(http, name, 12)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_none_of_500_malformed_requests_is_a_5xx(client: Client, name: str) -> None:
    with client() as http:
        check(http, name, 500)
