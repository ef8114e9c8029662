"""The messages of a request: their files, and the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Discriminator

from dsocr.engines.deepseek.prompts import IMAGE
from dsocr.errors import InvalidField
from dsocr.server.contracts.body import is_given_detail

_INSTRUCTING = ("system", "developer")
_IMAGE_PART = {"messages": "image_url", "input": "input_image"}
"""What an image is sent as, by the field of the request that holds the messages."""


class _ImageUrl(BaseModel):
    url: str
    detail: str | None = None


class _Text(BaseModel):
    type: Literal["text", "input_text", "output_text"]
    text: str


class _Refusal(BaseModel):
    type: Literal["refusal"]


class _Image(BaseModel):
    type: Literal["image_url", "input_image"]
    image_url: _ImageUrl | str | None = None
    file_id: str | None = None
    detail: str | None = None

    @property
    def wanted_detail(self) -> str | None:
        inner = self.image_url.detail if isinstance(self.image_url, _ImageUrl) else None
        return self.detail or inner


class _DocumentUrl(BaseModel):
    """The file of a chat with Mistral."""

    type: Literal["document_url"]
    document_url: str
    document_name: str | None = None


class _FileFields(BaseModel):
    file_data: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    filename: str | None = None


class _File(BaseModel):
    type: Literal["file"]
    file: _FileFields


class _InputFile(_FileFields):
    type: Literal["input_file"]


_FilePart = _Image | _DocumentUrl | _File | _InputFile
Part = Annotated[_Text | _Refusal | _FilePart, Discriminator("type")]


class Message(BaseModel):
    """A message of a chat, or an input item of a response."""

    role: str = ""
    content: str | list[Part] | None = None


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file in a message: a data URL or base64 in `data`, else the id of an uploaded file."""

    field: str
    data: str | None = None
    file_id: str | None = None
    name: str = "document"


@dataclass(frozen=True, slots=True)
class Content:
    """What a conversation asks for: its last files, and the words that belong to them."""

    files: tuple[FileSource, ...]
    prompt: str
    """Without `<image>`; may be empty."""
    instructions_ignored: bool = False
    detail_ignored: bool = False
    """An image has a `detail` other than `auto`; the option `mode` is the service's own."""


def content_of(
    messages: Sequence[Message], instructions: str = "", field: str = "messages"
) -> Content:
    """The last message of the user with files, and the text of it and of later ones. Without any
    text the instructions are the prompt. Raises `InvalidField` naming `field` without any file."""
    users = [message for message in messages if message.role not in (*_INSTRUCTING, "assistant")]
    for place in range(len(users) - 1, -1, -1):
        files = _files(users[place])
        if files:
            break
    else:
        raise InvalidField(
            f"{field}: there is no image and no file; this service reads documents, send one as "
            f"{_IMAGE_PART[field]} (a data URL) or as a file"
        )
    prompt = _text(users[place:])
    system = _text([message for message in messages if message.role in _INSTRUCTING])
    system = "\n".join(part for part in (instructions.strip(), system) if part)
    detail = _has_detail(users[place])
    return Content(tuple(files), prompt or system, bool(prompt and system), detail)


def _has_detail(message: Message) -> bool:
    parts = message.content if isinstance(message.content, list) else ()
    return any(is_given_detail(part.wanted_detail) for part in parts if isinstance(part, _Image))


def _text(messages: Sequence[Message]) -> str:
    texts = [text for message in messages for text in _texts(message)]
    parts = (text.replace(IMAGE, "").strip() for text in texts)
    return "\n".join(part for part in parts if part)


def _texts(message: Message) -> list[str]:
    if isinstance(message.content, str):
        return [message.content]
    return [part.text for part in message.content or () if isinstance(part, _Text)]


def _files(message: Message) -> list[FileSource]:
    if not isinstance(message.content, list):
        return []
    return [_source(part) for part in message.content if isinstance(part, _FilePart)]


def _source(part: _FilePart) -> FileSource:
    if isinstance(part, _Image):
        url = part.image_url.url if isinstance(part.image_url, _ImageUrl) else part.image_url
        return _checked(FileSource("image_url", url, part.file_id, "image"))
    if isinstance(part, _DocumentUrl):
        name = part.document_name or "document"
        return _checked(FileSource("document_url", part.document_url, name=name))
    fields = part.file if isinstance(part, _File) else part
    data = fields.file_data or fields.file_url
    name = fields.filename or "document"
    return _checked(FileSource("file_data", data, fields.file_id, name))


def _checked(source: FileSource) -> FileSource:
    if not source.data and not source.file_id:
        raise InvalidField(f"{source.field}: the file is missing")
    return source
