"""The options that both OpenAI routes have, as options of a reading."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from dsocr.config import Settings
from dsocr.engines.base import EngineInfo
from dsocr.engines.deepseek.modes import DEFAULT_MODE
from dsocr.engines.deepseek.prompts import task_of
from dsocr.engines.deepseek.remote.request import TABLE_CELL_TOKENS
from dsocr.options import build_options
from dsocr.server.contracts.body import given
from dsocr.server.contracts.openai.content import Content
from dsocr.types import OcrOptions


class VllmArguments(BaseModel):
    """The logits processor that the authors' vLLM recipe asks for."""

    model_config = ConfigDict(extra="allow")
    ngram_size: Annotated[int, Field(ge=1, le=10_000)] | None = None
    window_size: Annotated[int, Field(ge=1, le=100_000)] | None = None
    whitelist_token_ids: list[int] | None = None

    def ignored(self) -> list[str]:
        """The rule of this service exempts `<td>` and `</td>`, whatever is asked for."""
        names = list(self.model_extra or {})
        if set(self.whitelist_token_ids or TABLE_CELL_TOKENS) != set(TABLE_CELL_TOKENS):
            names.append("whitelist_token_ids")
        return [f"vllm_xargs.{name}" for name in names]


class OpenaiRequest(BaseModel, ABC):
    """Fields that are named here have an effect; others are reported as ignored."""

    model_config = ConfigDict(extra="allow")
    model: str | None = None
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] | None = None
    skip_special_tokens: bool | None = None
    """False: the model's raw output with its boxes, as vLLM returns it."""
    vllm_xargs: VllmArguments | None = None
    mode: str | None = None
    pages: str | None = None
    languages: str | None = None

    @abstractmethod
    def check(self) -> None:
        """Raises `InvalidField` for outputs that cannot be given."""

    @abstractmethod
    def content(self) -> Content:
        """The files and the prompt. Raises `InvalidField`."""

    @property
    @abstractmethod
    def token_limit(self) -> int | None:
        """Of the text of a page."""

    @property
    def raw(self) -> bool:
        return self.skip_special_tokens is False

    def ignored(self) -> list[str]:
        """Options of the request without effect; those that are empty do not count."""
        return given(self.model_extra) + (self.vllm_xargs.ignored() if self.vllm_xargs else [])


def options_of(
    request: OpenaiRequest,
    content: Content,
    settings: Settings,
    info: EngineInfo,
) -> tuple[OcrOptions, list[str]]:
    """How to read, and the options without effect. Raises `InvalidField` and `UnsupportedMode`.

    A prompt that the engine has no task for is ignored: the document is read as markdown.
    """
    ignored = request.ignored()
    prompt = content.prompt or None
    if prompt and task_of(prompt) not in info.tasks:
        prompt = None
        ignored.append("prompt")
    if content.instructions_ignored:
        ignored.append("instructions")
    if content.detail_ignored:
        ignored.append("detail")
    limits = settings.option_limits()
    options = build_options(
        limits,
        prompt=prompt,
        mode=request.mode or DEFAULT_MODE,
        max_tokens=_clamped(request.token_limit, limits.max_output_tokens),
        temperature=request.temperature or 0.0,
        no_repeat_ngram=_no_repeat(request.vllm_xargs),
        languages=request.languages,
    )
    return dataclasses.replace(options, top_p=request.top_p or 1.0), ignored


def _clamped(max_tokens: int | None, most: int | None) -> int | None:
    """`max_tokens` is an upper bound: more than the service allows is no error."""
    return min(max_tokens, most) if max_tokens and most else max_tokens


def _no_repeat(arguments: VllmArguments | None) -> str | None:
    if arguments is None or arguments.ngram_size is None:
        return None
    if arguments.window_size is None:
        return str(arguments.ngram_size)
    return f"{arguments.ngram_size}/{arguments.window_size}"
