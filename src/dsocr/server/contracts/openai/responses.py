"""`POST /v1/responses`."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Any

from fastapi import Request, Response
from pydantic import BaseModel, Field

from dsocr.errors import InvalidField
from dsocr.server.contracts.body import json_body_limit
from dsocr.server.contracts.openai.answer import Totals, pieces
from dsocr.server.contracts.openai.content import Content, Message, content_of
from dsocr.server.contracts.openai.errors import error_answers, openai_errors
from dsocr.server.contracts.openai.options import OpenaiRequest
from dsocr.server.contracts.openai.respond import answer_request
from dsocr.server.deps import Owner, RunningService, locked_router
from dsocr.server.route_attributes import body_limit
from dsocr.server.sse import Emit, compact_json

router = locked_router("openai")


class TextFormat(BaseModel):
    type: str = "text"


class TextOptions(BaseModel):
    format: TextFormat | None = None


class ResponseRequest(OpenaiRequest):
    """The options of a response that have an effect."""

    input: str | list[Message]
    instructions: str | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    metadata: dict[str, str] | None = None
    text: TextOptions | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    prompt: Any = None
    tool_choice: Any = None

    def check(self) -> None:
        """Raises `InvalidField` for outputs that cannot be given."""
        for name in ("background", "previous_response_id", "conversation", "prompt"):
            if getattr(self, name):
                raise InvalidField(f"{name}: responses are not stored here; send the whole input")
        if self.text and self.text.format and self.text.format.type != "text":
            raise InvalidField("text.format: the answer is the document's text, not JSON")
        if self.tool_choice not in (None, "auto", "none"):
            raise InvalidField("tool_choice: tools cannot be called")

    def content(self) -> Content:
        text = self.input
        messages = [Message(role="user", content=text)] if isinstance(text, str) else text
        return content_of(messages, self.instructions or "", "input")

    @property
    def token_limit(self) -> int | None:
        return self.max_output_tokens


@router.post(
    "/v1/responses",
    response_class=Response,
    summary="OpenAI: response",
    responses=error_answers(400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504, 507),
)
@body_limit(json_body_limit)
@openai_errors
async def respond(request: Request, service: RunningService, owner: Owner) -> Response:
    """The text of the images and files of the last message that has any."""
    return await answer_request(request, service, owner, ResponseRequest, _Result, _event_bytes)


class _Result:
    """The response object in its states."""

    def __init__(self, asked: ResponseRequest, model: str) -> None:
        self.item_id = f"msg_{uuid.uuid4().hex}"
        self._head = {
            "id": f"resp_{uuid.uuid4().hex}",
            "object": "response",
            "created_at": int(time.time()),
            "model": model,
            "instructions": asked.instructions,
            "max_output_tokens": asked.max_output_tokens,
            "metadata": asked.metadata or {},
            "temperature": asked.temperature or 0.0,
            "top_p": asked.top_p or 1.0,
            "parallel_tool_calls": False,
            "tool_choice": "none",
            "tools": [],
            "text": {"format": {"type": "text"}},
            "truncation": "disabled",
            "previous_response_id": None,
            "store": False,
        }

    def events(self, emit: Emit) -> _Events:
        return _Events(emit, self)

    def unfinished(self) -> dict[str, Any]:
        return self._state("in_progress", [], None)

    def failed(self, message: str, code: str) -> dict[str, Any]:
        return {**self._state("failed", [], None), "error": {"code": code, "message": message}}

    def whole(self, text: str, totals: Totals) -> dict[str, Any]:
        item = self.item([part_of(text)], "incomplete" if totals.cut else "completed")
        state = self._state(item["status"], [item], totals)
        if totals.cut:
            state["incomplete_details"] = {"reason": "max_output_tokens"}
        return state

    def item(self, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
        return {
            "id": self.item_id,
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": content,
        }

    def _state(
        self, status: str, output: list[dict[str, Any]], totals: Totals | None
    ) -> dict[str, Any]:
        return {
            **self._head,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "output": output,
            "usage": _usage(totals) if totals else None,
        }


class _Events:
    """Sends the events of one response, numbered from 0."""

    def __init__(self, emit: Emit, result: _Result) -> None:
        self._emit = emit
        self._result = result
        self._number = 0
        self._text = ""

    def begin(self) -> None:
        self._send("created", response=self._result.unfinished())
        self._send("in_progress", response=self._result.unfinished())
        item = self._result.item([], "in_progress")
        self._send("output_item.added", output_index=0, item=item)
        self._send_part("content_part.added", part=part_of(""))

    def send_text(self, text: str) -> None:
        self._text += text
        for piece in pieces(text):
            self._send_part("output_text.delta", delta=piece, logprobs=[])

    def finish(self, totals: Totals) -> None:
        response = self._result.whole(self._text, totals)
        self._send_part("output_text.done", text=self._text, logprobs=[])
        self._send_part("content_part.done", part=part_of(self._text))
        self._send("output_item.done", output_index=0, item=response["output"][0])
        self._send(response["status"], response=response)

    def fail(self, body: dict[str, Any]) -> None:
        error = body["error"]
        self._send("failed", response=self._result.failed(error["message"], error["code"]))

    def _send_part(self, name: str, **data: Any) -> None:
        item = self._result.item_id
        self._send(name, item_id=item, output_index=0, content_index=0, **data)

    def _send(self, name: str, **data: Any) -> None:
        kind = f"response.{name}"
        self._emit(kind, {"type": kind, "sequence_number": self._number, **data})
        self._number += 1


def _event_bytes(name: str, data: dict[str, Any], id: int) -> bytes:
    return f"event: {name}\ndata: {compact_json(data)}\n\n".encode()


def part_of(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(totals: Totals) -> dict[str, Any]:
    return {
        "input_tokens": totals.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": totals.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": totals.prompt_tokens + totals.completion_tokens,
    }
