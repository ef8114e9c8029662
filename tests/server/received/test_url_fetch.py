"""Documents of URLs: off by default, and no request reaches what the client may not."""

from __future__ import annotations

import base64
import dataclasses
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dsocr.config import ServerConfig
from dsocr.errors import TooLarge
from dsocr.server.received import url_fetch
from dsocr.server.received.url_fetch import UrlFailed, UrlRefused, fetch
from tests.fakes import pdf, png
from tests.server.conftest import Client
from tests.waiting import DEADLINE_SECONDS

TLS = Path(__file__).parents[2] / "data" / "tls"
CONFIG = ServerConfig(url_hosts=("hooks.example",), url_private=True, url_mb=0.01, url_seconds=60)


class Host(http.server.BaseHTTPRequestHandler):
    """Answers by the path of the request, and records it."""

    got: list[tuple[str, str]] = []
    pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
    released = threading.Event()

    def do_GET(self) -> None:
        self.got.append((self.headers["Host"], self.path))
        if self.path == "/slow":
            self.released.wait(DEADLINE_SECONDS)
            return
        status, headers, body = self.pages[self.path]
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of an https server with a certificate for hooks.example."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    Host.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def resolved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were resolved. Every name is this machine."""
    names: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        names.append(host)
        return ["127.0.0.1"]

    trusted = ssl.create_default_context(cafile=str(TLS / "cert.pem"))
    monkeypatch.setattr(url_fetch, "resolve", resolve)
    monkeypatch.setattr(url_fetch, "tls_context", lambda: trusted)
    Host.got, Host.pages = [], {}
    return names


def test_without_hosts_no_url_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(UrlRefused, match="URL_HOSTS"):
        fetch("https://hooks.example/a.png", tmp_path / "1", ServerConfig())


@pytest.mark.parametrize(
    "url",
    [
        *("http://hooks.example/", "ftp://hooks.example/", "file:///etc/passwd", "gopher://a/"),
        *("https://other.example/", "https://hooks.example.evil.example/", "https://127.0.0.1/"),
        *("https://evil.example#hooks.example", "https://hooks.example@evil.example/"),
        *("https://user:word@hooks.example/", "https://[::1]/", "https://0x7f000001/"),
        *("https://2130706433/", "https://0177.0.0.1/", "https://hooks.example:99999/"),
        *("https://hooks.example:0/", "https://hooks.example/\r\nX: y", "https://h\u00f6st/"),
        *("https://hooks.example/" + "a" * 5000, "https:///a", "//hooks.example/", ""),
    ],
)
def test_other_schemes_and_hosts_are_refused_before_they_are_resolved(
    tmp_path: Path, resolved: list[str], url: str
) -> None:
    with pytest.raises(UrlRefused):
        fetch(url, tmp_path / "1", CONFIG)
    assert resolved == []


@pytest.mark.parametrize(
    "addresses",
    [
        *(["127.0.0.1"], ["10.0.0.1"], ["192.168.1.1"], ["169.254.169.254"], ["100.64.0.1"]),
        *(["::1"], ["fe80::1"], ["fd00::1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"]),
        *(["2002:7f00:1::"], ["0.0.0.0"], ["1.1.1.1", "127.0.0.1"]),
    ],
)
def test_a_host_with_any_private_address_is_not_connected_to(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    monkeypatch.setattr(url_fetch, "resolve", lambda host, port: addresses)
    config = dataclasses.replace(CONFIG, url_hosts=("*",), url_private=False)
    with pytest.raises(UrlRefused, match="private network"):
        fetch(f"https://hooks.example:{port}/", tmp_path / "1", config)
    assert Host.got == []


def test_a_document_is_fetched_from_the_address_that_was_checked(
    tmp_path: Path, port: int, resolved: list[str]
) -> None:
    Host.pages["/a%20b.png?x=1"] = (200, {"Content-Type": "image/png"}, b"content")
    name = fetch(f"https://hooks.example:{port}/a%20b.png?x=1", tmp_path / "1", CONFIG)
    assert (name, (tmp_path / "1").read_bytes()) == ("a b.png", b"content")
    assert Host.got == [(f"hooks.example:{port}", "/a%20b.png?x=1")]
    assert resolved == ["hooks.example"], "resolved once: a second answer could differ"


def test_a_redirect_is_checked_as_a_new_url(tmp_path: Path, port: int) -> None:
    Host.pages = {
        "/good": (302, {"Location": "/a.pdf"}, b""),
        "/a.pdf": (200, {"Content-Type": "application/pdf"}, b"%PDF"),
        "/metadata": (302, {"Location": "https://169.254.169.254/latest"}, b""),
        "/plain": (301, {"Location": "http://hooks.example/a.pdf"}, b""),
        "/loop": (307, {"Location": "/loop"}, b""),
        "/gone": (302, {"Location": "/nothing"}, b""),
        "/nothing": (404, {}, b""),
    }
    base = f"https://hooks.example:{port}"
    assert fetch(f"{base}/good", tmp_path / "1", CONFIG) == "a.pdf"
    for path, target in (("/metadata", "https://169.254.169.254"), ("/plain", "http://hooks.")):
        with pytest.raises(UrlRefused, match=f"^The URL redirects to {target}.*: "):
            fetch(base + path, tmp_path / "2", CONFIG)
    with pytest.raises(UrlFailed, match=f"^The URL redirects to {base}: .* answered 404"):
        fetch(f"{base}/gone", tmp_path / "2", CONFIG)
    with pytest.raises(UrlFailed, match="more than 3 times"):
        fetch(f"{base}/loop", tmp_path / "2", CONFIG)


@pytest.mark.parametrize(
    ("status", "headers", "body", "error"),
    [
        (404, {}, b"", UrlFailed),
        (200, {"Content-Type": "text/html"}, b"<html>", UrlRefused),
        (200, {"Content-Type": "image/png", "Content-Encoding": "gzip"}, b"a", UrlRefused),
        (200, {"Content-Type": "image/png"}, b"a" * 20_000, TooLarge),
        (200, {"Content-Type": "image/png", "Content-Length": "x"}, b"a" * 20_000, TooLarge),
        (200, {"Content-Type": "image/png", "Content-Length": "9"}, b"cut", UrlFailed),
    ],
)
def test_answers_of_another_type_size_or_length_are_not_taken(
    tmp_path: Path, port: int, status: int, headers: dict[str, str], body: bytes, error: Any
) -> None:
    Host.pages["/a"] = (status, headers, body)
    with pytest.raises(error):
        fetch(f"https://hooks.example:{port}/a", tmp_path / "1", CONFIG)


def test_a_host_that_does_not_answer_in_time_is_given_up(tmp_path: Path, port: int) -> None:
    config = dataclasses.replace(CONFIG, url_seconds=0.3)
    with pytest.raises(UrlFailed, match="too slow"):
        fetch(f"https://hooks.example:{port}/slow", tmp_path / "1", config)


def test_a_host_with_an_untrusted_certificate_gets_no_request(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(url_fetch, "tls_context", ssl.create_default_context)
    with pytest.raises(UrlFailed):
        fetch(f"https://hooks.example:{port}/a", tmp_path / "1", CONFIG)
    assert Host.got == []


def test_urls_and_data_urls_are_read_by_the_api_by_jobs_and_by_contracts(
    client: Client, port: int
) -> None:
    Host.pages["/a.png"] = (200, {"Content-Type": "image/png"}, png(["Invoice"]))
    url = f"https://hooks.example:{port}/a.png"
    data = "data:application/pdf;base64," + base64.b64encode(pdf([["one"]])).decode()
    form = {"url": (None, url)}
    with client(url_hosts=("hooks.example",), url_private=True) as http:
        read = http.post("/api/ocr", files=form).json()
        assert (read["text"], read["fileName"]) == ("Invoice", "a.png")
        assert http.post("/api/ocr", files={"url": (None, data)}).json()["text"] == "one"
        job = http.post("/api/jobs", files={"url": (None, f"{url}\n{data}")}).json()
        assert [file["fileName"] for file in job["files"]] == ["a.png", "document"]
        image = {"type": "image_url", "image_url": {"url": url}}
        chat = {"model": "m", "messages": [{"role": "user", "content": [image]}]}
        answer = http.post("/v1/chat/completions", json=chat).json()
        assert answer["choices"][0]["message"]["content"] == "Invoice"
        document = {"type": "document_url", "document_url": url}
        pages = http.post("/v1/ocr", json={"model": "m", "document": document}).json()["pages"]
        assert pages[0]["markdown"] == "Invoice"
        sources = {"sources": [{"kind": "http", "url": url}]}
        converted = http.post("/v1/convert/source", json=sources).json()["document"]
        assert (converted["md_content"], converted["filename"]) == ("Invoice", "a.png")
        analyze = "/documentintelligence/documentModels/prebuilt-read:analyze"
        assert http.post(analyze, json={"urlSource": url}).status_code == 202


def test_a_service_without_hosts_refuses_urls_and_takes_data_urls(client: Client) -> None:
    data = "data:image/png;base64," + base64.b64encode(png(["Invoice"])).decode()
    with client() as http:
        refused = http.post("/api/ocr", files={"url": (None, "https://hooks.example/a.png")})
        assert refused.status_code == 422
        assert http.post("/api/ocr", files={"url": (None, data)}).json()["text"] == "Invoice"
