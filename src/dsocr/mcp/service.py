"""The part of the service's API that the tools use."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx

from dsocr.errors import BadRequest, DsocrError
from dsocr.mcp.sources import File

Json = dict[str, Any]

TIMEOUT = httpx.Timeout(300.0, connect=10.0)
_JOB_ID = re.compile(r"[A-Za-z0-9]{8,64}")


class ServiceFailed(DsocrError):
    """The service refused a request, or does not answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Service:
    """A service, asked with the headers of one caller. All methods raise `ServiceFailed`."""

    http: httpx.AsyncClient
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def submit(self, file: File, fields: Mapping[str, str]) -> Json:
        """A new job for the file."""
        given: Any = {"url": (None, file.url)}  # without a file name it is a field of the form
        if file.content is not None:
            given = {"file": (file.name, file.content)}
        return await self._json("POST", "/api/jobs", files=given, data=dict(fields))

    async def job(self, job_id: str) -> Json:
        return await self._json("GET", f"/api/jobs/{checked_id(job_id)}")

    async def jobs(self, status: str | None, search: str, limit: int) -> Json:
        params = {"search": search, "limit": limit, **({"status": status} if status else {})}
        return await self._json("GET", "/api/jobs", params=params)

    async def cancel(self, job_id: str) -> Json:
        return await self._json("POST", f"/api/jobs/{checked_id(job_id)}/cancel")

    async def page(self, job_id: str, index: int) -> Json:
        return await self._json("GET", f"/api/jobs/{checked_id(job_id)}/pages/{index}")

    async def page_image(self, job_id: str, index: int) -> bytes:
        """As JPEG."""
        response = await self._get(f"/api/jobs/{checked_id(job_id)}/pages/{index}/image")
        return response.content

    async def export(self, job_id: str, format: str) -> tuple[str, bytes]:
        """The document's media type and content."""
        path = f"/api/jobs/{checked_id(job_id)}/export"
        response = await self._get(path, params={"format": format})
        return response.headers.get("content-type", ""), response.content

    async def pages(self, job_id: str) -> AsyncIterator[Json]:
        """The pages one after another, with corrections and without running heads."""
        path = f"/api/jobs/{checked_id(job_id)}/export"
        try:
            async with self.http.stream(
                "GET", path, params={"format": "jsonl"}, headers=dict(self.headers)
            ) as response:
                if response.is_error:
                    await response.aread()
                    raise _failure(response)
                async for line in response.aiter_lines():
                    if line.strip():
                        yield json.loads(line)
        except httpx.HTTPError as error:
            raise self._unreachable() from error

    async def _get(self, path: str, **more: Any) -> httpx.Response:
        return await self._request("GET", path, **more)

    async def _json(self, method: str, path: str, **more: Any) -> Json:
        response = await self._request(method, path, **more)
        answer: Json = response.json()
        return answer

    async def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            response = await self.http.request(method, path, headers=dict(self.headers), **more)
        except httpx.HTTPError as error:
            raise self._unreachable() from error
        if response.is_error:
            raise _failure(response)
        return response

    def _unreachable(self) -> ServiceFailed:
        message = f"There is no answer from {self.http.base_url}. Is `dsocr serve` running?"
        return ServiceFailed("unreachable", message)


def checked_id(job_id: str) -> str:
    """The id as a part of a URL's path. Raises `BadRequest`."""
    if not _JOB_ID.fullmatch(job_id):
        raise BadRequest(f"{job_id[:80]!r} is not the id of a document.")
    return job_id


def _failure(response: httpx.Response) -> ServiceFailed:
    try:
        error = response.json()["error"]
        message = str(error["message"])
        if seconds := response.headers.get("retry-after"):
            message += f" Wait {seconds} seconds before the next call."
        return ServiceFailed(str(error["code"]), message)
    except (ValueError, KeyError, TypeError):
        return ServiceFailed("unexpected", f"The service answered {response.status_code}.")
