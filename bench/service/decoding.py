"""Decoding alone, by as many processes as there are cores: what no service can exceed on them."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium

from dsocr.pages.image import ImageFile
from dsocr.pages.pdf.file import DEFAULT_DPI, POINTS_PER_INCH, PdfFile
from dsocr.pages.signature import file_type
from dsocr.types import PageImage, RawPixels

MAX_PIXELS = 60_000_000
POOL_SECONDS = 600
"""That all pages of a call may take."""

Page = tuple[Path, int]
_open_files: dict[tuple[Path, Callable[[Path], Any]], Any] = {}
"""Of this process: the last file stays open for its next page."""


def page_list(files: Mapping[Path, int]) -> list[Page]:
    """All pages of these files, given with their number of pages."""
    return [(path, index) for path, count in files.items() for index in range(count)]


def decoding_pool() -> ProcessPoolExecutor:
    """As many processes as cores, all of them started and with their imports done."""
    count = os.cpu_count() or 1
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=spawn)
    list(pool.map(time.sleep, [0.5] * count, timeout=POOL_SECONDS))
    return pool


def decoded(page: Page) -> PageImage:
    """The page as the service's decoding processes make it, with its text layer."""
    path, index = page
    page_image: PageImage = _opened(path, _document).render_page(index, dpi=DEFAULT_DPI)
    copied = RawPixels(page_image.width, page_image.height, bytearray(page_image.image.tobytes()))
    return replace(page_image, pixels=copied)  # what pdfium made cannot be sent to another process


@dataclass(frozen=True, slots=True)
class Speed:
    """Of decoding by all processes of a pool."""

    pages: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Pages a second."""
        return self.pages / self.seconds

    def plus(self, other: Speed) -> Speed:
        """Both as one."""
        seconds, cpu_seconds = self.seconds + other.seconds, self.cpu_seconds + other.cpu_seconds
        return Speed(self.pages + other.pages, seconds, cpu_seconds)


def decoding_speed(pool: Executor, pages: list[Page]) -> Speed:
    """Pages decoded with their text layer."""
    return _speed(pool, _decode, pages)


def pdfium_speed(pool: Executor, pages: list[Page]) -> Speed:
    """Pages that pdfium alone renders: no text layer, no copy of the pixels."""
    return _speed(pool, _render, pages)


def spread(pages: list[Page], count: int) -> list[Page]:
    """At most so many of them, evenly spread."""
    return pages[:: max(1, -(-len(pages) // count))]


def seconds_of_decoding(pages: Iterable[Page]) -> list[float]:
    """Of each page, in this process, opening its file included."""
    times: list[float] = []
    for page in pages:
        _open_files.clear()
        began = time.perf_counter()
        decoded(page)
        times.append(time.perf_counter() - began)
    return times


def _speed(pool: Executor, work: Callable[[Page], float], pages: list[Page]) -> Speed:
    began = time.perf_counter()
    cpu_seconds = sum(pool.map(work, pages, timeout=POOL_SECONDS))
    return Speed(len(pages), time.perf_counter() - began, cpu_seconds)


def _decode(page: Page) -> float:
    """CPU seconds."""
    began = time.process_time()
    decoded(page)
    return time.process_time() - began


def _render(page: Page) -> float:
    """CPU seconds."""
    began = time.process_time()
    path, index = page
    opened = _opened(path, pdfium.PdfDocument)[index]
    opened.render(scale=DEFAULT_DPI / POINTS_PER_INCH, rev_byteorder=True, prefer_bgrx=False)
    opened.close()
    return time.process_time() - began


def _document(path: Path) -> Any:
    found = file_type(path)
    if found.kind == "pdf":
        return PdfFile(path, password=None, max_pixels=MAX_PIXELS)
    return ImageFile(path, decoder=found.decoder, max_pixels=MAX_PIXELS)


def _opened(path: Path, open_file: Callable[[Path], Any]) -> Any:
    key = (path, open_file)
    if key not in _open_files:
        _open_files.clear()
        _open_files[key] = open_file(path)
    return _open_files[key]
