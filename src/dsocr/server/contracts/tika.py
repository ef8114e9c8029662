"""Apache Tika's server: `PUT /tika`, `/tika/text`, `/rmeta/text`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Literal

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from dsocr import __version__
from dsocr.errors import InvalidField
from dsocr.pages.signature import file_type
from dsocr.server.contracts.body import LargeJson, ignored_headers, max_file_bytes
from dsocr.server.contracts.documents import (
    READ_ERRORS,
    admitted_reader,
    read_all,
    read_options,
    received_raw,
    rendered,
)
from dsocr.server.contracts.reading import Reading
from dsocr.server.deps import Owner, RunningService, Service, locked_router
from dsocr.server.read_now import ReadRequest
from dsocr.server.received.multipart import file_name
from dsocr.server.received.uploads import Upload
from dsocr.server.route_attributes import ErrorInfo, body_limit, error_shape
from dsocr.server.schemas import errors as schemas
from dsocr.types import ReadOptions

router = locked_router("tika")

LANGUAGE_HEADER = "x-tika-ocrlanguage"
PASSWORD_HEADER = "password"
Handler = Literal["text", "body", "html", "xml", "ignore"]


class TikaErrorAnswer(BaseModel):
    """Clients of Tika look at the status; the message is for people."""

    status: int
    error: str
    message: str


def tika_error(error: ErrorInfo) -> dict[str, Any]:
    return {"status": error.status, "error": error.code, "message": error.message}


tika_errors = error_shape(tika_error)
_answers = partial(schemas.error_answers, *READ_ERRORS, model=TikaErrorAnswer)


@router.get("/tika", response_class=Response, summary="Tika: greeting", responses=_answers())
@tika_errors
async def greeting() -> Response:
    return PlainTextResponse(f"This is Tika Server (dsocr {__version__}). Please PUT\n")


@router.put("/tika", response_class=Response, summary="Tika: text", responses=_answers())
@tika_errors
@body_limit(max_file_bytes)
async def tika(request: Request, service: RunningService, owner: Owner) -> Response:
    """The document's text, or with `Accept: text/html` a web page, or JSON."""
    accept = request.headers.get("accept", "").lower()
    if "application/json" in accept:
        return await _answer(request, service, owner, "text", as_list=False)
    kind: Handler = "html" if "html" in accept or "xml" in accept else "text"
    async with AsyncExitStack() as stack:
        reading, _, _, ignored = await _read(request, service, owner, stack)
        content = await _content(reading, kind)
    media_type = "text/html" if kind == "html" else "text/plain"
    return Response(content, media_type=media_type, headers=ignored_headers(ignored))


@router.put(
    "/tika/{handler}", response_class=Response, summary="Tika: text as JSON", responses=_answers()
)
@tika_errors
@body_limit(max_file_bytes)
async def tika_handler(
    handler: Handler, request: Request, service: RunningService, owner: Owner
) -> Response:
    return await _answer(request, service, owner, handler, as_list=False)


@router.put(
    "/rmeta", response_class=Response, summary="Tika: metadata and web page", responses=_answers()
)
@tika_errors
@body_limit(max_file_bytes)
async def rmeta(request: Request, service: RunningService, owner: Owner) -> Response:
    return await _answer(request, service, owner, "xml", as_list=True)


@router.put(
    "/rmeta/{handler}", response_class=Response, summary="Tika: metadata", responses=_answers()
)
@tika_errors
@body_limit(max_file_bytes)
async def rmeta_handler(
    handler: Handler, request: Request, service: RunningService, owner: Owner
) -> Response:
    return await _answer(request, service, owner, handler, as_list=True)


async def _answer(
    request: Request, service: Service, owner: str | None, handler: Handler, *, as_list: bool
) -> Response:
    async with AsyncExitStack() as stack:
        reading, upload, media_type, ignored = await _read(request, service, owner, stack)
        metadata = await _metadata(reading, upload, media_type, handler)
    body = [metadata] if as_list else metadata
    return LargeJson(body, headers=ignored_headers(ignored))


async def _read(
    request: Request, service: Service, owner: str | None, stack: AsyncExitStack
) -> tuple[Reading, Upload, str, list[str]]:
    """The document, its file and media type, and the options without effect."""
    limit = max_file_bytes(service.settings)
    reader = await admitted_reader(request, service, owner, limit, stack)
    upload = await received_raw(request, _name(request), service.settings, stack)
    media_type = file_type(upload.path).media_type
    languages = request.headers.get(LANGUAGE_HEADER, "").replace("+", ",").split(",")
    options, unknown = read_options(service.settings, [one for one in languages if one.strip()])
    read = ReadOptions(options, password=request.headers.get(PASSWORD_HEADER))
    [reading] = await read_all(request, reader, [ReadRequest(upload, read)])
    ignored = [
        name
        for name in request.headers
        if name.startswith("x-tika-") and (name != LANGUAGE_HEADER or unknown)
    ]
    return reading, upload, media_type, ignored


def _name(request: Request) -> str:
    disposition = request.headers.get("content-disposition", "")
    try:
        name = file_name(disposition.encode("latin-1"))
    except UnicodeEncodeError as error:
        raise InvalidField("Content-Disposition: the header is malformed") from error
    return name or "document"


async def _content(reading: Reading, handler: Handler) -> str:
    return await rendered(reading, "html" if handler in ("html", "xml") else "text")


async def _metadata(
    reading: Reading, upload: Upload, media_type: str, handler: Handler
) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "Content-Type": media_type,
        "Content-Length": str(upload.size),
        "resourceName": upload.name,
        "xmpTPg:NPages": str(len(reading.document.pages)),
        "X-TIKA:Parsed-By": [f"dsocr.{reading.document.engine}"],
    }
    if handler != "ignore":
        metadata["X-TIKA:content"] = await _content(reading, handler)
    return metadata
