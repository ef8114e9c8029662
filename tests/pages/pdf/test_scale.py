"""Small PDF pages, rendered as large as their content needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.pages.sandbox import Sandbox
from tests.pages import made
from tests.pages.pdf.test_file import first_page, opened


def sheet(width: int, height: int) -> str:
    return f"/MediaBox [0 0 {width} {height}]"


def scan(width: int, height: int) -> bytes:
    """A page of that size in points under an image of 612 x 792 pixels."""
    return made.scan_pdf("", "words", 72, 500, size=(width, height))


async def test_a_small_page_takes_the_resolution_of_its_image(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    page = await first_page(tmp_path, scan(77, 100), sandbox)
    assert (page.width, page.height) == pytest.approx((612, 792), abs=4)
    assert page.dpi == pytest.approx(572, abs=4)


async def test_a_large_page_keeps_the_usual_resolution(tmp_path: Path, sandbox: Sandbox) -> None:
    page = await first_page(tmp_path, scan(612, 792), sandbox)
    assert (page.width, page.height, page.dpi) == (1224, 1584, 144)


async def test_small_type_on_a_small_page_is_enlarged(tmp_path: Path, sandbox: Sandbox) -> None:
    tiny = made.words("a line of small type", 5, 50, size=2)
    page = await first_page(tmp_path, made.pdf(tiny, page=sheet(100, 100)), sandbox)
    assert page.dpi is not None and page.dpi > 500


async def test_a_small_page_stays_within_the_pixels_of_a_large_one(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    tiny = made.words("a line of tiny type", 5, 50, size=1)
    page = await first_page(tmp_path, made.pdf(tiny, page=sheet(300, 300)), sandbox)
    assert page.width * page.height <= 1_500_000 + page.width + page.height


async def test_a_requested_resolution_is_kept_on_a_small_page(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    async with await opened(tmp_path, scan(72, 72), sandbox) as source:
        page = await source.render_page(0, dpi=144)
    assert (page.width, page.height, page.dpi) == (144, 144, 144)
