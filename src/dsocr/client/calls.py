"""The requests of the API, without their transport: what to send, and how to read the answer."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx2 as httpx

from dsocr.client.records import (
    BlockCorrection,
    Document,
    FormatAvailability,
    FormatList,
    Job,
    JobList,
    JobPage,
    RetryOptions,
)
from dsocr.errors import BadRequest

T = TypeVar("T")

Source = str | os.PathLike[str] | bytes
"""A file by its path, its content, or a text that begins with `https://`, `http://` or `data:`,
which is a URL that the service fetches, if it is allowed to."""
URL_SCHEMES = ("https://", "http://", "data:")

CONNECT_SECONDS = 10.0
RESPONSE_SECONDS = 120.0
STREAM_IDLE_SECONDS = 60.0
"""Timeout between two events; the service sends heartbeats more often than that."""
MAX_EVENT_BYTES = 256 << 20
"""The last event of a document has all its pages."""
PLAIN_TIMEOUT = httpx.Timeout(RESPONSE_SECONDS, connect=CONNECT_SECONDS)
STREAM_TIMEOUT = httpx.Timeout(STREAM_IDLE_SECONDS, write=RESPONSE_SECONDS, connect=CONNECT_SECONDS)
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file of a form: on the disk, or its bytes."""

    field: str
    name: str
    content: Path | bytes


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how its answer is read."""

    method: str
    path: str
    parse: Callable[[httpx.Response], T]
    repeatable: bool = False
    """Whether it has the same effect when it is sent twice."""
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    files: Sequence[FilePart] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    streams: bool = False
    """Whether the answer is events."""

    def arguments(self, stack: ExitStack) -> dict[str, Any]:
        """Of `build_request`; `stack` closes the files. Raises `BadRequest` for one that cannot be
        opened."""
        given: dict[str, Any] = {"params": self.params, "headers": self.headers}
        given["timeout"] = STREAM_TIMEOUT if self.streams else PLAIN_TIMEOUT
        if self.files:
            given["files"] = [
                (part.field, (part.name, _opened(part.content, stack))) for part in self.files
            ]
        elif self.data:  # without a file httpx would not send a multipart form
            given["files"] = [(name, (None, text)) for name, text in self.data.items()]
            return given
        if self.data:
            given["data"] = self.data
        if self.json is not None:
            given["json"] = self.json
        return given


def health() -> Call[dict[str, Any]]:
    return Call("GET", "/health", _json, repeatable=True)


def modes() -> Call[dict[str, Any]]:
    return Call("GET", "/api/modes", _json, repeatable=True)


def stream(source: Source, name: str | None, options: Mapping[str, Any]) -> Call[None]:
    files, data = _parts([source], "image", name)
    return Call(
        "POST",
        "/api/ocr",
        lambda response: None,
        data={**data, **_fields(options)},
        files=files,
        headers={"Accept": "text/event-stream"},
        streams=True,
    )


def create_job(
    sources: Sequence[Source], key: str | None, name: str | None, options: Mapping[str, Any]
) -> Call[Job]:
    files, data = _parts(sources, "file", name)
    return Call(
        "POST",
        "/api/jobs",
        _record(Job),
        repeatable=True,
        data={**data, **_fields(options)},
        files=files,
        headers={"Idempotency-Key": key or uuid.uuid4().hex},
    )


def jobs(status: str | None, search: str | None, limit: int, offset: int) -> Call[JobList]:
    query = {"status": status, "search": search, "limit": limit, "offset": offset}
    params = {name: value for name, value in query.items() if value}
    return Call("GET", "/api/jobs", _record(JobList), repeatable=True, params=params)


def job(job_id: str) -> Call[Job]:
    return Call("GET", _path(job_id), _record(Job), repeatable=True)


def job_events(job_id: str, after: str) -> Call[None]:
    headers = {"Last-Event-ID": after, "Accept": "text/event-stream"}
    path = _path(job_id, "/events")
    return Call("GET", path, lambda response: None, True, headers=headers, streams=True)


def cancel(job_id: str) -> Call[Job]:
    return Call("POST", _path(job_id, "/cancel"), _record(Job))


def delete(job_id: str) -> Call[None]:
    return Call("DELETE", _path(job_id), lambda response: None)


def page(job_id: str, index: int) -> Call[JobPage]:
    return Call("GET", _path(job_id, f"/pages/{index}"), _record(JobPage), repeatable=True)


def page_image(job_id: str, index: int) -> Call[bytes]:
    return Call("GET", _path(job_id, f"/pages/{index}/image"), _content, repeatable=True)


def correct(job_id: str, index: int, blocks: Sequence[BlockCorrection]) -> Call[JobPage]:
    path, body = _path(job_id, f"/pages/{index}"), {"blocks": list(blocks)}
    return Call("PATCH", path, _record(JobPage), repeatable=True, json=body)


def retry_page(job_id: str, index: int, options: RetryOptions) -> Call[Job]:
    return Call("POST", _path(job_id, f"/pages/{index}/retry"), _record(Job), json=dict(options))


def formats(job_id: str) -> Call[list[FormatAvailability]]:
    def parse(response: httpx.Response) -> list[FormatAvailability]:
        return FormatList.model_validate_json(response.content).formats

    return Call("GET", _path(job_id, "/formats"), parse, repeatable=True)


def export(job_id: str, format: str, options: Mapping[str, Any]) -> Call[bytes]:
    """The options are in the body: a query may be logged, and what is to be redacted should not."""
    body = {"format": format, **options}
    return Call("POST", _path(job_id, "/export"), _content, repeatable=True, json=body)


def export_jobs(job_ids: Sequence[str], format: str, options: Mapping[str, Any]) -> Call[bytes]:
    body = {"jobIds": list(job_ids), "format": format, **options}
    return Call("POST", "/api/jobs/export", _content, repeatable=True, json=body)


def export_document(
    document: Document,
    format: str,
    source: Source | None,
    password: str | None,
    options: Mapping[str, Any],
) -> Call[bytes]:
    result = FilePart("result", "result.json", document.model_dump_json().encode())
    files, data = _parts([source], "file", document.fileName) if source is not None else ([], {})
    redact = "\n".join(options.get("redact", ()))
    fields = _fields({**options, "format": format, "redact": redact or None, "password": password})
    return Call(
        "POST",
        "/api/export",
        _content,
        repeatable=True,
        data={**data, **fields},
        files=[result, *files],
    )


def _parts(
    sources: Sequence[Source], field: str, name: str | None
) -> tuple[list[FilePart], dict[str, str]]:
    """The files of a form, and its field `url` for a source that is one."""
    files: list[FilePart] = []
    urls: list[str] = []
    for source in sources:
        if isinstance(source, bytes):
            files.append(FilePart(field, name or "document", source))
        elif isinstance(source, str) and source.lower().startswith(URL_SCHEMES):
            urls.append(source)
        else:
            path = Path(source)
            files.append(FilePart(field, name or path.name, path))
    return files, {"url": "\n".join(urls)} if urls else {}


def _fields(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as fields of a form; None is left out."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in options.items()
        if value is not None
    }


def _opened(content: Path | bytes, stack: ExitStack) -> Any:
    if isinstance(content, bytes):
        return content
    try:
        return stack.enter_context(content.open("rb"))
    except OSError as error:
        raise BadRequest(f"{content}: {error.strerror or error}") from error


def _path(job_id: str, below: str = "") -> str:
    """Raises `BadRequest` for an id with other characters than those of ids."""
    if not job_id.isalnum():
        raise BadRequest(f"{job_id!r} is not the id of a job.")
    return f"/api/jobs/{job_id}{below}"


def _json(response: httpx.Response) -> dict[str, Any]:
    value: dict[str, Any] = response.json()
    return value


def _content(response: httpx.Response) -> bytes:
    content: bytes = response.content
    return content


def _record(kind: type[Any]) -> Callable[[httpx.Response], Any]:
    def parse(response: httpx.Response) -> Any:
        return kind.model_validate_json(response.content)

    return parse
