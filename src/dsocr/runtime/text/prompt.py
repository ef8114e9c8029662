"""A prompt's words to the ids the decoder starts from (spec 4)."""

from __future__ import annotations

from dsocr.runtime.text.tokenizer import IMAGE, Tokenizer


class PromptError(Exception):
    """The prompt cannot be turned into a sequence. The text says why."""


class PromptTooLong(PromptError):
    """Prompt and image leave no room for an answer."""


def has_image(prompt: str) -> bool:
    """Whether the page goes into this prompt. Raises `PromptError` for more than one place."""
    count = prompt.count(IMAGE)
    if count > 1:
        raise PromptError(f"The prompt has {count} {IMAGE} marks; a page goes into one place only.")
    return count == 1


def prompt_ids(tokenizer: Tokenizer, prompt: str, *, num_image_tokens: int = 0) -> list[int]:
    """bos, the words before the image, its placeholders, the words after.

    The prompt is stripped and its two parts are encoded apart, as the released code does.
    """
    before, mark, after = prompt.strip().partition(IMAGE)
    placeholders = [tokenizer.special.image] * num_image_tokens if mark else []
    return [
        tokenizer.special.bos,
        *tokenizer.encode(before),
        *placeholders,
        *tokenizer.encode(after),
    ]


def room_for_answer(num_prompt_tokens: int, *, max_positions: int) -> int:
    """Tokens that may still be generated. Raises `PromptTooLong` if there is none."""
    room = max_positions - num_prompt_tokens
    if room < 1:
        raise PromptTooLong(
            f"The page and the prompt take {num_prompt_tokens} tokens; the model holds "
            f"{max_positions}, and the answer needs room too."
        )
    return room
