"""The model's prompts: it is sensitive to the exact wording."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dsocr.types import Task

IMAGE = "<image>"
GROUNDING = "<|grounding|>"
DEFAULT_PROMPT = "<image>\n<|grounding|>Convert the document to markdown."


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task; `prompt` is the wording the model was trained on."""

    key: Task
    label: str
    prompt: str


_SPECS = (
    TaskSpec("markdown", "Document to markdown", DEFAULT_PROMPT),
    TaskSpec("text", "Plain text", "<image>\nFree OCR."),
    TaskSpec("ocr", "Text lines with boxes", "<image>\n<|grounding|>OCR this image."),
    TaskSpec("figure", "Parse a figure", "<image>\nParse the figure."),
    TaskSpec("describe", "Describe the image", "<image>\nDescribe this image in detail."),
    TaskSpec("locate", "Locate in the image", "<image>\nLocate <|ref|>xxxx<|/ref|> in the image."),
)

TASKS: dict[Task, TaskSpec] = {spec.key: spec for spec in _SPECS}

_QUERY = re.compile(r"<\|ref\|>([^<]*)<\|/ref\|>")
_LOCATE = re.compile(r"\s*locate\s*<\|ref\|>[^<]*<\|/ref\|>", re.IGNORECASE)


def task_of(prompt: str) -> Task:
    """The task of a prompt; spacing, case and a final dot are ignored; "custom" if unknown."""
    words = prompt.replace(IMAGE, " ").replace(GROUNDING, " ")
    if _LOCATE.match(words):
        return "locate"
    return _TASK_OF_WORDS.get(_normal(words), "custom")


def with_image(prompt: str) -> str:
    """The prompt; without `<image>` in it, `<image>` and a newline are put before it."""
    return prompt if IMAGE in prompt else f"{IMAGE}\n{prompt}"


def locate_query(prompt: str) -> str | None:
    """The text that a locate prompt searches for, or None."""
    found = _QUERY.search(prompt)
    return found[1].strip() or None if found else None


def grounded(prompt: str) -> bool:
    """Whether the prompt asks for boxes."""
    return GROUNDING in prompt


def _normal(words: str) -> str:
    return " ".join(words.lower().split()).rstrip(" .")


_TASK_OF_WORDS: dict[str, Task] = {
    _normal(spec.prompt.replace(IMAGE, "").replace(GROUNDING, "")): spec.key for spec in _SPECS
} | {"extract the text in the image": "text", "document parsing": "markdown"}
"""The last is Unlimited-OCR's wording."""
