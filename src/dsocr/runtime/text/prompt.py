"""Prompt text to the token ids that the decoder starts from (spec 4)."""

from __future__ import annotations

from dsocr.runtime.text.tokenizer import IMAGE, Tokenizer


class PromptError(Exception):
    """The prompt cannot be used. The message says why."""


class PromptTooLong(PromptError):
    """Prompt and image leave no positions for output."""


def has_image(prompt: str) -> bool:
    """Whether the prompt has an `<image>` mark. Raises `PromptError` for more than one."""
    count = prompt.count(IMAGE)
    if count > 1:
        raise PromptError(f"The prompt has {count} {IMAGE} marks; use one at most.")
    return count == 1


def prompt_ids(tokenizer: Tokenizer, prompt: str, *, num_image_tokens: int = 0) -> list[int]:
    """bos, the text before `<image>`, the image's placeholders, the text after.

    The prompt is stripped and its two parts are encoded separately, as in the released code.
    """
    before, mark, after = prompt.strip().partition(IMAGE)
    placeholders = [tokenizer.special.image] * num_image_tokens if mark else []
    return [
        tokenizer.special.bos,
        *tokenizer.encode(before),
        *placeholders,
        *tokenizer.encode(after),
    ]


def remaining_positions(num_prompt_tokens: int, *, max_positions: int) -> int:
    """Positions left for output, at least 1. Raises `PromptTooLong` if there is none."""
    remaining = max_positions - num_prompt_tokens
    if remaining < 1:
        raise PromptTooLong(
            f"The page and the prompt take {num_prompt_tokens} tokens of the model's context of "
            f"{max_positions}, which leaves none for the output; use a smaller mode or a shorter "
            "prompt."
        )
    return remaining
