"""Who may use `/mcp`: keys, origins, hosts; without the SDK it says what to install."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.errors import BadRequest
from dsocr.mcp.sources import allowed_paths, resolve
from tests.server.conftest import Client
from tests.server.contracts.test_malformed import changed

INITIALIZE: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def initialize(http: TestClient, **headers: str) -> Any:
    return http.post("/mcp", json=INITIALIZE, headers={**ACCEPT, **headers})


def test_key_is_required_where_the_service_has_keys(client: Client) -> None:
    with client(api_keys=("secret",)) as http:
        assert initialize(http).status_code == 401
        answer = initialize(http, Authorization="Bearer secret")
        assert answer.status_code == 200
        assert '"serverInfo"' in answer.text
        # a page of another origin needs the key, which it does not have
        assert initialize(http, Origin="https://example.org").status_code == 401


def test_open_service_refuses_other_web_pages(client: Client) -> None:
    with client() as http:
        assert initialize(http, Host="localhost:8000").status_code == 200
        foreign = initialize(http, Host="localhost:8000", Origin="https://example.org")
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "foreign_origin")
        own = initialize(http, Host="localhost:8000", Origin="http://localhost:8000")
        assert own.status_code == 200
        rebound = initialize(http, Host="example.org", Origin="http://example.org")
        assert (rebound.status_code, rebound.json()["error"]["code"]) == (421, "unknown_host")


def test_listed_origin_and_host_are_accepted(client: Client) -> None:
    origins = ("https://tools.example.org",)
    with client(allowed_origins=origins, allowed_hosts=("ocr.example.org",)) as http:
        headers = {"Host": "ocr.example.org", "Origin": origins[0]}
        assert initialize(http, **headers).status_code == 200
        assert initialize(http, **{**headers, "Host": "other.org"}).status_code == 421


def test_without_the_sdk_the_route_says_what_to_install(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsocr.server.mcp_endpoint.find_spec", lambda name: None)
    with client() as http:
        answer = initialize(http)
    assert answer.status_code == 404
    assert answer.json()["error"]["message"].endswith("pip install 'dsocr[mcp]'.")


def test_it_can_be_switched_off(client: Client) -> None:
    with client(contracts=("openai",)) as http:
        assert initialize(http).status_code == 404


def test_malformed_requests_are_no_errors_of_the_service(client: Client) -> None:
    with client() as http:
        for body in (b"", b"{", b"[]", b"null", b'{"jsonrpc": "2.0"}', b"[" * 3000, b"\xff"):
            answer = http.post(
                "/mcp", content=body, headers={**ACCEPT, "Content-Type": "application/json"}
            )
            assert answer.status_code < 500, body
        assert http.get("/mcp").status_code == 405  # there is no stream apart from an answer


def test_paths_below_the_root_alone_are_read(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").write_bytes(b"inside")
    (tmp_path / "b.txt").write_bytes(b"outside")
    (root / "link.txt").symlink_to(tmp_path / "b.txt")
    (root / "loop").symlink_to(root / "loop")
    paths = allowed_paths([root], any_path=False)
    for inside in ("a.txt", str(root / "a.txt"), f"file://{root}/a.txt", "./x/../a.txt"):
        assert resolve(inside, paths).content == b"inside"
    outside = ("../b.txt", str(tmp_path / "b.txt"), "link.txt", f"file://{root}/%2e%2e/b.txt")
    odd = ("", ".", "loop", "a\0.txt", "~nobody-of-this-name/b.txt", "x" * 5000, "file://", "/")
    for refused in (*outside, *odd):
        with pytest.raises(BadRequest):
            resolve(refused, paths)


@pytest.mark.slow
def test_none_of_500_malformed_requests_is_an_error_of_the_service(client: Client) -> None:
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "read_document", "arguments": {"source": "data:,a", "max_tokens": 100}},
    }
    chance = random.Random("contract mcp")
    with client() as http:
        for number in range(500):
            content = json.dumps(changed(chance.choice([INITIALIZE, call]), chance)).encode()
            if number % 5 == 0:
                content = content[: chance.randrange(len(content))]
            headers = {**ACCEPT, "Content-Type": "application/json"}
            answer = http.post("/mcp", content=content, headers=headers)
            assert answer.status_code < 500, (number, content)
