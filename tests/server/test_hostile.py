"""Clients that send too much, too slowly, too many at once, nonsense, or hang up."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from dsocr.server.middleware.body_limit import BodyLimitMiddleware
from dsocr.server.received.uploads import clean_name
from tests.fakes import FakeEngine, pdf, png
from tests.server.conftest import Client, Serve, Served
from tests.waiting import Clock, wait_until

MIB = 1 << 20


def form(content: bytes, *, name: str = "a.png", end: str = "--b--\r\n") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n" + end.encode()


def head(length: int | None, extra: str = "") -> bytes:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        "POST /api/ocr HTTP/1.1\r\nHost: test\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\n{size}\r\n{extra}\r\n"
    ).encode()


def received(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def health(served: Served) -> dict[str, Any]:
    with served.connect() as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        body: dict[str, Any] = json.loads(received(connection).split(b"\r\n\r\n", 1)[1])
        return body


def is_well(served: Served) -> bool:
    """False also where the connection is refused or closed, because it is one too many or late."""
    with contextlib.suppress(IndexError, OSError):
        return health(served).get("status") == "ok"
    return False


def num_admitted(served: Served) -> int:
    queue = health(served)["queue"]
    return int(queue["running"] + queue["waiting"])


def test_a_content_length_over_the_limit_is_refused_before_the_body_is_read(serve: Serve) -> None:
    with serve(max_image_mb=1) as served, served.connect() as connection:
        connection.sendall(head(10 << 30))
        answer = received(connection)

        assert status_of(answer) == 413
        assert b"1 MiB" in answer and b'"requestId"' in answer
        assert served.files() == []


def test_a_chunked_body_is_refused_at_the_limit(serve: Serve) -> None:
    with serve(max_image_mb=1) as served, served.connect() as connection:
        connection.sendall(head(None))
        chunk = b"%x\r\n%s\r\n" % (65536, b"x" * 65536)
        first = form(b"")[:70]
        connection.sendall(b"%x\r\n%s\r\n" % (len(first), first))
        sent = 0
        try:
            while sent < 64 * MIB:
                connection.sendall(chunk)
                sent += 65536
        except OSError:
            pass
        assert sent < 32 * MIB  # what the sockets' buffers and a polite ending (4 MiB) take
        wait_until(lambda: served.files() == [])
        wait_until(lambda: num_admitted(served) == 0)


def test_the_refusal_of_a_large_upload_reaches_the_client(serve: Serve) -> None:
    with serve(max_image_mb=1) as served, served.connect() as connection:
        body = form(b"x" * (3 * MIB))
        connection.sendall(head(len(body)) + body)

        assert status_of(received(connection)) == 413


def test_a_file_at_the_limit_is_accepted_and_one_byte_more_is_not(client: Client) -> None:
    image = png(["words"])
    fits = image + b"\0" * (MIB - len(image))
    with client(max_image_mb=1) as http:
        assert http.post("/api/ocr", files={"image": fits}).status_code == 200
        assert http.post("/api/ocr", files={"image": fits + b"\0"}).status_code == 413


def test_incomplete_heads_and_idle_connections_are_closed(serve: Serve) -> None:
    with serve(header_seconds=0.3) as served:
        silent, half, trickling = (served.connect() for _ in range(3))
        dropped = contextlib.suppress(BrokenPipeError, ConnectionResetError)
        with dropped:
            half.sendall(b"GET /live HTTP/1.1\r\nHost: te")
        with dropped:
            for byte in b"GET /li":
                trickling.sendall(bytes([byte]))
                time.sleep(0.02)

        assert [received(connection) for connection in (silent, half, trickling)] == [b""] * 3
        for connection in (silent, half, trickling):
            connection.close()
        wait_until(lambda: is_well(served))


def test_a_body_below_the_minimum_rate_is_refused(serve: Serve) -> None:
    with (
        serve(body_window_seconds=0.3, body_bytes_per_second=1000) as served,
        served.connect() as connection,
    ):
        connection.sendall(head(100_000) + form(b"")[:20])

        assert status_of(received(connection)) == 408
        wait_until(lambda: num_admitted(served) == 0 and served.files() == [])


def test_a_slow_upload_above_the_minimum_rate_is_accepted(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes longer than a window, each of which brings more than it must."""
    window, num_pieces = 60.0, 20
    body = form(png(["words"]) + b"\0" * 30_000)
    size = -(-len(body) // num_pieces)
    clock = CountedClock()
    monkeypatch.setattr("dsocr.server.middleware.body_limit.time", SimpleNamespace(monotonic=clock))
    with (
        serve(body_window_seconds=window, body_bytes_per_second=1) as served,
        served.connect() as connection,
    ):
        connection.sendall(head(len(body), "Connection: close\r\n"))
        for number in range(num_pieces):
            # the clock is read before each wait for a piece and after it
            wait_until(lambda number=number: clock.num_readings > 2 * number)
            clock.now += 1.5 * window / num_pieces
            connection.sendall(body[number * size : (number + 1) * size])

        assert status_of(received(connection)) == 200


class CountedClock(Clock):
    num_readings = 0

    def __call__(self) -> float:
        self.num_readings += 1
        return super().__call__()


def test_connections_over_the_limit_get_a_503(serve: Serve) -> None:
    with serve(max_connections=2) as served:
        first, second, third = (served.connect() for _ in range(3))
        refused = received(third)
        for connection in (first, second, third):
            connection.close()

        assert status_of(refused) == 503 and b"Retry-After" in refused
        wait_until(lambda: is_well(served))


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_disconnected_client_releases_its_admission_at_once(serve: Serve, accept: str) -> None:
    body = form(png(["@hang"]))
    with serve(FakeEngine(max_concurrency=1)) as served:
        with served.connect() as connection:
            connection.sendall(head(len(body), f"Accept: {accept}\r\n") + body)
            wait_until(lambda: served.engine.running == 1)
            assert num_admitted(served) == 1
        wait_until(lambda: served.engine.running == 0)
        wait_until(lambda: num_admitted(served) == 0)
        wait_until(lambda: served.files() == [])


def test_an_interrupted_upload_leaves_no_files(serve: Serve) -> None:
    with serve() as served:
        with served.connect() as connection:
            connection.sendall(head(2 * MIB) + form(b"x" * MIB)[: MIB // 2])
            wait_until(lambda: len(served.files()) == 2)
        wait_until(lambda: served.files() == [])
        wait_until(lambda: num_admitted(served) == 0)


def test_a_full_queue_refuses_before_the_body_is_read(serve: Serve) -> None:
    body = form(png(["@hang"]))
    with serve(FakeEngine(max_concurrency=1), max_requests=1) as served:
        with served.connect() as staying:
            staying.sendall(head(len(body)) + body)
            wait_until(lambda: served.engine.running == 1)
            with served.connect() as refused:
                refused.sendall(head(5 * MIB))
                answer = received(refused)
        assert status_of(answer) == 429
        assert b'"queue_full"' in answer and b"retry-after: " in answer.lower()


def test_content_lengths_count_as_queued_bytes(serve: Serve) -> None:
    with serve(max_queue_mb=8) as served, served.connect() as slow:
        slow.sendall(head(7 * MIB))
        wait_until(lambda: num_admitted(served) == 1)
        with served.connect() as refused:
            refused.sendall(head(2 * MIB))
            assert status_of(received(refused)) == 429


def test_a_document_that_waits_too_long_is_refused_unread(serve: Serve) -> None:
    hanging, waiting = form(png(["@hang"])), form(png(["words"]))
    with (
        serve(FakeEngine(max_concurrency=1), queue_seconds=0.3) as served,
        served.connect() as staying,
        served.connect() as late,
    ):
        staying.sendall(head(len(hanging)) + hanging)
        wait_until(lambda: served.engine.running == 1)
        late.sendall(head(len(waiting), "Connection: close\r\n") + waiting)

        assert status_of(received(late)) == 429
        assert served.engine.read == ["@hang"]


def test_responses_are_never_mixed_up(serve: Serve) -> None:
    numbers = range(24)
    answers: dict[int, str] = {}

    def ask(number: int, served: Served) -> None:
        body = form(pdf([[f"@n={number}"]]))
        with served.connect() as connection:
            connection.sendall(head(len(body), "Connection: close\r\n") + body)
            answers[number] = json.loads(received(connection).split(b"\r\n\r\n", 1)[1])["text"]

    with serve(FakeEngine(max_concurrency=4, seconds=0.01)) as served:
        threads = [threading.Thread(target=ask, args=(number, served)) for number in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert answers == {number: str(number) for number in numbers}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "multipart/form-data; boundary=b", 400),
        (b"nonsense", "multipart/form-data; boundary=b", 400),
        (form(b"x", end=""), "multipart/form-data; boundary=b", 400),
        (form(b"x"), "multipart/form-data", 400),
        (form(b"x"), "multipart/form-data; boundary=" + "b" * 300, 400),
        (form(b"x"), "multipart/form-data; boundary=other", 400),
        (form(b"x"), "application/json", 400),
        (form(b"x"), "", 400),
        (b"--b\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b", 400),
        (form(b""), "multipart/form-data; boundary=b", 422),
        (form(b"x").replace(b'"image"', b'"other"'), "multipart/form-data; boundary=b", 422),
        (form(b"x").replace(b"--b--", b"") + form(b"y"), "multipart/form-data; boundary=b", 400),
        (form(b"words"), "multipart/form-data; boundary=b", 415),
    ],
)
def test_a_malformed_form_gets_an_error_response(
    client: Client, body: bytes, kind: str, status: int
) -> None:
    with client() as http:
        answer = http.post("/api/ocr", content=body, headers={"Content-Type": kind})
        good = http.post("/api/ocr", files={"image": png(["words"])})

    assert (answer.status_code, good.status_code) == (status, 200)
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "disposition", ['filename="Gr\u00f6\u00dfe.png"', "filename*=UTF-8''Gr%C3%B6%C3%9Fe.png"]
)
def test_a_name_that_is_not_ascii_is_read_in_either_form(client: Client, disposition: str) -> None:
    body = form(png(["words"])).replace(b'filename="a.png"', disposition.encode())
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    with client() as http:
        answer = http.post("/api/ocr", content=body, headers=kind)

    assert answer.status_code == 200
    assert (answer.json()["text"], answer.json()["fileName"]) == ("words", "Gr\u00f6\u00dfe.png")


@pytest.mark.parametrize("preamble", [b"\r\n", b"This is a form: --b\r\n", b"--\n"])
def test_text_before_the_first_boundary_is_skipped(client: Client, preamble: bytes) -> None:
    body = preamble + form(png(["words"]))
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    with client() as http:
        answer = http.post("/api/ocr", content=body, headers=kind)

    assert (answer.status_code, answer.json().get("text")) == (200, "words")


def test_too_many_fields_are_refused(client: Client) -> None:
    fields = {f"field{number}": "x" for number in range(65)}
    with client() as http:
        answer = http.post("/api/ocr", data=fields, files={"image": png(["words"])})

    assert answer.status_code == 400 and "64" in answer.text


def test_errors_in_a_form_are_named(client: Client) -> None:
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    with client() as http:
        long_name = http.post("/api/ocr", content=form(b"x", name="n" * 5000), headers=kind)
        packed = http.post(
            "/api/ocr",
            content=gzip.compress(form(b"x")),
            headers={**kind, "Content-Encoding": "gzip"},
        )

    assert long_name.status_code == 400 and "too long" in long_name.json()["detail"]
    assert (packed.status_code, packed.json()["error"]["code"]) == (415, "encoded_body")


@pytest.mark.parametrize("pieces", [1, 3])
def test_heads_have_a_maximum_length_however_they_are_split(serve: Serve, pieces: int) -> None:
    with serve(max_header_bytes=8192) as served:
        for size, status in ((7_000, 200), (9_000, 400), (60_000, 400)):
            request = b"GET /live HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: "
            request += b"x" * size + b"\r\n\r\n"
            step = -(-len(request) // pieces)
            with served.connect() as connection:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    for start in range(0, len(request), step):
                        connection.sendall(request[start : start + step])
                        time.sleep(0.05 * (pieces > 1))  # joined pieces are answered alike
                answer = received(connection)
            assert status_of(answer) == status
            assert status == 200 or b'"code": "bad_request"' in answer


def test_a_head_whose_end_is_split_is_not_counted_with_its_body(serve: Serve) -> None:
    body = form(b"words" * 20_000)
    request = head(len(body), "Connection: close\r\n") + body
    with serve(max_header_bytes=8192) as served, served.connect() as connection:
        end = request.index(b"\r\n\r\n") + 2
        connection.sendall(request[:end])
        time.sleep(0.05)  # joined pieces are answered alike
        connection.sendall(request[end:])
        assert status_of(received(connection)) == 415


def test_a_connection_that_is_not_http_is_closed(serve: Serve) -> None:
    with serve() as served:
        for garbage in (
            b"\x16\x03\x01\x02\x00\r\n\r\n",
            b"GET /\x01 HTTP/1.1\r\n\r\n",
            b"\0" * 64_000,
        ):
            with served.connect() as connection:
                connection.sendall(garbage)
                answer = received(connection)
                assert answer == b"" or status_of(answer) == 400
                assert answer == b"" or b'"requestId"' in answer
        assert health(served)["status"] == "ok"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("math.png", "math.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\scans\\page.tif", "page.tif"),
        ("/abs/olute.pdf", "olute.pdf"),
        ("a\r\nX: b\x1b[31m.png", "aX: b[31m.png"),
        ("..", ".."),
        ("", "document"),
        ("\0", "document"),
        ("дом 家.pdf", "дом 家.pdf"),
        ("x" * 400 + ".png", "x" * 251 + ".png"),
    ],
)
def test_file_names_cannot_become_paths(given: str, shown: str) -> None:
    assert clean_name(given) == shown


async def test_time_before_the_service_reads_the_body_does_not_count_as_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An engine that takes a minute to start must not turn an upload into a slow one."""
    clock = Clock()
    monkeypatch.setattr("dsocr.server.middleware.body_limit.time", SimpleNamespace(monotonic=clock))
    received: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        clock.now += 60
        received.append((await receive())["body"])

    async def client() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 10, "more_body": False}

    guarded = BodyLimitMiddleware(
        app, limit_of=lambda scope: 100, overhead=0, window_seconds=12, bytes_per_second=8000
    )
    scope = {"type": "http", "path": "/", "headers": [(b"content-length", b"10")]}
    await guarded(scope, client, lambda message: asyncio.sleep(0))
    assert received == [b"x" * 10]
