"""All pages of a job, from all its files, as one source."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from dsocr.jobs.files import JobFiles
from dsocr.jobs.job import Job, JobPage
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.signature import file_type
from dsocr.pages.source import DocumentFile, open_document
from dsocr.types import PageImage, SourcePage


class JobSource:
    """Opens each file at the first page needed from it. Indices are of the job, from 0."""

    def __init__(
        self, job: Job, pages: Sequence[JobPage], *, files: JobFiles, sandbox: Sandbox
    ) -> None:
        self.name = job.name
        self._job = job
        self._pages = {page.index: page for page in pages}
        self._files = files
        self._sandbox = sandbox
        self._open: dict[int, DocumentFile] = {}
        self._media_types: dict[int, str] = {}
        self._opening: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def num_pages(self) -> int:
        return self._job.pages_total

    async def render_page(self, index: int, *, dpi: float | None) -> PageImage:
        """The page as it is in its file, not turned."""
        page = self._pages[index]
        async with self._opening[page.file]:
            source = self._open.get(page.file) or await self._open_file(page.file)
        self._files.touch(self._job.id, page.file)
        image = await source.render_page(page.file_page, dpi=dpi)
        return dataclasses.replace(image, index=index)

    def source_page(self, index: int) -> SourcePage:
        """Where page `index` is. May fetch the file: call this in a thread. Raises `BadRequest`
        when the file cannot be read."""
        page = self._pages[index]
        path = self._files.path(self._job.id, page.file)
        if page.file not in self._media_types:
            self._media_types[page.file] = file_type(path).media_type
        password = self._job.files[page.file].password
        media_type = self._media_types[page.file]
        return SourcePage(path, media_type, page.file_page, password, page.rotation)

    def rotation(self, index: int) -> int:
        """Degrees clockwise by which page `index` was turned for its present reading."""
        return self._pages[index].rotation

    async def close(self) -> None:
        for source in self._open.values():
            await source.close()

    async def _open_file(self, number: int) -> DocumentFile:
        file = self._job.files[number]
        source = await open_document(
            await asyncio.to_thread(self._files.path, self._job.id, number),
            name=file.name,
            sandbox=self._sandbox,
            password=file.password,
        )
        self._open[number] = source
        return source
