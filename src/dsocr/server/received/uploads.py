"""Receives a multipart form: fields into memory, files into a private folder, with limits.

A file's name is kept for display only; on the disk its name is a number. Knows no documents.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from dsocr import tracing
from dsocr.errors import BadRequest, DiskFull, InvalidField, TooLarge
from dsocr.server.problems import ClientDisconnected, EncodedBody
from dsocr.server.received.multipart import Preamble, file_name
from dsocr.server.received.turns import Turns

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

WRITE_BYTES = 1 << 20
MAX_FIELD_BYTES = 1 << 20
MAX_NAME_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class FormLimits:
    """The limits of one form."""

    max_files: int
    max_file_bytes: int
    max_fields: int


@dataclass(frozen=True, slots=True)
class Upload:
    """A received file. `name` is the client's file name without folders and control characters."""

    name: str
    path: Path
    size: int


@dataclass(slots=True)
class Form:
    """A received form. If a field is sent twice, the last value counts; `values` has all."""

    fields: dict[str, str] = field(default_factory=dict)
    values: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[Upload]] = field(default_factory=dict)


@asynccontextmanager
async def received_form(request: Request, folder: Path, limits: FormLimits) -> AsyncIterator[Form]:
    """The request's form. Its files are deleted when the block ends.

    Raises `BadRequest`, `InvalidField`, `TooLarge`, `EncodedBody`, `DiskFull` and
    `ClientDisconnected`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        private = Path(tempfile.mkdtemp(prefix="upload-", dir=folder))  # mode 0700
    except OSError as error:
        raise disk_error(error) from error
    receiver = _Receiver(private, limits)
    try:
        with _timed(request):
            form = await _receive(request, receiver)
        yield form
    finally:
        shutil.rmtree(private, ignore_errors=True)


def clean_name(name: str) -> str:
    """A client's file name for display, without folders and control characters."""
    last = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in last if character.isprintable()).strip()
    return printable[-MAX_NAME_CHARACTERS:] or "document"


@contextmanager
def _timed(request: Request) -> Iterator[None]:
    began = time.monotonic()
    with tracing.span("ocr.receive"):
        yield
    service = getattr(request.app.state, "service", None)
    if service is not None:
        service.metrics.observe_stage("receive", time.monotonic() - began)


async def _receive(request: Request, receiver: _Receiver) -> Form:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":  # a small body could decompress to a large one
        raise EncodedBody()
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise BadRequest("Send the file in a multipart/form-data form.")
    try:
        parser = MultipartParser(boundary, receiver.callbacks())
        preamble = Preamble(boundary)
        async with aclosing(_turns(request).messages(request.receive)) as messages:
            async for message in messages:
                if message["type"] == "http.disconnect":
                    raise ClientDisconnected()
                parser.write(preamble.rest(message.get("body", b"")))
                await receiver.flush(at_least=WRITE_BYTES)
        parser.finalize()
        await receiver.flush(at_least=0)
    except FormParserError as error:
        if "header size" in str(error):
            raise BadRequest("The name of a file or a field is too long.") from error
        raise BadRequest("The multipart form is malformed.") from error
    except OSError as error:
        raise disk_error(error) from error
    if not preamble.ended:
        raise BadRequest("The boundary of the Content-Type is not in the body.")
    if not receiver.ended:
        raise BadRequest("The multipart form is incomplete.")
    return receiver.form


def _turns(request: Request) -> Turns:
    """Those of the app."""
    state = request.app.state
    if not hasattr(state, "turns"):
        state.turns = Turns()
    turns: Turns = state.turns
    return turns


class _Receiver:
    """The parser's callbacks. Bytes of files are buffered in memory until `flush`.

    No file stays open: a form may have more files than the process may have descriptors.
    """

    def __init__(self, folder: Path, limits: FormLimits) -> None:
        self.form = Form()
        self.ended = False
        self._folder = folder
        self._limits = limits
        self._header = (bytearray(), bytearray())
        self._disposition = b""
        self._name = ""
        self._file_name: str | None = None
        self._data = bytearray()
        self._file: Path | None = None
        self._size = 0
        self._num_fields = 0
        self._num_files = 0
        self._pending: list[tuple[Path, bytes]] = []
        self._pending_bytes = 0

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    async def flush(self, *, at_least: int) -> None:
        """Writes the buffered bytes, in a thread: a slow disk must not block the event loop."""
        if self._pending_bytes < max(1, at_least):
            return
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        await asyncio.to_thread(_write, pending)

    def _on_part_begin(self) -> None:
        self._disposition = b""
        self._data = bytearray()
        self._file = None
        self._size = 0

    def _on_header_end(self) -> None:
        name, value = self._header
        if bytes(name).lower() == b"content-disposition":
            self._disposition = bytes(value)
        self._header = (bytearray(), bytearray())

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise BadRequest("A part of the form has no name.")
        self._name = options[b"name"].decode(errors="replace")
        self._file_name = file_name(self._disposition)
        if self._file_name is not None:
            self._num_files += 1
            if self._num_files > self._limits.max_files:
                most = self._limits.max_files
                raise BadRequest(f"{self._name[:40]}: too many files; at most {most} in one form.")
            self._file = self._folder / str(self._num_files)
            self._file.touch(exist_ok=False)
        else:
            self._num_fields += 1
            if self._num_fields > self._limits.max_fields:
                raise BadRequest(f"Too many form fields; at most {self._limits.max_fields}.")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._file is None:
            if self._size > MAX_FIELD_BYTES:
                raise InvalidField(
                    f"{self._name[:40]}: the field is longer than {MAX_FIELD_BYTES} bytes. "
                    "A file needs a file name; curl sends it with -F image=@FILE."
                )
            self._data.extend(data[start:end])
            return
        if self._size > self._limits.max_file_bytes:
            limit = self._limits.max_file_bytes / (1 << 20)
            raise TooLarge(f"The file is larger than {limit:.4g} MiB.")
        self._pending.append((self._file, data[start:end]))
        self._pending_bytes += end - start

    def _on_part_end(self) -> None:
        if self._file is None:
            text = self._data.decode(errors="replace")
            self.form.fields[self._name] = text
            self.form.values.setdefault(self._name, []).append(text)
            return
        upload = Upload(clean_name(self._file_name or ""), self._file, self._size)
        self.form.files.setdefault(self._name, []).append(upload)

    def _on_end(self) -> None:
        self.ended = True


def _write(pending: list[tuple[Path, bytes]]) -> None:
    for path, parts in itertools.groupby(pending, key=lambda part: part[0]):
        with path.open("ab") as file:
            file.writelines(data for _, data in parts)


def disk_error(error: OSError) -> Exception:
    """`DiskFull` for a full disk; any other error unchanged."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull()
    return error
