"""What both OpenAI routes do: open the files of a request, then stream their text or return it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol, TypeVar

from fastapi import Request
from starlette.responses import Response

from dsocr.errors import DsocrError
from dsocr.server import problems
from dsocr.server.contracts.body import LargeJson, ignored_headers, json_body_limit, received_json
from dsocr.server.contracts.documents import admitted_reader
from dsocr.server.contracts.openai.answer import (
    AnswerContext,
    OpenedAnswer,
    Totals,
    open_answer,
)
from dsocr.server.contracts.openai.options import OpenaiRequest
from dsocr.server.deps import Service, unless_disconnected
from dsocr.server.sse import Emit, Encode, EventStream, Work

RequestT = TypeVar("RequestT", bound=OpenaiRequest)


class AnswerEvents(Protocol):
    """Sends the events of one answer."""

    def begin(self) -> None: ...

    def send_text(self, text: str) -> None: ...

    def finish(self, totals: Totals) -> None: ...

    def fail(self, body: dict[str, Any]) -> None:
        """`body` is an error of the service, as `problems.error_body` returns it."""


class AnswerShape(Protocol):
    """One answer as a route writes it."""

    def whole(self, text: str, totals: Totals) -> dict[str, Any]: ...

    def events(self, emit: Emit) -> AnswerEvents: ...


async def answer_request(
    request: Request,
    service: Service,
    owner: str | None,
    kind: type[RequestT],
    shape_of: Callable[[RequestT, str], AnswerShape],
    encode: Encode,
) -> Response:
    """Reads the files of the request's body, which is JSON of this kind.

    `shape_of` receives the request and the model's name; `encode` writes an event of a stream.
    """
    async with AsyncExitStack() as stack:
        limit = json_body_limit(service.settings)
        reader = await admitted_reader(request, service, owner, limit, stack)
        asked = await received_json(request, kind)
        asked.check()
        opened = await open_answer(AnswerContext(service, owner, reader, stack), asked)
        shape = shape_of(asked, opened.model)
        headers = ignored_headers(opened.ignored)
        if asked.stream:
            stream = EventStream(
                _stream_work(opened, shape, stack.pop_all(), request),
                heartbeat_seconds=service.settings.server.heartbeat_seconds,
                encode=encode,
            )
            stream.headers.update(headers)
            return stream
        texts: list[str] = []
        totals = await unless_disconnected(request.receive, opened.run(texts.append))
    return LargeJson(shape.whole("".join(texts), totals), headers=headers)


def _stream_work(
    opened: OpenedAnswer, shape: AnswerShape, stack: AsyncExitStack, request: Request
) -> Work:
    """The work of an `EventStream`, which closes `stack` when it ends."""

    async def work(emit: Emit) -> None:
        events = shape.events(emit)
        async with stack:
            try:
                events.begin()
                totals = await opened.run(events.send_text)
            except DsocrError as error:
                events.fail(problems.error_body(error, request.scope))
            else:
                events.finish(totals)

    return work
