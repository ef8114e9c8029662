"""A model hub on loopback: as much of the hub's HTTP as a download uses, and faults on demand."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REPO = "deepseek-ai/DeepSeek-OCR"
COMMIT = "9f30c71f441d010e5429c532364a86705536c53a"


class StandInHub:
    """One repository. The attributes are its faults; `requests` is what it was asked."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.token: str | None = None
        """Asked for when set."""
        self.gated = False
        self.damaged: dict[str, int] = {}
        """How many more times a file arrives with a wrong byte."""
        self.cut: dict[str, int] = {}
        """Bytes after which the connection breaks, once."""
        self.resumes = True
        self.gone: set[str] = set()
        self.requests: list[tuple[str, str | None]] = []
        """Path and Range of each."""
        self.url = ""

    def about(self) -> dict[str, Any]:
        return {
            "id": REPO,
            "sha": COMMIT,
            "siblings": [_sibling(name, content) for name, content in self.files.items()],
        }

    def body(self, name: str) -> bytes:
        content = self.files[name]
        if self.damaged.get(name, 0) > 0:
            self.damaged[name] -= 1
            return content[:-1] + bytes([content[-1] ^ 1])
        return content


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    about: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": blob}
    if name.endswith(".safetensors"):
        about["blobId"] = "0" * 40  # of the pointer, not of the content
        about["lfs"] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            "pointerSize": 130,
        }
    return about


@contextmanager
def serving(hub: StandInHub) -> Iterator[StandInHub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.requests.append((self.path, self.headers["Range"]))
            if hub.token and self.headers["Authorization"] != f"Bearer {hub.token}":
                return self.refuse(401, "RepoNotFound")
            if hub.gated:
                return self.refuse(403, "GatedRepo")
            about = re.fullmatch(rf"/api/models/{REPO}(?:/revision/([^/?]+))?(?:\?.*)?", self.path)
            if about:
                if about[1] not in (None, "main", COMMIT):
                    return self.refuse(404, "RevisionNotFound")
                return self.answer(200, json.dumps(hub.about()).encode())
            file = re.fullmatch(rf"/{REPO}/resolve/{COMMIT}/([^/?]+)", self.path)
            if file is None:
                return self.refuse(404, "RepoNotFound")
            if file[1] in hub.gone:
                return self.refuse(404, "EntryNotFound")
            return self.send_file(file[1])

        def send_file(self, name: str) -> None:
            content = hub.body(name)
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
            start = int(asked[1]) if asked and hub.resumes else 0
            extra = {"ETag": f'"{name}"'}
            if start:
                extra["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.answer(206 if start else 200, content[start:], extra, cut=hub.cut.pop(name, None))

        def answer(
            self,
            status: int,
            body: bytes,
            headers: dict[str, str] | None = None,
            cut: int | None = None,
        ) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:cut])
            if cut is not None:
                self.close_connection = True

        def refuse(self, status: int, code: str) -> None:
            self.answer(status, b"{}", {"X-Error-Code": code, "X-Error-Message": code})

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
