"""HTTP client for the jobs of a running service."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2 as httpx

from dsocr.errors import BadRequest, DsocrError

Job = dict[str, Any]
"""The JSON of `GET /api/jobs/{id}`."""

CONNECT_SECONDS = 10.0
RESPONSE_SECONDS = 120.0
STREAM_IDLE_SECONDS = 60.0
"""Timeout between two events; the service sends heartbeats more often than that."""
RECONNECT_SECONDS = 120.0
"""How long `watch` tries to reach a service again after a lost connection."""
MAX_EVENT_BYTES = 16 << 20
"""An event has the names of all files of a job."""


class ServiceUnreachable(DsocrError):
    """The service cannot be reached."""

    code = "unreachable"


class Refused(DsocrError):
    """The service refused the request."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Client:
    """One service. Every method raises `ServiceUnreachable` and `Refused`."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(RESPONSE_SECONDS, connect=CONNECT_SECONDS)
        try:
            self._http = httpx.Client(base_url=self._url, headers=headers, timeout=timeout)
        except (httpx.InvalidURL, ValueError) as error:
            raise BadRequest(f"{url} is not the URL of a service.") from error

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def submit(
        self, paths: Sequence[Path], fields: Mapping[str, str], *, idempotency_key: str
    ) -> Job:
        """Submits all files as one job; the same request with the same key gives the same job."""
        with contextlib.ExitStack() as stack:
            files = []
            for path in paths:
                try:
                    content = stack.enter_context(path.open("rb"))
                except OSError as error:
                    raise BadRequest(f"{path}: {error.strerror or error}") from error
                files.append(("file", (path.name, content)))
            headers = {"Idempotency-Key": idempotency_key}
            job: Job = self._request(
                "POST", "/api/jobs", data=dict(fields), files=files, headers=headers
            ).json()
        return job

    def jobs(self, *, status: str | None, search: str | None, limit: int) -> tuple[list[Job], int]:
        """The jobs, newest first, and the total number that match."""
        query = {"status": status, "search": search, "limit": limit}
        response = self._request("GET", "/api/jobs", params={k: v for k, v in query.items() if v})
        found = response.json()
        return found["jobs"], found["total"]

    def job(self, job_id: str) -> Job:
        job: Job = self._request("GET", f"/api/jobs/{_part(job_id)}").json()
        return job

    def cancel(self, job_id: str) -> Job:
        job: Job = self._request("POST", f"/api/jobs/{_part(job_id)}/cancel").json()
        return job

    def export(
        self, job_id: str, format: str, options: Mapping[str, str | list[str]] | None = None
    ) -> bytes:
        """`options`: those of an export, as the service names them. They are sent in a body: a
        query may be logged, and what is to be redacted should not."""
        path = f"/api/jobs/{_part(job_id)}/export"
        fields = {"format": format, **(options or {})}
        content: bytes = self._request("POST", path, json=fields).content
        return content

    def watch(self, job_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events with their names until the job is finished; resumes after a lost connection."""
        last = "0"
        lost_at: float | None = None
        while True:
            try:
                for event_id, name, data in self._events(job_id, last):
                    last, lost_at = event_id, None
                    yield name, data
                    if name == "done":
                        return
            except ServiceUnreachable:
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at > RECONNECT_SECONDS:
                    raise
            job = self._poll(job_id)
            if job is not None and job["finishedAt"]:
                yield "done", job
                return

    def _poll(self, job_id: str) -> Job | None:
        """The job after a pause, or None while the service cannot be reached."""
        time.sleep(0.5)
        try:
            return self.job(job_id)
        except ServiceUnreachable:
            return None

    def _events(self, job_id: str, after: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        path = f"/api/jobs/{_part(job_id)}/events"
        headers = {"Last-Event-ID": after}
        timeout = httpx.Timeout(STREAM_IDLE_SECONDS, connect=CONNECT_SECONDS)
        try:
            with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
                if response.is_error:
                    response.read()
                _raise_for(response)
                if response.status_code == httpx.codes.NO_CONTENT:
                    return
                for event in httpx.EventSource(response, MAX_EVENT_BYTES):
                    yield event.id, event.event, json.loads(event.data)
        except httpx.HTTPError as error:
            raise self._unreachable() from error

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise self._unreachable() from error
        _raise_for(response)
        return response

    def _unreachable(self) -> ServiceUnreachable:
        return ServiceUnreachable(f"There is no answer from {self._url}. Is `dsocr serve` running?")


def _raise_for(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        error = response.json()["error"]
        raise Refused(str(error["code"]), str(error["message"]), response.status_code)
    except (ValueError, KeyError, TypeError):
        message = (
            f"{response.url} answered {response.status_code}; is it the URL of a dsocr service?"
        )
        raise Refused("unexpected", message, response.status_code) from None


def _part(job_id: str) -> str:
    """The id as a part of a URL path. Raises `BadRequest` for one with other characters."""
    if not job_id.isalnum():
        raise BadRequest(f"{job_id!r} is not the id of a job.")
    return job_id
