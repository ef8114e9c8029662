"""Reads the files of a conversation and adds up their text and tokens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from dsocr.server.contracts.body import stored_data
from dsocr.server.contracts.file_store import FileStore
from dsocr.server.contracts.openai.content import FileSource
from dsocr.server.contracts.openai.models import model_of
from dsocr.server.contracts.openai.options import OpenaiRequest, options_of
from dsocr.server.contracts.page_texts import PageTexts
from dsocr.server.contracts.reading import DocumentReader, Read
from dsocr.server.deps import Service
from dsocr.server.read_now import ReadRequest
from dsocr.server.received.uploads import Upload
from dsocr.types import PageResult, ReadOptions

_PARAGRAPHS = re.compile(r"(?<=\n\n)")


@dataclass(slots=True)
class Totals:
    """Tokens of all pages; 0 for an engine without tokens."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    cut: bool = False
    """Whether a page ends at the token limit, or where the model began to repeat itself."""

    def add(self, pages: Sequence[PageResult]) -> None:
        for page in pages:
            self.prompt_tokens += page.usage.prompt_tokens
            self.completion_tokens += page.usage.completion_tokens
            self.drafted_tokens += page.usage.drafted_tokens
            self.accepted_tokens += page.usage.accepted_tokens
            self.cut = self.cut or page.finish_reason in ("length", "repetition")


@dataclass(frozen=True, slots=True)
class OpenedAnswer:
    """A conversation whose files are opened."""

    reads: tuple[Read, ...]
    raw: bool
    model: str
    ignored: tuple[str, ...]

    async def run(self, on_text: Callable[[str], None]) -> Totals:
        """Reads one file after another. Raises what `Read` raises."""
        texts = PageTexts(on_text, raw=self.raw)
        totals = Totals()
        for read in self.reads:
            texts.next_document()
            totals.add((await read(texts.add)).document.pages)
        return totals


@dataclass(frozen=True, slots=True)
class AnswerContext:
    """What a request's files are opened with."""

    service: Service
    owner: str | None
    reader: DocumentReader
    stack: AsyncExitStack


async def open_answer(context: AnswerContext, request: OpenaiRequest) -> OpenedAnswer:
    """Opens all files, so that a broken one is refused before the response begins."""
    content = request.content()
    model = model_of(request.model, context.service)
    info = await context.reader.info(model)
    options, ignored = options_of(request, content, context.service.settings, info)
    reads = []
    for source in content.files:
        upload = await _upload(source, context)
        read = ReadOptions(options, request.pages)
        document = ReadRequest(upload, read, model=model)
        reads.append(await context.reader.open(document))
    return OpenedAnswer(tuple(reads), request.raw, info.model, tuple(ignored))


def pieces(text: str) -> list[str]:
    """A text as its paragraphs; joined they are the text."""
    return [piece for piece in _PARAGRAPHS.split(text) if piece]


async def _upload(source: FileSource, context: AnswerContext) -> Upload:
    settings = context.service.settings
    if source.data:
        return await stored_data(source.data, source.name, source.field, settings, context.stack)
    store = FileStore(context.service.kept)
    file = await asyncio.to_thread(store.get, source.file_id or "", context.owner)
    return await asyncio.to_thread(store.open, file, settings.runs_dir, context.stack)
