"""What contracts with a JSON body share: the validated body, and files inside it as uploads."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.responses import JSONResponse

from dsocr.config import MIB, Settings
from dsocr.errors import InvalidField, TooLarge
from dsocr.server.problems import ClientDisconnected, EncodedBody
from dsocr.server.received.uploads import Upload, clean_name, disk_error
from dsocr.server.received.url_fetch import UrlFailed, fetch, is_url

ModelT = TypeVar("ModelT", bound=BaseModel)

_TYPE_NAME = re.compile(r"str|_.*|.*\[.*")
"""Parts of an error's path that name one type of several, not a field."""
_BASE64 = bytes.maketrans(b"-_", b"+/")
_SPACE = b" \t\r\n"

IGNORED_HEADER = "X-Ignored-Options"
"""Of a response: the options of the request that had no effect."""


def max_file_bytes(settings: Settings) -> int:
    """Of a document that is sent inside the request."""
    return int(settings.server.max_image_mb * MIB)


def json_body_limit(settings: Settings) -> int:
    """Of a JSON body whose files are base64: 4 characters for 3 bytes."""
    return -(-max_file_bytes(settings) * 4 // 3)


async def received_json(request: Request, kind: type[ModelT]) -> ModelT:
    """The body as `kind`. Raises `InvalidField`, `EncodedBody`, `TooLarge`, `SlowUpload` and
    `ClientDisconnected`."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise EncodedBody()
    parts: list[bytes] = []
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return await asyncio.to_thread(_validated, kind, b"".join(parts))


def _validated(kind: type[ModelT], body: bytes) -> ModelT:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise invalid_field(error) from error


def invalid_field(error: ValidationError) -> InvalidField:
    """The first of the errors that are deepest in the body, with the path of its field: where a
    field may be of several types, the type that fits best fails deepest."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    deepest = max(found, key=lambda each: len(each["loc"]))
    parts = (str(part) for part in deepest["loc"])
    field = ".".join(part for part in parts if not _TYPE_NAME.fullmatch(part)) or "body"
    return InvalidField(f"{field[:120]}: {deepest['msg'][:300]}")


class LargeJson(JSONResponse):
    """For answers that grow with the document: written four times as fast as by `json`."""

    def render(self, content: Any) -> bytes:
        return to_json(content)


def given(extra: Mapping[str, Any] | None) -> list[str]:
    """The names of a request's further options; those that are empty do not count."""
    return [name for name, value in (extra or {}).items() if value not in (None, False, [], {}, "")]


def is_given_detail(detail: str | None) -> bool:
    """Whether a `detail` of an image asks for more than the service's own choice."""
    return detail not in (None, "auto")


def ignored_headers(names: Sequence[str]) -> dict[str, str]:
    """The header that names the options without effect; empty without any."""
    shown = [name[:40] for name in names if name.isascii() and name.isprintable()]
    return {IGNORED_HEADER: ", ".join(sorted(set(shown))[:40])} if shown else {}


def decoded_data(text: str, field: str) -> bytes:
    """The bytes of a data URL, or of plain base64. Raises `InvalidField` naming `field`."""
    if "://" in text[:16]:
        raise InvalidField(
            f"{field}: this service does not fetch URLs; send the file itself as a data URL"
        )
    head, comma, data = text.partition(",") if text[:5].lower() == "data:" else ("", "", text)
    if head and not comma:
        raise InvalidField(f"{field}: this is not a data URL")
    if head and not head.lower().rstrip().endswith(";base64"):
        return unquote_to_bytes(data)
    with contextlib.suppress(ValueError):
        return base64.b64decode(data, validate=True)
    try:
        return base64.b64decode(data.encode("ascii").translate(_BASE64, _SPACE), validate=True)
    except ValueError as error:  # binascii's own is one
        raise InvalidField(f"{field}: the base64 is malformed") from error


async def stored_data(
    text: str, name: str, field: str, settings: Settings, stack: AsyncExitStack
) -> Upload:
    """A file that was sent as text (see `decoded_data`) or as the URL of one that is fetched, on
    the disk until `stack` is closed.

    Raises `InvalidField`, `TooLarge`, `DiskFull`, `UrlRefused` and `UrlFailed`.
    """
    if is_url(text) and settings.server.url_hosts:
        return await _fetched(text, name, settings, stack)
    data = await asyncio.to_thread(decoded_data, text, field)
    if not data:
        raise InvalidField(f"{field}: the file is empty")
    if len(data) > max_file_bytes(settings):
        raise TooLarge(f"The file is larger than {max_file_bytes(settings) / MIB:.4g} MiB.")
    folder = stack.enter_context(private_folder(settings.runs_dir))
    path = folder / "1"
    try:
        await asyncio.to_thread(path.write_bytes, data)
    except OSError as error:
        raise disk_error(error) from error
    return Upload(clean_name(name), path, len(data))


async def _fetched(url: str, name: str, settings: Settings, stack: AsyncExitStack) -> Upload:
    path = stack.enter_context(private_folder(settings.runs_dir)) / "1"
    try:
        found = await asyncio.to_thread(fetch, url, path, settings.server)
        size = path.stat().st_size
    except OSError as error:
        raise disk_error(error) from error
    if size == 0:
        raise UrlFailed("The document of the URL is empty.")
    return Upload(clean_name(found if name in ("document", "image") else name), path, size)


@contextmanager
def private_folder(parent: Path) -> Iterator[Path]:
    """A new folder, deleted with its files when the block ends. Raises `DiskFull`."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="upload-", dir=parent))  # mode 0700
    except OSError as error:
        raise disk_error(error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
