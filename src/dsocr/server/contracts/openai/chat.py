"""`POST /v1/chat/completions`."""

from __future__ import annotations

import time
import uuid
from typing import Annotated, Any, Literal

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

DONE = "[DONE]"
MaxTokens = Annotated[int, Field(ge=1)]


class ResponseFormat(BaseModel):
    type: str = "text"


class StreamOptions(BaseModel):
    include_usage: bool | None = None


class ChatRequest(OpenaiRequest):
    """The options of a chat completion that have an effect."""

    messages: list[Message]
    max_tokens: MaxTokens | None = None
    max_completion_tokens: MaxTokens | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    logprobs: bool | None = None
    modalities: list[str] | None = None
    response_format: ResponseFormat | None = None
    tool_choice: Any = None

    def check(self) -> None:
        """Raises `InvalidField` for outputs that cannot be given."""
        if self.n not in (None, 1):
            raise InvalidField("n: only one choice can be given")
        if self.logprobs:
            raise InvalidField("logprobs: log probabilities cannot be given")
        if self.modalities and set(self.modalities) != {"text"}:
            raise InvalidField("modalities: only text can be given")
        if self.response_format and self.response_format.type != "text":
            raise InvalidField("response_format: the answer is the document's text, not JSON")
        if self.tool_choice not in (None, "auto", "none"):
            raise InvalidField("tool_choice: tools cannot be called")

    def content(self) -> Content:
        return content_of(self.messages)

    @property
    def token_limit(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens


@router.post(
    "/v1/chat/completions",
    response_class=Response,
    summary="OpenAI: chat completion",
    responses=error_answers(400, 401, 403, 404, 408, 413, 415, 422, 429, 500, 503, 504, 507),
)
@body_limit(json_body_limit)
@openai_errors
async def complete(request: Request, service: RunningService, owner: Owner) -> Response:
    """The text of the images and files of the last message that has any."""
    return await answer_request(request, service, owner, ChatRequest, _Completion, _chunk_bytes)


class _Completion:
    """A completion, whole or in chunks."""

    def __init__(self, chat: ChatRequest, model: str) -> None:
        self._model = model
        self._with_usage = bool(chat.stream_options and chat.stream_options.include_usage)

    def whole(self, text: str, totals: Totals) -> dict[str, Any]:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": None,
            "finish_reason": _finish_reason(totals),
        }
        head = _head("chat.completion", self._model)
        return {**head, "choices": [choice], "usage": _usage(totals)}

    def events(self, emit: Emit) -> _Chunks:
        return _Chunks(emit, self._model, self._with_usage)


class _Chunks:
    """Sends the chunks of one completion."""

    def __init__(self, emit: Emit, model: str, with_usage: bool) -> None:
        self._emit = emit
        self._head = _head("chat.completion.chunk", model)
        self._usage: dict[str, Any] = {"usage": None} if with_usage else {}

    def begin(self) -> None:
        self._send({"role": "assistant", "content": ""})

    def send_text(self, text: str) -> None:
        for piece in pieces(text):
            self._send({"content": piece})

    def _send(self, delta: dict[str, Any], finish: Literal["stop", "length"] | None = None) -> None:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        self._emit("chunk", {**self._head, "choices": [choice], **self._usage})

    def finish(self, totals: Totals) -> None:
        self._send({}, _finish_reason(totals))
        if self._usage:
            self._emit("chunk", {**self._head, "choices": [], "usage": _usage(totals)})
        self._emit(DONE, {})

    def fail(self, body: dict[str, Any]) -> None:
        self._emit("error", body)
        self._emit(DONE, {})


def _chunk_bytes(name: str, data: dict[str, Any], id: int) -> bytes:
    return f"data: {DONE if name == DONE else compact_json(data)}\n\n".encode()


def _head(kind: str, model: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def _finish_reason(totals: Totals) -> Literal["stop", "length"]:
    return "length" if totals.cut else "stop"


def _usage(totals: Totals) -> dict[str, Any]:
    """Drafts are OpenAI's predicted outputs; those that were rejected are not completion tokens."""
    usage: dict[str, Any] = {
        "prompt_tokens": totals.prompt_tokens,
        "completion_tokens": totals.completion_tokens,
        "total_tokens": totals.prompt_tokens + totals.completion_tokens,
    }
    if totals.drafted_tokens:
        usage["completion_tokens_details"] = {
            "accepted_prediction_tokens": totals.accepted_tokens,
            "rejected_prediction_tokens": totals.drafted_tokens - totals.accepted_tokens,
        }
    return usage
