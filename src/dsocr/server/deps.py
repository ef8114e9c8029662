"""What the routes share: the running service, and the lock on the door."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import Receive

from dsocr.config import Settings
from dsocr.host import EngineHost
from dsocr.jobs.queue import JobQueue
from dsocr.metrics import Metrics
from dsocr.server.admission import AdmissionLimiter
from dsocr.server.problems import ClientGone, Unauthorized

T = TypeVar("T")

KEY_HEADERS = ("x-api-key", "ocp-apim-subscription-key")
SCHEMES = ("bearer", "token")
"""Of the Authorization header; the second is what some foreign clients send."""


class ApiKeys:
    """The keys that open the service, as hashes; no keys: it is open."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._hashes = tuple(_hash(key) for key in keys)

    @property
    def open(self) -> bool:
        return not self._hashes

    def check(self, headers: Headers) -> None:
        """Raises `Unauthorized`. Keys count in headers alone: URLs end up in logs."""
        if not self.open and not self._matching(headers):
            raise Unauthorized()

    def owner(self, headers: Headers) -> str | None:
        """A name for whoever holds the key that came, which does not tell the key; None: open."""
        matching = self._matching(headers)
        return hashlib.sha256(b"owner" + matching[0]).hexdigest()[:32] if matching else None

    def _matching(self, headers: Headers) -> list[bytes]:
        given = [headers[name] for name in KEY_HEADERS if name in headers]
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() in SCHEMES:
            given.append(credentials.strip())
        # Every pair is compared, so that the time taken says nothing of which key was near.
        matches = [
            (hmac.compare_digest(_hash(key), known), known)
            for key in given
            for known in self._hashes
        ]
        return [known for equal, known in matches if equal]


@dataclass(slots=True)
class Service:
    """All that lives as long as the app."""

    settings: Settings
    keys: ApiKeys
    door: AdmissionLimiter
    host: EngineHost
    jobs: JobQueue
    metrics: Metrics
    uploads: AdmissionLimiter
    """Of jobs: these go to the disk and must not take the places of those who wait."""


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


RunningService = Annotated[Service, Depends(service_of)]


def owner_of(request: Request) -> str | None:
    return service_of(request).keys.owner(request.headers)


Owner = Annotated[str | None, Depends(owner_of)]
"""Whose jobs a request may see; None: all."""


class LockedRoute(APIRoute):
    """A route that asks for a key before it looks at anything else of the request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def locked(request: Request) -> Response:
            service_of(request).keys.check(request.headers)
            return await handle(request)

        return locked


def locked_router(tag: str) -> APIRouter:
    """For routes that need a key. The dependencies only show in the description how to send it."""
    shown = (HTTPBearer(auto_error=False), APIKeyHeader(name="X-Api-Key", auto_error=False))
    return APIRouter(
        route_class=LockedRoute, tags=[tag], dependencies=[Depends(scheme) for scheme in shown]
    )


async def until_gone(receive: Receive, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the client hangs up. Raises `ClientGone`.

    Only for after the body was read: what else arrives is swallowed.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(hung_up(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone()
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def hung_up(receive: Receive) -> None:
    """Returns when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
