"""`Client`: the HTTP API of a service, for programs without an event loop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
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


class Client:
    """One service. Every method raises `ServiceUnreachable` and `ServiceError`.

    A call that had no effect is sent again after a pause, which the service may name in
    Retry-After: at most `retries` times.
    """

    def __init__(self, url: str = DEFAULT_URL, key: str | None = None, *, retries: int = 2) -> None:
        """Raises `BadRequest` for what is not the URL of a service."""
        self._url = url.rstrip("/")
        self._retries = Retries(retries)
        self._http = httpx.Client(**connection_settings(url, key))

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def health(self) -> dict[str, Any]:
        """The JSON of `/health`."""
        return self._send(calls.health())

    def modes(self) -> dict[str, Any]:
        """The JSON of `/api/modes`: modes, tasks, formats and limits."""
        return self._send(calls.modes())

    def read(
        self, source: Source, *, name: str | None = None, **options: Unpack[ReadOptions]
    ) -> Document:
        """Reads one document while the caller waits. `name` replaces the name of the file."""
        for event in self.stream(source, name=name, **options):
            if isinstance(event, DocumentDone):
                return event.document
        raise unreachable(self._url, sent=True)

    def stream(
        self, source: Source, *, name: str | None = None, **options: Unpack[ReadOptions]
    ) -> Iterator[ReadEvent]:
        """The events of a document while it is read, the last is `DocumentDone`. Pages may be read
        concurrently. Closing the iterator cancels the document."""
        with self._begun(calls.stream(source, name, options)) as response:
            for event in self._events(response):
                parsed = read_event(event)
                if parsed is not None:
                    yield parsed
                if isinstance(parsed, DocumentDone):
                    return
        raise unreachable(self._url, sent=True)

    def create_job(
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
        return self._send(calls.create_job(sources, idempotency_key, name, options))

    def jobs(
        self,
        *,
        status: str | None = None,
        search: str | None = None,
        limit: int = 50,
        offset: int = 0,
    ) -> JobList:
        """The jobs, newest first; `search` is a part of a file name."""
        return self._send(calls.jobs(status, search, limit, offset))

    def job(self, job_id: str) -> Job:
        return self._send(calls.job(job_id))

    def job_events(self, job_id: str, *, after: str = "0") -> Iterator[JobEvent]:
        """The events of a job until it is finished, from the one after `after`, an event's id.

        Resumes after a lost connection, for two minutes.
        """
        lost_at: float | None = None
        while True:
            try:
                for event in self._job_events(job_id, after):
                    after, lost_at = event.id, None
                    yield event
                    if isinstance(event, JobDone):
                        return
            except ServiceUnreachable:
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > RECONNECT_SECONDS:
                    raise
            with contextlib.suppress(ServiceUnreachable):
                job = self.job(job_id)
                if job.finished:
                    yield JobDone(after, job)
                    return
            time.sleep(POLL_SECONDS)

    def wait(self, job_id: str) -> Job:
        """The job when it is finished."""
        for event in self.job_events(job_id):
            if isinstance(event, JobDone):
                return event.job
        return self.job(job_id)

    def cancel(self, job_id: str) -> Job:
        """Pages that were read are kept."""
        return self._send(calls.cancel(job_id))

    def delete(self, job_id: str) -> None:
        """Deletes the job with its files and pages; a running one is cancelled."""
        self._send(calls.delete(job_id))

    def page(self, job_id: str, index: int) -> JobPage:
        """`index` counts from 0 over all pages of the job."""
        return self._send(calls.page(job_id, index))

    def page_image(self, job_id: str, index: int) -> bytes:
        """The page as JPEG, also before it was read."""
        return self._send(calls.page_image(job_id, index))

    def correct(self, job_id: str, index: int, blocks: Sequence[BlockCorrection]) -> JobPage:
        """Stores a person's text or label of blocks beside the engine's; exports use them."""
        return self._send(calls.correct(job_id, index, blocks))

    def retry_page(self, job_id: str, index: int, **options: Unpack[RetryOptions]) -> Job:
        """Reads a page again, with other options."""
        return self._send(calls.retry_page(job_id, index, options))

    def formats(self, job_id: str) -> list[FormatAvailability]:
        """The formats that the job can be exported as, and what others lack."""
        return self._send(calls.formats(job_id))

    def export(
        self, job_id: str, format: str = "markdown", **options: Unpack[ExportOptions]
    ) -> bytes:
        """The job as a file, also before it is finished."""
        return self._send(calls.export(job_id, format, options))

    def export_to(
        self,
        path: str | Path,
        job_id: str,
        format: str = "markdown",
        **options: Unpack[ExportOptions],
    ) -> None:
        """Writes the export to a file as it is received: completely or not at all."""
        call = calls.export(job_id, format, options)
        with self._begun(call) as response, written_beside(Path(path)) as file:
            for chunk in self._chunks(response):
                file.write(chunk)

    def export_jobs(
        self, job_ids: Sequence[str], format: str = "markdown", **options: Unpack[ExportOptions]
    ) -> bytes:
        """A zip with a file for each job."""
        return self._send(calls.export_jobs(job_ids, format, options))

    def export_document(
        self,
        document: Document,
        format: str,
        source: Source | None = None,
        password: str | None = None,
        **options: Unpack[ExportOptions],
    ) -> bytes:
        """What `read` returned as a file. Formats with figures or page images need the source, and
        its password if it has one."""
        return self._send(calls.export_document(document, format, source, password, options))

    def _send(self, call: Call[T]) -> T:
        with self._begun(call) as response:
            with errors_of(self._url):
                response.read()
            with understood():
                return call.parse(response)

    @contextlib.contextmanager
    def _begun(self, call: Call[Any]) -> Iterator[httpx.Response]:
        """The response, whose body is not read yet, after the retries."""
        with contextlib.ExitStack() as stack:
            yield self._begin(call, stack)

    def _begin(self, call: Call[Any], stack: contextlib.ExitStack) -> httpx.Response:
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._attempt(call, stack)
            except ClientError as error:
                pause = self._retries.pause(attempt, error, call)
                if pause is None:
                    raise
            time.sleep(pause)

    def _attempt(self, call: Call[Any], stack: contextlib.ExitStack) -> httpx.Response:
        with contextlib.ExitStack() as files, errors_of(self._url):
            request = self._http.build_request(call.method, call.path, **call.arguments(files))
            response = self._http.send(request, stream=True)
            stack.callback(response.close)
            if response.is_success:
                return response
            response.read()
        raise error_of_response(response)

    def _chunks(self, response: httpx.Response) -> Iterator[bytes]:
        with errors_of(self._url):
            yield from response.iter_bytes(CHUNK_BYTES)

    def _events(self, response: httpx.Response) -> Iterator[httpx.ServerSentEvent]:
        with errors_of(self._url):
            yield from httpx.EventSource(response, MAX_EVENT_BYTES)

    def _job_events(self, job_id: str, after: str) -> Iterator[JobEvent]:
        with self._begun(calls.job_events(job_id, after)) as response:
            if response.status_code == httpx.codes.NO_CONTENT:
                return
            for event in self._events(response):
                parsed = job_event(event)
                if parsed is not None:
                    yield parsed
