"""Callbacks go to allowed addresses alone, are signed, and are retried."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dsocr.jobs.config import JobsConfig
from dsocr.jobs.store.database import Database
from dsocr.jobs.webhook_signature import (
    ID_HEADER,
    OLD_SIGNATURE_HEADER,
    OLD_TIMESTAMP_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    old_signature,
    standard_signature,
)
from dsocr.jobs.webhooks import (
    CallbackRefused,
    Callbacks,
    is_public,
)
from tests.jobs.rows import finished_job

TLS = Path(__file__).parents[1] / "data" / "tls"
CONFIG = JobsConfig(
    callback_hosts=("hooks.example", "*.lab.example"), callback_secret="s3cret", callback_tries=3
)


class Hook(http.server.BaseHTTPRequestHandler):
    """Answers with `statuses` one after the other; records the requests."""

    statuses: list[int] = []
    got: list[tuple[dict[str, str], bytes]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        if self.path == "/slow":
            self._send_a_head_without_an_end()
            return
        self.send_response(self.statuses.pop(0))
        self.send_header("Location", "https://elsewhere.example/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send_a_head_without_an_end(self) -> None:
        """A byte at a time, each sooner than a receiver gives up that waits for the next byte."""
        with contextlib.suppress(OSError):
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not threading.Event().wait(0.02):
                self.wfile.write(b"a")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[int]:
    """The port of an https server with a certificate for hooks.example."""
    Hook.statuses, Hook.got = [], []
    server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def callbacks(database: Database, config: JobsConfig = CONFIG) -> Callbacks:
    trusted = ssl.create_default_context(cafile=str(TLS / "cert.pem"))
    return Callbacks(database, config, resolve=lambda host, port: ["127.0.0.1"], tls=trusted)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/",
        "https://other.example/",
        "https://hooks.example.evil.example/",
        "https://evil.example/hooks.example",
        "https://evil.example#hooks.example",
        "https://hooks.example@evil.example/",
        "https://user:word@hooks.example/",
        "https://lab.example/",
        "https://evillab.example/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://0x7f000001/",
        "https://hooks.example:99999/",
        "https://hooks.example/\r\nX: y",
        "https://hooks.example/" + "a" * 3000,
        "file:///etc/passwd",
        "gopher://hooks.example/",
        "",
    ],
)
def test_urls_other_than_https_to_listed_hosts_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(CallbackRefused):
        callbacks(Database(tmp_path / "s")).check(url)


@pytest.mark.parametrize(
    "config",
    [
        JobsConfig(),
        JobsConfig(callback_secret="s3cret"),
        JobsConfig(callback_hosts=("hooks.example",)),
    ],
)
def test_without_hosts_and_a_secret_there_are_no_callbacks(
    tmp_path: Path, config: JobsConfig
) -> None:
    with pytest.raises(CallbackRefused, match="switched off"):
        callbacks(Database(tmp_path / "s"), config).check("https://hooks.example/")


def test_listed_hosts_and_their_subdomains_are_accepted(tmp_path: Path) -> None:
    checked = callbacks(Database(tmp_path / "s"))
    checked.check("https://hooks.example/done?x=1")
    checked.check("https://HOOKS.example:8443/")
    checked.check("https://a.lab.example/")


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255"),
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1", "192.0.2.1", "224.0.0.1"),
        *("255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "fd12::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1"),
        *("2002:7f00:1::", "2002:a00:1::1", "2001:db8::1", "2001:0:7f00:1::", "127.1", "name"),
    ],
)
def test_private_and_reserved_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"])
def test_internet_addresses_are_public(address: str) -> None:
    assert is_public(address)


def test_a_host_with_a_private_address_is_refused_when_it_is_called(tmp_path: Path) -> None:
    for answers in (["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], []):
        checked = Callbacks(
            Database(tmp_path / "s"), CONFIG, resolve=lambda host, port, found=answers: found
        )
        with pytest.raises(CallbackRefused):
            checked.post("https://hooks.example/", b"{}", "id")


async def test_a_callback_is_signed_and_retried_until_it_is_accepted(
    tmp_path: Path, hook: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsocr.jobs.store.callbacks.FIRST_PAUSE_SECONDS", 0)
    config = dataclasses.replace(CONFIG, callback_private=True)
    database = Database(tmp_path / "store")
    await database.open()
    try:
        url = f"https://hooks.example:{hook}/done?job=1"
        job_id = await finished_job(database, callback_url=url)
        Hook.statuses = [500, 302, 204]
        await callbacks(database, config).deliver_due()
        assert Hook.statuses == []
        await callbacks(database, config).deliver_due()
        assert len(Hook.got) == 3
    finally:
        await database.close()
    headers, body = Hook.got[-1]
    assert headers["host"] == f"hooks.example:{hook}"
    assert json.loads(body) == {
        "jobId": job_id,
        "status": "succeeded",
        "pagesTotal": 1,
        "pagesDone": 1,
        "pagesFailed": 0,
    }
    timestamp = int(headers[TIMESTAMP_HEADER])
    (message_id,) = {sent[ID_HEADER] for sent, _ in Hook.got}
    assert message_id.startswith(job_id) and "." not in message_id
    assert headers[SIGNATURE_HEADER] == standard_signature("s3cret", message_id, timestamp, body)
    assert headers[OLD_TIMESTAMP_HEADER.lower()] == str(timestamp)
    assert headers[OLD_SIGNATURE_HEADER.lower()] == old_signature("s3cret", timestamp, body)


async def test_a_callback_ends_after_its_last_try(
    tmp_path: Path, hook: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dsocr.jobs.store.callbacks.FIRST_PAUSE_SECONDS", 0)
    config = dataclasses.replace(CONFIG, callback_private=True)
    database = Database(tmp_path / "store")
    await database.open()
    try:
        await finished_job(database, callback_url=f"https://hooks.example:{hook}/")
        Hook.statuses = [500] * 9
        await callbacks(database, config).deliver_due()
    finally:
        await database.close()
    assert len(Hook.got) == 3


def test_a_host_that_answers_a_byte_at_a_time_is_given_up(tmp_path: Path, hook: int) -> None:
    config = dataclasses.replace(CONFIG, callback_private=True, callback_seconds=0.5)
    with pytest.raises((OSError, http.client.HTTPException)):
        callbacks(Database(tmp_path / "s"), config).post(
            f"https://hooks.example:{hook}/slow", b"{}", "id"
        )
    assert len(Hook.got) == 1


def test_a_server_with_an_untrusted_certificate_gets_no_request(tmp_path: Path, hook: int) -> None:
    config = dataclasses.replace(CONFIG, callback_private=True)
    checked = Callbacks(Database(tmp_path / "s"), config, resolve=lambda h, p: ["127.0.0.1"])
    with pytest.raises(ssl.SSLError):
        checked.post(f"https://hooks.example:{hook}/", b"{}", "id")
    assert Hook.got == []


def test_the_signature_is_the_example_of_standard_webhooks() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signature = standard_signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_without_the_prefix_is_the_key_itself() -> None:
    encoded = "whsec_" + base64.b64encode(b"s3cret").decode()
    assert standard_signature("s3cret", "a", 1, b"{}") == standard_signature(encoded, "a", 1, b"{}")
    assert standard_signature("s3cret", "a", 1, b"{}") != standard_signature("other", "a", 1, b"{}")
    assert old_signature("s3cret", 0, b"{}") != old_signature("other", 0, b"{}")
