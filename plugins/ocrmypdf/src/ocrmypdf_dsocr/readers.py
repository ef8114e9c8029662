"""Read one page image: with an engine in this process, or through a running service."""

from __future__ import annotations

import asyncio
import atexit
import dataclasses
import os
import threading
import time
from collections.abc import Coroutine, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx2 as httpx
from pydantic import ValidationError

from dsocr.config import Settings
from dsocr.errors import BadRequest, DsocrError, EngineUnavailable
from dsocr.host import EngineHost
from dsocr.options import build_options
from dsocr.pages.source import open_document
from dsocr.server.received.uploaded_result import document_of
from dsocr.server.schemas.uploaded_result import UploadedResult
from dsocr.types import Document
from ocrmypdf_dsocr.files import image_size, smaller_image, upload_of

T = TypeVar("T")

READ_SECONDS, CONNECT_SECONDS, CLOSE_SECONDS = 600.0, 10.0, 10.0
ATTEMPTS, MAX_PAUSE_SECONDS = 8, 30.0
"""Of a page that a service refuses because it is busy or starting."""
_BUSY = (429, 503)


@dataclass(frozen=True, slots=True)
class Source:
    """Where pages are read. Without a URL: in this process."""

    url: str = ""
    key: str = field(default="", repr=False)
    engine: str = ""
    """Of this process; empty: as the environment says."""


class Reader(Protocol):
    def read(self, image: Path, languages: Sequence[str]) -> Document:
        """The document of one page, whose size is that of the image. May be called in several
        threads. Raises `DsocrError` without an engine or a service; a page that failed has its
        error."""


class EmbeddedReader:
    """An engine in this process, in the event loop of a thread. It starts with the first page and
    stays until the process ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="dsocr", daemon=True)
        self._thread.start()
        self._host: EngineHost | None = None
        self._lock = asyncio.Lock()
        atexit.register(self.close)

    def read(self, image: Path, languages: Sequence[str]) -> Document:
        with smaller_image(image, self._settings.pages.max_pixels) as path:
            document = self._wait(self._read(path, languages))
        return sized(document, image)

    def close(self) -> None:
        """Ends the engine's processes. They also end by themselves when this process is gone."""
        if not self._loop.is_running():
            return
        with suppress(Exception):  # at the end of the interpreter no threads can be started
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(CLOSE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_SECONDS)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _read(self, image: Path, languages: Sequence[str]) -> Document:
        host = await self._started()
        pipeline, _ = await host.pipeline(self._settings.server.start_wait_seconds)
        limits = self._settings.option_limits()
        options = build_options(limits, languages=",".join(languages) or None)
        source = await open_document(image, name=image.name, sandbox=host.sandbox)
        async with source:
            return await pipeline.run(source, options, pages=(0,))

    async def _started(self) -> EngineHost:
        async with self._lock:
            if self._host is None:
                host = EngineHost(self._settings.host_config())
                try:
                    await host.start_once()
                except BaseException:
                    await host.close()
                    raise
                self._host = host
            return self._host

    async def _close(self) -> None:
        if self._host is not None:
            await self._host.close()


class ServiceReader:
    """A running service, asked by `POST /api/ocr`."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        self._url = url.rstrip("/")
        try:
            self._http = httpx.Client(base_url=self._url, headers=headers, timeout=timeout)
        except (httpx.InvalidURL, ValueError) as error:
            raise BadRequest(f"{url} is not the URL of a service.") from error

    def check(self) -> None:
        """Raises `EngineUnavailable` if there is no service, and what it refuses with."""
        self._answer("GET", "/api/modes")

    def close(self) -> None:
        self._http.close()

    def read(self, image: Path, languages: Sequence[str]) -> Document:
        name, content = upload_of(image)
        answer = self._answer(
            "POST",
            "/api/ocr",
            files={"image": (name, content)},
            data={"languages": ",".join(languages)} if languages else {},
        )
        try:
            result = UploadedResult.model_validate(answer)
        except ValidationError as error:
            raise EngineUnavailable(f"{self._url} is not a dsocr service.") from error
        return sized(document_of(result), image)

    def _answer(self, method: str, path: str, **more: Any) -> Any:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._http.request(method, path, **more)
            except httpx.HTTPError as error:
                message = f"There is no answer from {self._url}. Is `dsocr serve` running?"
                raise EngineUnavailable(message) from error
            if response.status_code not in _BUSY or attempt == ATTEMPTS:
                break
            time.sleep(_pause(response))
        return _json(response)


def reader_of(source: Source) -> Reader:
    """The reader of the source, one for each process: OCRmyPDF may fork processes for pages."""
    with _lock:
        key = (os.getpid(), source)
        if key not in _readers:
            _readers[key] = _new_reader(source)
        return _readers[key]


def check_source(source: Source) -> None:
    """Raises `DsocrError` if the service cannot be used, or a setting of this process is wrong."""
    if source.url:
        with closing(ServiceReader(source.url, source.key)) as reader:
            reader.check()
    else:
        Settings.from_environment()


def sized(document: Document, image: Path) -> Document:
    """The page in pixels of the image, whatever its size was when it was recognized."""
    width, height = image_size(image)
    pages = [dataclasses.replace(page, width=width, height=height) for page in document.pages]
    return dataclasses.replace(document, pages=pages)


_readers: dict[tuple[int, Source], Reader] = {}
_lock = threading.Lock()
os.register_at_fork(after_in_child=lambda: globals().update(_lock=threading.Lock()))


def _new_reader(source: Source) -> Reader:
    if source.url:
        return ServiceReader(source.url, source.key)
    settings = Settings.from_environment()
    return EmbeddedReader(dataclasses.replace(settings, engine=source.engine or settings.engine))


def _json(response: httpx.Response) -> Any:
    """The answer. Raises `DsocrError` with the service's message."""
    try:
        body = response.json()
        if response.is_success:
            return body
        message = str(body["error"]["message"])
    except (ValueError, KeyError, TypeError):
        message = f"{response.url} answered {response.status_code}; is it a dsocr service?"
    raise DsocrError(message)


def _pause(response: httpx.Response) -> float:
    text = response.headers.get("retry-after", "")
    return min(float(text) if text.isdecimal() else 1.0, MAX_PAUSE_SECONDS)
