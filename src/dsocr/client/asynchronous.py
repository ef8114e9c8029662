"""`AsyncClient`: the HTTP API of a service, for programs on asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2 as httpx

from dsocr.client import calls
from dsocr.client.calls import CHUNK_BYTES, MAX_EVENT_BYTES, Call, Source
from dsocr.client.connection import (
    DEFAULT_URL,
    POLL_SECONDS,
    RECONNECT_SECONDS,
    connection_settings,
    errors_of,
    unreachable,
)
from dsocr.client.errors import ClientError, ServiceUnreachable, error_of_response, understood
from dsocr.client.events import DocumentDone, JobDone, JobEvent, ReadEvent, job_event, read_event
from dsocr.client.output import written_beside
from dsocr.client.records import (
    BlockCorrection,
    Document,
    ExportOptions,
    FormatAvailability,
    Job,
    JobList,
    JobOptions,
    JobPage,
    ReadOptions,
    RetryOptions,
)
from dsocr.client.retries import Retries

if TYPE_CHECKING:
    from typing_extensions import Unpack

T = TypeVar("T")


class AsyncClient:
    """One service, as `Client` has it. Every method raises `ServiceUnreachable` and `ServiceError`.

    A call that had no effect is sent again after a pause, which the service may name in
    Retry-After: at most `retries` times.
    """

    def __init__(self, url: str = DEFAULT_URL, key: str | None = None, *, retries: int = 2) -> None:
        """Raises `BadRequest` for what is not the URL of a service."""
        self._url = url.rstrip("/")
        self._retries = Retries(retries)
        self._http = httpx.AsyncClient(**connection_settings(url, key))

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def health(self) -> dict[str, Any]:
        """The JSON of `/health`."""
        return await self._send(calls.health())

    async def modes(self) -> dict[str, Any]:
        """The JSON of `/api/modes`: modes, tasks, formats and limits."""
        return await self._send(calls.modes())

    async def read(
        self, source: Source, *, name: str | None = None, **options: Unpack[ReadOptions]
    ) -> Document:
        """Reads one document while the caller waits. `name` replaces the name of the file."""
        async with contextlib.aclosing(self.stream(source, name=name, **options)) as events:
            async for event in events:
                if isinstance(event, DocumentDone):
                    return event.document
        raise unreachable(self._url, sent=True)

    async def stream(
        self, source: Source, *, name: str | None = None, **options: Unpack[ReadOptions]
    ) -> AsyncGenerator[ReadEvent, None]:
        """The events of a document while it is read, the last is `DocumentDone`. Pages may be read
        concurrently. Closing the generator cancels the document:
        leave its loop early only inside `contextlib.aclosing`."""
        async with self._begun(calls.stream(source, name, options)) as response:
            async for event in self._events(response):
                parsed = read_event(event)
                if parsed is not None:
                    yield parsed
                if isinstance(parsed, DocumentDone):
                    return
        raise unreachable(self._url, sent=True)

    async def create_job(
        self,
        sources: Sequence[Source],
        *,
        idempotency_key: str | None = None,
        name: str | None = None,
        **options: Unpack[JobOptions],
    ) -> Job:
        """Submits all files as one job; the same request with the same key gives the same job.

        `name` is that of a source without one.
        """
        return await self._send(calls.create_job(sources, idempotency_key, name, options))

    async def jobs(
        self,
        *,
        status: str | None = None,
        search: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> JobList:
        """The jobs, newest first; `search` is a part of a file name."""
        return await self._send(calls.jobs(status, search, limit, offset))

    async def job(self, job_id: str) -> Job:
        return await self._send(calls.job(job_id))

    async def job_events(self, job_id: str, *, after: str = "0") -> AsyncGenerator[JobEvent, None]:
        """The events of a job until it is finished, from the one after `after`, an event's id.

        Resumes after a lost connection, for two minutes.
        """
        lost_at: float | None = None
        while True:
            try:
                async with contextlib.aclosing(self._job_events(job_id, after)) as events:
                    async for event in events:
                        after, lost_at = event.id, None
                        yield event
                        if isinstance(event, JobDone):
                            return
            except ServiceUnreachable:
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > RECONNECT_SECONDS:
                    raise
            with contextlib.suppress(ServiceUnreachable):
                job = await self.job(job_id)
                if job.finished:
                    yield JobDone(after, job)
                    return
            await asyncio.sleep(POLL_SECONDS)

    async def wait(self, job_id: str) -> Job:
        """The job when it is finished."""
        async with contextlib.aclosing(self.job_events(job_id)) as events:
            async for event in events:
                if isinstance(event, JobDone):
                    return event.job
        return await self.job(job_id)

    async def cancel(self, job_id: str) -> Job:
        """Pages that were read are kept."""
        return await self._send(calls.cancel(job_id))

    async def delete(self, job_id: str) -> None:
        """Deletes the job with its files and pages; a running one is cancelled."""
        await self._send(calls.delete(job_id))

    async def page(self, job_id: str, index: int) -> JobPage:
        """`index` counts from 0 over all pages of the job."""
        return await self._send(calls.page(job_id, index))

    async def page_image(self, job_id: str, index: int) -> bytes:
        """The page as JPEG, also before it was read."""
        return await self._send(calls.page_image(job_id, index))

    async def correct(self, job_id: str, index: int, blocks: Sequence[BlockCorrection]) -> JobPage:
        """Stores a person's text or label of blocks beside the engine's; exports use them."""
        return await self._send(calls.correct(job_id, index, blocks))

    async def retry_page(self, job_id: str, index: int, **options: Unpack[RetryOptions]) -> Job:
        """Reads a page again, with other options."""
        return await self._send(calls.retry_page(job_id, index, options))

    async def formats(self, job_id: str) -> list[FormatAvailability]:
        """The formats that the job can be exported as, and what others lack."""
        return await self._send(calls.formats(job_id))

    async def export(
        self, job_id: str, format: str = "markdown", **options: Unpack[ExportOptions]
    ) -> bytes:
        """The job as a file, also before it is finished."""
        return await self._send(calls.export(job_id, format, options))

    async def export_to(
        self,
        path: str | Path,
        job_id: str,
        format: str = "markdown",
        **options: Unpack[ExportOptions],
    ) -> None:
        """Writes the export to a file as it is received: completely or not at all."""
        call = calls.export(job_id, format, options)
        async with self._begun(call) as response:
            with written_beside(Path(path)) as file:
                async for chunk in self._chunks(response):
                    file.write(chunk)

    async def export_jobs(
        self, job_ids: Sequence[str], format: str = "markdown", **options: Unpack[ExportOptions]
    ) -> bytes:
        """A zip with a file for each job."""
        return await self._send(calls.export_jobs(job_ids, format, options))

    async def export_document(
        self,
        document: Document,
        format: str,
        source: Source | None = None,
        password: str | None = None,
        **options: Unpack[ExportOptions],
    ) -> bytes:
        """What `read` returned as a file. Formats with figures or page images need the source, and
        its password if it has one."""
        return await self._send(calls.export_document(document, format, source, password, options))

    async def _send(self, call: Call[T]) -> T:
        async with self._begun(call) as response:
            with errors_of(self._url):
                await response.aread()
            with understood():
                return call.parse(response)

    @contextlib.asynccontextmanager
    async def _begun(self, call: Call[Any]) -> AsyncIterator[httpx.Response]:
        """The response, whose body is not read yet, after the retries."""
        async with contextlib.AsyncExitStack() as stack:
            yield await self._begin(call, stack)

    async def _begin(self, call: Call[Any], stack: contextlib.AsyncExitStack) -> httpx.Response:
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(call, stack)
            except ClientError as error:
                pause = self._retries.pause(attempt, error, call)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def _attempt(self, call: Call[Any], stack: contextlib.AsyncExitStack) -> httpx.Response:
        with contextlib.ExitStack() as files, errors_of(self._url):
            request = self._http.build_request(call.method, call.path, **call.arguments(files))
            response = await self._http.send(request, stream=True)
            stack.push_async_callback(response.aclose)
            if response.is_success:
                return response
            await response.aread()
        raise error_of_response(response)

    async def _chunks(self, response: httpx.Response) -> AsyncIterator[bytes]:
        with errors_of(self._url):
            async for chunk in response.aiter_bytes(CHUNK_BYTES):
                yield chunk

    async def _events(self, response: httpx.Response) -> AsyncIterator[httpx.ServerSentEvent]:
        with errors_of(self._url):
            async for event in httpx.EventSource(response, MAX_EVENT_BYTES):
                yield event

    async def _job_events(self, job_id: str, after: str) -> AsyncGenerator[JobEvent, None]:
        async with self._begun(calls.job_events(job_id, after)) as response:
            if response.status_code == httpx.codes.NO_CONTENT:
                return
            async for event in self._events(response):
                parsed = job_event(event)
                if parsed is not None:
                    yield parsed
