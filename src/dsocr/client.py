"""A client of the jobs API of a running service."""

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
"""The response of `GET /api/jobs/{id}`."""

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 120.0
IDLE_SECONDS = 60.0
"""Timeout of an event stream; the service sends heartbeats more often."""
RECONNECT_SECONDS = 120.0
"""How long `watch` tries to reach a service that became unreachable."""


class ServiceUnreachable(DsocrError):
    """The service cannot be reached."""

    code = "unreachable"


class Refused(DsocrError):
    """The service answered with an error."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Client:
    """One service. Every method raises `ServiceUnreachable` and `Refused`."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        try:
            self._http = httpx.Client(base_url=self._url, headers=headers, timeout=timeout)
        except (httpx.InvalidURL, ValueError) as error:
            raise BadRequest(
                f"{url} is not a valid URL; write for example http://127.0.0.1:8000."
            ) from error

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
        """Submits the files as one job. The same key again returns the same job."""
        with contextlib.ExitStack() as opened:
            files = []
            for path in paths:
                try:
                    content = opened.enter_context(path.open("rb"))
                except OSError as error:
                    raise BadRequest(f"{path}: {error.strerror or error}") from error
                files.append(("file", (path.name, content)))
            headers = {"Idempotency-Key": idempotency_key}
            job: Job = self._request(
                "POST", "/api/jobs", data=dict(fields), files=files, headers=headers
            ).json()
        return job

    def jobs(self, *, status: str | None, search: str | None, limit: int) -> tuple[list[Job], int]:
        """Jobs, newest first, and their total number."""
        parameters = {"status": status, "search": search, "limit": limit}
        answer = self._request(
            "GET", "/api/jobs", params={k: v for k, v in parameters.items() if v}
        )
        listed = answer.json()
        return listed["jobs"], listed["total"]

    def job(self, job_id: str) -> Job:
        job: Job = self._request("GET", f"/api/jobs/{_path_part(job_id)}").json()
        return job

    def cancel(self, job_id: str) -> Job:
        job: Job = self._request("POST", f"/api/jobs/{_path_part(job_id)}/cancel").json()
        return job

    def export(self, job_id: str, format: str) -> bytes:
        path = f"/api/jobs/{_path_part(job_id)}/export"
        content: bytes = self._request("GET", path, params={"format": format}).content
        return content

    def watch(self, job_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events by name until the job has finished. Resumes after a lost connection."""
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
            job = self._job_or_none(job_id)
            if job is not None and job["finishedAt"]:
                yield "done", job
                return

    def _job_or_none(self, job_id: str) -> Job | None:
        """The job, or None while the service is unreachable. Waits half a second first."""
        time.sleep(0.5)
        try:
            return self.job(job_id)
        except ServiceUnreachable:
            return None

    def _events(self, job_id: str, after: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        path = f"/api/jobs/{_path_part(job_id)}/events"
        headers = {"Last-Event-ID": after}
        timeout = httpx.Timeout(IDLE_SECONDS, connect=CONNECT_SECONDS)
        try:
            with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                _raise_for(answer)
                yield from _parsed(answer.iter_lines())
        except httpx.HTTPError as error:
            raise self._unreachable() from error

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise self._unreachable() from error
        _raise_for(answer)
        return answer

    def _unreachable(self) -> ServiceUnreachable:
        return ServiceUnreachable(f"There is no answer from {self._url}. Is `dsocr serve` running?")


def _raise_for(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    try:
        error = answer.json()["error"]
        raise Refused(str(error["code"]), str(error["message"]), answer.status_code)
    except (ValueError, KeyError, TypeError):
        message = f"Unexpected response with status {answer.status_code}; check the URL."
        raise Refused("unexpected", message, answer.status_code) from None


def _parsed(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif not line and "event" in fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}


def _path_part(job_id: str) -> str:
    """The id as a part of a path. Raises `BadRequest` for anything that is not an id."""
    if not job_id.isalnum():
        raise BadRequest(f"{job_id!r} is not the id of a job.")
    return job_id
