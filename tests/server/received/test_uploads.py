"""Forms as they are received, below the routes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from starlette.types import Message

from dsocr.server.received.uploads import FormLimits, received_form

LIMITS = FormLimits(max_files=300, max_file_bytes=3 << 20, max_fields=4)


def form_of(files: list[bytes]) -> Request:
    """A request whose body arrives in pieces of 64 KiB."""
    parts = [
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="%d.png"\r\n\r\n' % number
        + content
        + b"\r\n"
        for number, content in enumerate(files)
    ]
    body = b"".join(parts) + b"--b--\r\n"
    pieces = [body[start : start + (1 << 16)] for start in range(0, len(body), 1 << 16)]
    messages = iter(enumerate(pieces, start=1))

    async def receive() -> Message:
        number, piece = next(messages)
        return {"type": "http.request", "body": piece, "more_body": number < len(pieces)}

    headers = [(b"content-type", b"multipart/form-data; boundary=b")]
    return Request({"type": "http", "headers": headers, "app": FastAPI()}, receive)


@pytest.mark.parametrize(
    "files", [[b"some words"] * 300, [b"", b"x" * (2 << 20), b"y"]], ids=["many", "large"]
)
async def test_files_are_stored_as_they_were_sent(tmp_path: Path, files: list[bytes]) -> None:
    async with received_form(form_of(files), tmp_path, LIMITS) as form:
        stored = [upload.path.read_bytes() for upload in form.files["file"]]
        assert stored == files
        assert [upload.size for upload in form.files["file"]] == [len(file) for file in files]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_form_of_many_files_holds_none_of_them_open(tmp_path: Path) -> None:
    async with received_form(form_of([b"some words"] * 300), tmp_path, LIMITS):
        names = [
            os.readlink(entry.path)
            for entry in os.scandir("/proc/self/fd")
            if entry.is_symlink() and os.path.lexists(entry.path)
        ]
    assert not [name for name in names if name.startswith(str(tmp_path))]
