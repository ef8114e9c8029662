"""Page images of jobs: rendered again from the stored file when somebody looks, never stored."""

from __future__ import annotations

import asyncio
import io
from collections import OrderedDict

from dsocr.engines.base import EngineInfo
from dsocr.jobs.files import JobFiles
from dsocr.jobs.job import Job, JobPage
from dsocr.jobs.source import JobSource
from dsocr.pages.sandbox import Sandbox
from dsocr.types import PageImage

JPEG_QUALITY = 88
CACHE_BYTES = 32 << 20
DEFAULT_DPI = 144


class PageImages:
    """The pages as the engine saw them, as JPEG; those looked at last are kept at hand."""

    def __init__(self, files: JobFiles, sandbox: Sandbox) -> None:
        self._files = files
        self._sandbox = sandbox
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._bytes = 0
        self._rendering = asyncio.Semaphore(1)  # a reader who leafs must not crowd out the engine

    async def jpeg(self, job: Job, page: JobPage, info: EngineInfo | None) -> bytes:
        """Raises what opening the file and rendering the page raise."""
        key = (job.id, page.index)
        if key not in self._kept:
            async with self._rendering:
                if key not in self._kept:
                    self._keep(key, await self._render(job, page, info))
        self._kept.move_to_end(key)
        return self._kept[key]

    def forget(self, job_id: str) -> None:
        for key in [key for key in self._kept if key[0] == job_id]:
            self._bytes -= len(self._kept.pop(key))

    async def _render(self, job: Job, page: JobPage, info: EngineInfo | None) -> bytes:
        source = JobSource(job, [page], files=self._files, sandbox=self._sandbox)
        dpi = job.dpi or (info.dpi if info else DEFAULT_DPI)
        return await asyncio.to_thread(_jpeg, await source.render_page(page.index, dpi=dpi))

    def _keep(self, key: tuple[str, int], content: bytes) -> None:
        self._kept[key] = content
        self._bytes += len(content)
        while self._bytes > CACHE_BYTES and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest)


def _jpeg(page: PageImage) -> bytes:
    out = io.BytesIO()
    page.image.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
