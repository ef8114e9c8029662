"""Speaks to a running service about jobs. Knows its HTTP, nothing of how it reads."""

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
"""As `GET /api/jobs/{id}` answers."""

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 120.0
SILENCE_SECONDS = 60.0
"""The service breaks its silence more often than that."""
PATIENCE_SECONDS = 120.0
"""How long a service that went away while it was watched is waited for."""


class ServiceUnreachable(DsocrError):
    """The service cannot be reached."""

    code = "unreachable"


class Refused(DsocrError):
    """The service said no."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Client:
    """One service. Raises `ServiceUnreachable` and `Refused` everywhere."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
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
        """One job of all these files. Sent again with the same key, it is the same job."""
        with contextlib.ExitStack() as opened:
            files = []
            for path in paths:
                try:
                    content = opened.enter_context(path.open("rb"))
                except OSError as error:
                    raise BadRequest(f"{path}: {error.strerror or error}") from error
                files.append(("file", (path.name, content)))
            headers = {"Idempotency-Key": idempotency_key}
            job: Job = self._ask(
                "POST", "/api/jobs", data=dict(fields), files=files, headers=headers
            ).json()
        return job

    def jobs(self, *, status: str | None, search: str | None, limit: int) -> tuple[list[Job], int]:
        """Newest first, and how many there are in all."""
        given = {"status": status, "search": search, "limit": limit}
        answer = self._ask("GET", "/api/jobs", params={k: v for k, v in given.items() if v})
        listed = answer.json()
        return listed["jobs"], listed["total"]

    def job(self, job_id: str) -> Job:
        job: Job = self._ask("GET", f"/api/jobs/{_part(job_id)}").json()
        return job

    def cancel(self, job_id: str) -> Job:
        job: Job = self._ask("POST", f"/api/jobs/{_part(job_id)}/cancel").json()
        return job

    def export(self, job_id: str, format: str) -> bytes:
        path = f"/api/jobs/{_part(job_id)}/export"
        content: bytes = self._ask("GET", path, params={"format": format}).content
        return content

    def watch(self, job_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events by name until the job is over. A lost connection is taken up where it broke."""
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
                if time.monotonic() - lost_at > PATIENCE_SECONDS:
                    raise
            job = self._when_back(job_id)
            if job is not None and job["finishedAt"]:
                yield "done", job
                return

    def _when_back(self, job_id: str) -> Job | None:
        """The job, or None while the service is away. A little later in either case."""
        time.sleep(0.5)
        try:
            return self.job(job_id)
        except ServiceUnreachable:
            return None

    def _events(self, job_id: str, after: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
        path = f"/api/jobs/{_part(job_id)}/events"
        headers = {"Last-Event-ID": after}
        timeout = httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        try:
            with self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
                if answer.is_error:
                    answer.read()
                _raise_for(answer)
                yield from _parsed(answer.iter_lines())
        except httpx.HTTPError as error:
            raise self._unreachable() from error

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
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
        words = f"The service answered {answer.status_code}, not as ours does."
        raise Refused("unexpected", words, answer.status_code) from None


def _parsed(lines: Iterator[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif not line and "event" in fields:
            yield fields["id"], fields["event"], json.loads(fields["data"])
            fields = {}


def _part(job_id: str) -> str:
    """An id is a word of the path, never more of one."""
    if not job_id.isalnum():
        raise BadRequest(f"{job_id!r} is not the id of a job.")
    return job_id
