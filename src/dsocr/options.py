"""Builds `OcrOptions` from a request, for the server, jobs, contracts and the command line."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from dsocr.engines.deepseek.modes import DEFAULT_MODE, mode_of
from dsocr.engines.deepseek.prompts import (
    DEFAULT_PROMPT,
    TASKS,
    locate_query,
    task_of,
    with_image,
)
from dsocr.engines.ppocr.scripts.languages import parse_languages
from dsocr.errors import InvalidField
from dsocr.types import NoRepeat, OcrOptions

LOCATE_PLACEHOLDER = "xxxx"
"""In the wording of the locate task: what to look for."""


@dataclass(frozen=True, slots=True)
class OptionLimits:
    """Defaults for what a request leaves out, and the most it may ask for."""

    default_prompt: str = DEFAULT_PROMPT
    no_repeat_ngram: NoRepeat | None = None
    languages: tuple[str, ...] = ()
    max_prompt_bytes: int | None = None
    """None: any length."""
    max_output_tokens: int | None = None
    """Of one page; None: all that the context leaves."""


def build_options(
    limits: OptionLimits,
    *,
    prompt: str | None = None,
    mode: str = DEFAULT_MODE,
    max_tokens: int | None = None,
    temperature: float = 0.0,
    no_repeat_ngram: str | None = None,
    languages: str | None = None,
) -> OcrOptions:
    """Options of a new request. An empty prompt is the default prompt.

    Raises `InvalidField`, naming the field, and `UnsupportedMode`.
    """
    words = _checked_prompt(prompt, limits)
    rule = _no_repeat(no_repeat_ngram) if no_repeat_ngram else limits.no_repeat_ngram
    return OcrOptions(
        task=task_of(words),
        mode=mode_of(mode),
        prompt=words,
        max_tokens=_checked_tokens(max_tokens, limits),
        temperature=temperature,
        no_repeat_ngram=rule,
        languages=_languages(languages) if languages else limits.languages,
    )


def change_options(
    options: OcrOptions,
    limits: OptionLimits,
    *,
    prompt: str | None = None,
    mode: str | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    no_repeat_ngram: str | None = None,
    languages: str | None = None,
) -> OcrOptions:
    """Options of an earlier request with other values; None leaves a value as it is.

    Raises as `build_options` does.
    """
    changes: dict[str, Any] = {}
    if prompt is not None:
        changes["prompt"] = _checked_prompt(prompt, limits)
        changes["task"] = task_of(changes["prompt"])
    if mode is not None:
        changes["mode"] = mode_of(mode)
    if max_tokens is not None:
        changes["max_tokens"] = _checked_tokens(max_tokens, limits)
    if temperature is not None:
        changes["temperature"] = temperature
    if no_repeat_ngram is not None:
        changes["no_repeat_ngram"] = _no_repeat(no_repeat_ngram)
    if languages is not None:
        changes["languages"] = _languages(languages)
    return dataclasses.replace(options, **changes)


def prompt_for_task(task: str | None, prompt: str | None, default_prompt: str) -> str:
    """The prompt for a task by its key. The task `locate` takes the words to look for from
    `prompt`; with any other task a prompt is an error.

    Raises `InvalidField`.
    """
    if task == "locate":
        if not prompt:
            raise InvalidField("--task locate needs --prompt with the words to look for.")
        wording = TASKS["locate"].prompt.replace(LOCATE_PLACEHOLDER, prompt)
        return prompt if locate_query(prompt) else wording
    if task and prompt:
        raise InvalidField("--task and --prompt exclude each other; give one of them.")
    if task:
        return next(spec.prompt for spec in TASKS.values() if spec.key == task)
    return prompt or default_prompt


def parse_no_repeat(text: str) -> NoRepeat | None:
    """`30/90` (n-gram/window), `20` (no window) or `off`. Raises `ValueError`."""
    if text.strip().lower() == "off":
        return None
    ngram, slash, window = text.partition("/")
    rule = NoRepeat(int(ngram), int(window) if slash else None)
    if rule.ngram < 1 or (rule.window is not None and rule.window < rule.ngram):
        raise ValueError("the n-gram has at least one token and fits into its window")
    return rule


def _checked_prompt(prompt: str | None, limits: OptionLimits) -> str:
    words = with_image(prompt or limits.default_prompt)
    most = limits.max_prompt_bytes
    if most is not None and len(words.encode()) > most:
        raise InvalidField(f"prompt: it is longer than {most} bytes")
    return words


def _checked_tokens(max_tokens: int | None, limits: OptionLimits) -> int | None:
    most = limits.max_output_tokens
    if max_tokens is not None and most is not None and max_tokens > most:
        raise InvalidField(f"max_tokens: at most {most}")
    return max_tokens


def _languages(text: str) -> tuple[str, ...]:
    try:
        return parse_languages(text)
    except ValueError as error:
        raise InvalidField(f"languages: {error}") from error


def _no_repeat(text: str) -> NoRepeat | None:
    try:
        return parse_no_repeat(text)
    except ValueError as error:
        raise InvalidField("no_repeat_ngram: write n/window, n, or off") from error
