"""Many documents through one engine to stdout or files: what `dsocr read` does once it is told."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dsocr.batch.inputs import Input
from dsocr.cli.output import Report, duration, write_whole
from dsocr.config import Settings
from dsocr.errors import BadRequest, DsocrError, NotADocument
from dsocr.exports import render
from dsocr.host import started_host
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.signature import is_named_as_document
from dsocr.pages.source import open_document
from dsocr.pipeline.events import PageDone, PageEvent
from dsocr.pipeline.page_ranges import page_indices
from dsocr.pipeline.pipeline import PageSource, Pipeline, all_or_none, check_options
from dsocr.types import Document, OcrOptions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """How every document of one `dsocr read` is read."""

    options: OcrOptions
    format: str
    pages: str | None
    dpi: float | None
    password: str | None


@dataclass(slots=True)
class Tally:
    """How it went."""

    documents: int = 0
    pages: int = 0
    failed: int = 0
    """Documents that are not there, not whole, or could not be written."""
    skipped: int = 0
    """Files of a folder that are no documents, nor named as such."""
    left_out: int = 0
    """Documents whose outputs were there already."""
    began: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        seconds = time.monotonic() - self.began
        words = [
            f"{counted(self.documents, 'document')}, {counted(self.pages, 'page')} "
            f"in {duration(seconds)} ({self.pages / max(seconds, 1e-3):.2f} pages/s)"
        ]
        if self.failed:
            words.append(f"{self.failed} failed")
        if self.left_out:
            words.append(f"{self.left_out} left out, whose output was there already")
        if self.skipped:
            words.append(f"{counted(self.skipped, 'other file')} skipped")
        return "; ".join(words)


async def read_all(
    inputs: Sequence[Input],
    targets: Sequence[Path] | None,
    order: Order,
    *,
    settings: Settings,
    report: Report,
) -> Tally:
    """Reads them side by side as far as the engine likes; to stdout in order without `targets`.

    A document that cannot be read is reported and counted; the others go on.
    """
    async with started_host(settings.host_config()) as host:
        pipeline, info = await host.pipeline(0)
        check_options(order.options, info)
        report.say(f"{info.name} ({info.model}, {info.device}) reads: {host.selection.reason}.")
        dpi = order.dpi or info.dpi
        work = _Work(pipeline, host.sandbox, order, dpi, report, Tally())
        printer = _Printer(report)
        upcoming = iter(enumerate(inputs))

        async def one_after_another() -> None:
            for place, entry in upcoming:
                content = await work.read(entry, targets[place] if targets else None)
                if targets is None:
                    await printer.print(place, content)

        side_by_side = min(len(inputs), info.max_concurrency + 1)
        await all_or_none([one_after_another() for _ in range(side_by_side)])
        return work.tally


@dataclass(frozen=True, slots=True)
class _Work:
    pipeline: Pipeline
    sandbox: Sandbox
    order: Order
    dpi: float
    report: Report
    tally: Tally

    async def read(self, entry: Input, target: Path | None) -> bytes | None:
        """The document's export, written to `target` if there is one; None when it failed."""
        began = time.monotonic()
        try:
            document, content = await self._export(entry)
            if target is not None:
                await asyncio.to_thread(write_whole, target, content)
        except DsocrError as error:
            if isinstance(error, NotADocument) and not _is_expected(entry):
                self.tally.skipped += 1
                return None
            self._failed(f"{entry}: {error.message}")
            return None
        except Exception:
            log.exception("a bug while reading %s", entry)
            self._failed(f"{entry}: something went wrong inside; see the log above")
            return None
        self.tally.documents += 1
        whole = self._tell_of_failed_pages(entry, document)
        if target is not None and whole:
            seconds = duration(time.monotonic() - began)
            pages = counted(len(document.pages), "page")
            self.report.say(f"{entry} -> {target} ({pages}, {seconds})")
        return content

    async def _export(self, entry: Input) -> tuple[Document, bytes]:
        try:
            _check_readable(entry.path)
            source = await open_document(
                entry.path,
                name=entry.below.name,
                sandbox=self.sandbox,
                password=self.order.password,
            )
        except DsocrError:
            self.report.opened(0)
            raise
        try:
            document = await self._read_pages(source)
            images = _PageImages(source, self.dpi, asyncio.get_running_loop())
            return document, await asyncio.to_thread(render, document, self.order.format, images)
        finally:
            await source.close()

    async def _read_pages(self, source: PageSource) -> Document:
        text = self.order.pages
        pages = page_indices(text, source.num_pages) if text else range(source.num_pages)
        self.report.opened(len(pages))
        document = await self.pipeline.run(
            source, self.order.options, pages=pages, dpi=self.dpi, on_event=self._watch
        )
        failures = [page.error for page in document.pages]
        if failures and all(failures) and failures[0] is not None:
            raise BadRequest(failures[0].message)
        return document

    def _watch(self, event: PageEvent) -> None:
        if isinstance(event, PageDone):
            self.tally.pages += event.page.error is None
            self.report.page_done()

    def _tell_of_failed_pages(self, entry: Input, document: Document) -> bool:
        failed = [page for page in document.pages if page.error]
        for page in failed:
            assert page.error is not None
            self.report.complain(f"{entry}: page {page.index + 1}: {page.error.message}")
        self.tally.failed += bool(failed)
        return not failed

    def _failed(self, line: str) -> None:
        self.tally.failed += 1
        self.report.complain(line)


class _Printer:
    """Documents to stdout in the order they were asked for, whenever they are done."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._place = 0
        self._moved = asyncio.Condition()

    async def print(self, place: int, content: bytes | None) -> None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._place == place)
            if content is not None:
                with self._report.aside():
                    sys.stdout.buffer.write(content)
                    sys.stdout.buffer.flush()
            self._place += 1
            self._moved.notify_all()


class _PageImages:
    """Page images for an export, rendered again when it asks: it runs in a thread of its own."""

    def __init__(self, source: PageSource, dpi: float, loop: asyncio.AbstractEventLoop) -> None:
        self._source = source
        self._dpi = dpi
        self._loop = loop

    def page_image(self, index: int) -> bytes:
        page = self._source.render_page(index, dpi=self._dpi)
        rendered = asyncio.run_coroutine_threadsafe(page, self._loop).result()
        file = io.BytesIO()
        rendered.image.save(file, "PNG", compress_level=1)
        return file.getvalue()


def _is_expected(entry: Input) -> bool:
    """Somebody would miss it: an empty scan.jpg is a scan that went wrong, a notes.txt is not."""
    return entry.named or is_named_as_document(entry.below)


def _check_readable(path: Path) -> None:
    """The decoding process could not say why it cannot open a file."""
    try:
        path.open("rb").close()
    except OSError as error:
        raise BadRequest(error.strerror or "it cannot be read") from error


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
