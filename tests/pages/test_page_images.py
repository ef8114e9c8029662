"""Page images: rendered once, cached by bytes, one quality for the viewer and for exports."""

from __future__ import annotations

import asyncio
import io

import pytest
from PIL import Image

from dsocr.errors import BadRequest
from dsocr.pages.page_images import ExportImages, PageImages, encode_jpeg
from dsocr.types import PageImage


class Pages:
    """A document of gray pages that records which were rendered."""

    num_pages = 3

    def __init__(self) -> None:
        self.rendered: list[int] = []

    def rotation(self, index: int) -> int:
        return 0

    async def render_page(self, index: int, *, dpi: float) -> PageImage:
        self.rendered.append(index)
        image = Image.new("RGB", (60, 40), (80 * index,) * 3)
        return PageImage(index, image, 60, 40, dpi)


class SlowPages(Pages):
    """Renders when `go_on` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def render_page(self, index: int, *, dpi: float) -> PageImage:
        self.begun.set()
        await self.go_on.wait()
        return await super().render_page(index, dpi=dpi)


async def jpeg_size() -> int:
    return len(encode_jpeg(await Pages().render_page(0, dpi=72)))


async def test_a_page_is_rendered_once_for_all_who_request_it_at_once() -> None:
    images, pages = PageImages(), Pages()
    contents = await asyncio.gather(*(images.jpeg("a", pages, 1, dpi=72) for _ in range(5)))
    assert pages.rendered == [1]
    assert len(set(contents)) == 1
    with Image.open(io.BytesIO(contents[0])) as opened:
        assert (opened.format, opened.size) == ("JPEG", (60, 40))


async def test_the_least_recently_used_page_leaves_a_full_cache() -> None:
    images, pages = PageImages(cache_bytes=int(2.5 * await jpeg_size())), Pages()
    for index in (0, 1, 0, 2, 0, 1):
        await images.jpeg("a", pages, index, dpi=72)
    assert pages.rendered == [0, 1, 2, 1]


async def test_a_page_larger_than_the_cache_is_rendered_each_time() -> None:
    images, pages = PageImages(cache_bytes=10), Pages()
    for _ in range(2):
        assert await images.jpeg("a", pages, 0, dpi=72)
    assert pages.rendered == [0, 0]


async def test_a_forgotten_document_leaves_the_others_cached() -> None:
    images, pages = PageImages(), Pages()
    for document in ("a", "b"):
        await images.jpeg(document, pages, 0, dpi=72)
    images.forget("a")
    for document in ("a", "b"):
        await images.jpeg(document, pages, 0, dpi=72)
    assert pages.rendered == [0, 0, 0]


async def test_a_cancelled_caller_renders_nothing_and_does_not_stop_a_rendering() -> None:
    images, pages = PageImages(), SlowPages()
    first, second = (asyncio.ensure_future(images.jpeg("a", pages, i, dpi=72)) for i in (0, 1))
    await pages.begun.wait()
    await asyncio.sleep(0)
    for caller in (first, second):
        caller.cancel()
    await asyncio.wait([first, second])
    pages.go_on.set()
    assert await images.jpeg("a", pages, 2, dpi=72)  # after the first has ended
    assert await images.jpeg("a", pages, 0, dpi=72)
    assert pages.rendered == [0, 2]


async def test_an_export_gets_the_bytes_of_the_viewer_from_the_same_cache() -> None:
    images, pages = PageImages(), Pages()
    viewed = await images.jpeg("a", pages, 2, dpi=72)
    assets = ExportImages(pages, 72, asyncio.get_running_loop(), images=images, document_id="a")
    assert await asyncio.to_thread(assets.page_image, 2) == viewed
    assert pages.rendered == [2]


async def test_a_page_that_the_document_lacks_is_refused() -> None:
    assets = ExportImages(Pages(), 72, asyncio.get_running_loop())
    with pytest.raises(BadRequest, match="no page 4"):
        await asyncio.to_thread(assets.page_image, 3)
