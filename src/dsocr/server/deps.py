"""What the routes share: the running service, its keys, and routes that require a key."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import Receive

from dsocr.config import Settings
from dsocr.errors import BadRequest
from dsocr.host import EngineHost
from dsocr.jobs.files.kept_files import KeptFiles
from dsocr.jobs.job import BROWSER_OWNER
from dsocr.jobs.queue import JobQueue
from dsocr.metrics import Metrics
from dsocr.model_hosts import ModelHosts
from dsocr.server.admission import AdmissionLimiter
from dsocr.server.capacity import Capacity
from dsocr.server.key_file import KeyFile, hash_of
from dsocr.server.problems import ClientDisconnected, Unauthorized

T = TypeVar("T")

KEY_HEADERS = ("x-api-key", "ocp-apim-subscription-key")
SCHEMES = ("bearer", "token")
"""Of the Authorization header; the second is what some foreign clients send."""


BROWSER_HEADER = "X-Dsocr-Browser"
MIN_BROWSER_CHARACTERS, MAX_BROWSER_CHARACTERS = 16, 128


class ApiKeys:
    """The accepted keys, as hashes: those of the settings, and those of a file that may change.
    Without keys and without the file the service is open."""

    def __init__(self, keys: tuple[str, ...], file: KeyFile | None = None) -> None:
        self._fixed = tuple(hash_of(key) for key in keys)
        self._file = file

    @property
    def open(self) -> bool:
        return not self._hashes() and not (self._file is not None and self._file.exists)

    def _hashes(self) -> tuple[bytes, ...]:
        return self._fixed if self._file is None else (*self._fixed, *self._file.hashes())

    def check(self, headers: Headers) -> None:
        """Raises `Unauthorized`. Keys are accepted in headers only: URLs are logged."""
        if not self.open and not self._matching(headers):
            raise Unauthorized()

    def owner(self, headers: Headers) -> str | None:
        """An id derived from the request's key, from which the key cannot be found; None: open."""
        matching = self._matching(headers)
        return hashlib.sha256(b"owner" + matching[0]).hexdigest()[:32] if matching else None

    def _matching(self, headers: Headers) -> list[bytes]:
        given = [headers[name] for name in KEY_HEADERS if name in headers]
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() in SCHEMES:
            given.append(credentials.strip())
        known_hashes = self._hashes()
        # All pairs are compared, so that the time does not depend on which key matches.
        matches = [
            (hmac.compare_digest(hash_of(key), known), known)
            for key in given
            for known in known_hashes
        ]
        return [known for equal, known in matches if equal]


@dataclass(slots=True)
class Service:
    """The objects that live as long as the app."""

    settings: Settings
    keys: ApiKeys
    admission: AdmissionLimiter
    """Of documents that are answered at once."""
    models: ModelHosts
    jobs: JobQueue
    metrics: Metrics
    uploads: AdmissionLimiter
    """Admission of job uploads, apart from `admission`: they are stored, not answered at once."""
    capacity: Callable[[], Capacity]
    """The limits in effect; they follow the engine."""
    kept: KeptFiles
    """Files that clients uploaded to name them in later requests."""

    @property
    def host(self) -> EngineHost:
        """That of the default engine."""
        return self.models.default


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _service(request: Request) -> Service:
    """A coroutine, as all dependencies here: others wait for one of a few threads."""
    return service_of(request)


async def _owner(request: Request) -> str | None:
    return service_of(request).keys.owner(request.headers)


RunningService = Annotated[Service, Depends(_service)]
Owner = Annotated[str | None, Depends(_owner)]
"""The owner whose jobs a request may open; None: all jobs, by their id."""
Browser = Annotated[
    str | None,
    Header(
        alias=BROWSER_HEADER,
        description="A secret of the browser, 16 to 128 characters. Without keys, jobs belong to "
        "the browser that made them: only its list has them, and others, who need the id, cannot "
        "change them",
    ),
]


async def _lister(request: Request, browser: Browser = None) -> str:
    owner = service_of(request).keys.owner(request.headers)
    return _browser_owner(browser) if owner is None else owner


Lister = Annotated[str, Depends(_lister)]
"""The owner of the jobs that a request makes, whose jobs it lists beside those of no owner, and
whose jobs it may change beside these."""


class LockedRoute(APIRoute):
    """A route that checks the key before it reads anything else of the request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def locked(request: Request) -> Response:
            service_of(request).keys.check(request.headers)
            return await handle(request)

        return locked


def locked_router(tag: str) -> APIRouter:
    """For routes that require a key. The dependencies only describe the headers in OpenAPI."""
    schemes = (HTTPBearer(auto_error=False), APIKeyHeader(name="X-Api-Key", auto_error=False))
    return APIRouter(
        route_class=LockedRoute, tags=[tag], dependencies=[Depends(scheme) for scheme in schemes]
    )


async def unless_disconnected(receive: Receive, work: Awaitable[T]) -> T:
    """The result of `work`, which is cancelled when the client disconnects. Raises
    `ClientDisconnected`.

    Call it after the body was read: other messages are dropped.
    """
    task = asyncio.ensure_future(work)
    disconnect = asyncio.ensure_future(disconnected(receive))
    try:
        await asyncio.wait({task, disconnect}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnected()
        return task.result()
    finally:
        task.cancel()
        disconnect.cancel()
        await asyncio.gather(task, disconnect, return_exceptions=True)


async def disconnected(receive: Receive) -> None:
    """Returns when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _browser_owner(secret: str | None) -> str:
    """An id from which the secret cannot be found; empty without one. Raises `BadRequest`."""
    if secret is None:
        return ""
    if not MIN_BROWSER_CHARACTERS <= len(secret) <= MAX_BROWSER_CHARACTERS:
        raise BadRequest(
            f"{BROWSER_HEADER}: it must have {MIN_BROWSER_CHARACTERS} to "
            f"{MAX_BROWSER_CHARACTERS} characters."
        )
    return BROWSER_OWNER + hashlib.sha256(b"browser" + hash_of(secret)).hexdigest()[:32]
