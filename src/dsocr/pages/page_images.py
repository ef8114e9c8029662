"""The image of a page as JPEG: rendered again when it is requested, cached in memory.

One format and one quality for the viewer of jobs and for the figures of every export.
"""

from __future__ import annotations

import asyncio
import io
from typing import Protocol

from cachetools import LRUCache

from dsocr.errors import BadRequest
from dsocr.pages.turn import turned
from dsocr.types import PageImage, SourcePage

JPEG_QUALITY = 88
CACHE_BYTES = 32 << 20
THUMBNAIL_WIDTH = 400
"""Up to this width a PDF page is rendered at `THUMBNAIL_DPI`, above at `SHARP_DPI`."""
THUMBNAIL_DPI, SHARP_DPI = 48.0, 300.0


PictureKey = tuple[str, int, int | None, int]
"""Document, page from 0, most pixels in a row, and degrees clockwise by which it is turned."""


class RenderedPages(Protocol):
    """A source of pages: `pages.source.DocumentFile`, or the pages of a job."""

    @property
    def num_pages(self) -> int: ...

    async def render_page(self, index: int, *, dpi: float | None) -> PageImage: ...

    def rotation(self, index: int) -> int:
        """Degrees clockwise by which page `index` was turned before it was read."""

    def source_page(self, index: int) -> SourcePage:
        """The file that page `index` is in."""


class PictureStore(Protocol):
    """Keeps pictures beyond the memory of this process. Failures of the store are no errors
    here."""

    async def get(self, key: PictureKey) -> bytes | None: ...

    async def put(self, key: PictureKey, content: bytes) -> None: ...


class PageImages:
    """Pages of any number of documents as JPEG; the most recently used are cached."""

    def __init__(self, cache_bytes: int = CACHE_BYTES, store: PictureStore | None = None) -> None:
        self._cache: LRUCache[PictureKey, bytes] = LRUCache(cache_bytes, getsizeof=len)
        self._store = store
        self._rendering = asyncio.Semaphore(1)  # leaves decoders free for the engine

    async def jpeg(
        self,
        document_id: str,
        pages: RenderedPages,
        index: int,
        *,
        dpi: float | None,
        width: int | None = None,
        rotation: int | None = None,
    ) -> bytes:
        """Page `index` of a document; `dpi` matters only when it is not cached. With a `width` the
        page is rendered for it, and has at most so many pixels in a row. It is turned clockwise by
        `rotation` degrees; None: as it was read. A caller that is cancelled while it waits renders
        nothing. Raises what rendering the page raises."""
        key = (document_id, index, width, pages.rotation(index) if rotation is None else rotation)
        if width is not None:
            dpi = THUMBNAIL_DPI if width <= THUMBNAIL_WIDTH else SHARP_DPI
        if (found := self._cache.get(key)) is not None:
            return found
        await self._rendering.acquire()
        rendering = asyncio.ensure_future(self._rendered(key, pages, dpi))
        rendering.add_done_callback(self._on_rendered)
        return await asyncio.shield(rendering)  # cancelling it would end the process that renders

    async def _rendered(self, key: PictureKey, pages: RenderedPages, dpi: float | None) -> bytes:
        if (found := self._cache.get(key)) is not None:
            return found
        content = await self._stored_or_rendered(key, pages, dpi)
        if len(content) <= self._cache.maxsize:
            self._cache[key] = content
        return content

    def _on_rendered(self, rendering: asyncio.Future[bytes]) -> None:
        self._rendering.release()
        if not rendering.cancelled():
            rendering.exception()  # its caller may have left

    async def _stored_or_rendered(
        self, key: PictureKey, pages: RenderedPages, dpi: float | None
    ) -> bytes:
        if self._store is not None and (stored := await self._store.get(key)) is not None:
            return stored
        _, index, width, rotation = key
        page = await pages.render_page(index, dpi=dpi)
        content = await asyncio.to_thread(lambda: encode_jpeg(turned(page, rotation), width))
        if self._store is not None:
            await self._store.put(key, content)
        return content

    def forget(self, document_id: str) -> None:
        for key in [key for key in self._cache if key[0] == document_id]:
            del self._cache[key]


class ExportImages:
    """Page images of one document for an export (`exports.Assets`), which runs in a thread."""

    def __init__(
        self,
        pages: RenderedPages,
        dpi: float | None,
        loop: asyncio.AbstractEventLoop,
        *,
        images: PageImages | None = None,
        document_id: str = "",
    ) -> None:
        """`images` is the cache to share, with the id of this document in it."""
        self._pages = pages
        self._dpi = dpi
        self._loop = loop
        self._images = images or PageImages()
        self._document_id = document_id

    def page_image(self, index: int) -> bytes:
        """Blocks the calling thread, which must not be the one of the event loop.

        Raises `BadRequest` for a page that the document does not have, as all methods.
        """
        self._check(index)
        image = self._images.jpeg(self._document_id, self._pages, index, dpi=self._dpi)
        return asyncio.run_coroutine_threadsafe(image, self._loop).result()

    def page_pixels(self, index: int) -> PageImage:
        """As `page_image`, without a cache."""
        self._check(index)
        image = self._pages.render_page(index, dpi=self._dpi)
        page = asyncio.run_coroutine_threadsafe(image, self._loop).result()
        return turned(page, self._pages.rotation(index))

    def source_page(self, index: int) -> SourcePage:
        self._check(index)
        return self._pages.source_page(index)

    def _check(self, index: int) -> None:
        if not 0 <= index < self._pages.num_pages:
            raise BadRequest(f"The document has no page {index + 1}.")


def encode_jpeg(page: PageImage, width: int | None = None) -> bytes:
    out = io.BytesIO()
    image = page.image
    if width is not None and image.width > width:
        image = image.resize((width, max(1, round(image.height * width / image.width))))
    image.save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()
