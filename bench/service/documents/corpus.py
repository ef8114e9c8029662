"""The files that the service is given: made once, the same on every machine."""

from __future__ import annotations

import json
import multiprocessing
import os
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from bench.pages.synthetic import page_picture
from bench.service.documents.born_digital import born_digital_pdf, compressed_page
from bench.service.documents.pdf_writer import A4, PdfWriter

SCAN_SIZE = (1654, 2339)
"""Pixels of an A4 page scanned at 200 dpi."""
PAGES_OF_A_SMALL_PDF = 3
"""At most."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Files by kind, each with its number of pages."""

    images: dict[Path, int]
    """JPEGs of 1200 x 1600 pixels."""
    scanned: dict[Path, int]
    """One PDF of scans."""
    born_digital: dict[Path, int]
    """One PDF of text and vectors."""
    small: dict[Path, int]
    """JPEGs, PNGs and PDFs of both kinds, of one to three pages."""


def make_corpus(folder: Path, *, pages: int, small: int) -> Corpus:
    """Makes the files in a folder, or finds them there from an earlier call."""
    target = folder / f"corpus-{pages}-{small}"
    index = target / "index.json"
    if not index.exists():
        target.mkdir(parents=True, exist_ok=True)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
            made = _write_all(target, pool, pages, small)
        index.write_text(json.dumps(made))
    listed: dict[str, dict[str, int]] = json.loads(index.read_text())
    return Corpus(
        **{kind: {target / name: n for name, n in files.items()} for kind, files in listed.items()}
    )


def small_kind(number: int) -> tuple[str, int]:
    """Kind and pages of one small file. Of ten: four JPEGs, two PNGs, two PDFs of each kind."""
    kind = ("jpg", "jpg", "scan", "jpg", "png", "born", "jpg", "scan", "png", "born")[number % 10]
    return kind, 1 if kind in ("jpg", "png") else 1 + number % PAGES_OF_A_SMALL_PDF


def scanned_pdf(scans: Iterable[bytes]) -> bytes:
    """A PDF with one JPEG of `SCAN_SIZE` on each page."""
    writer = PdfWriter()
    width, height = SCAN_SIZE
    entries = (
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} "
        "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode"
    )
    draw = zlib.compress(f"q {A4[0]} 0 0 {A4[1]} 0 0 cm /Im1 Do Q".encode())
    for scan in scans:
        writer.add_page(draw, f"/XObject << /Im1 {writer.add_stream(scan, entries)} 0 R >>")
    return writer.content()


def jpeg(number: int) -> bytes:
    return _saved(page_picture(number), "JPEG", quality=85)


def png(number: int) -> bytes:
    """On clean paper, as programs draw pages."""
    return _saved(page_picture(number).point(lambda value: value if value < 200 else 255), "PNG")


def scan(number: int) -> bytes:
    """A JPEG of `SCAN_SIZE`."""
    return _saved(page_picture(number).resize(SCAN_SIZE), "JPEG", quality=80)


def _saved(picture: Image.Image, format: str, **options: int) -> bytes:
    out = BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def _write_all(target: Path, pool: Executor, pages: int, small: int) -> dict[str, dict[str, int]]:
    """File names and their pages, by kind."""
    images = _write_each(target, pool.map(jpeg, range(pages), chunksize=4), "image", "jpg")
    scans = list(pool.map(scan, range(pages), chunksize=4))
    (target / "scanned.pdf").write_bytes(scanned_pdf(scans))
    streams = list(pool.map(compressed_page, range(pages), chunksize=4))
    (target / "born-digital.pdf").write_bytes(born_digital_pdf(streams))
    numbers = range(small)
    (target / "small").mkdir(exist_ok=True)
    found = {}
    for number, content in zip(numbers, pool.map(small_file, numbers, chunksize=4), strict=True):
        kind, count = small_kind(number)
        name = f"small/{number:04}.{kind if kind in ('jpg', 'png') else 'pdf'}"
        (target / name).write_bytes(content)
        found[name] = count
    return {
        "images": images,
        "scanned": {"scanned.pdf": pages},
        "born_digital": {"born-digital.pdf": pages},
        "small": found,
    }


def small_file(number: int) -> bytes:
    """The content of one small file, see `small_kind`."""
    kind, count = small_kind(number)
    numbers = range(10_000 + 3 * number, 10_000 + 3 * number + count)
    makers: dict[str, Callable[[], bytes]] = {
        "jpg": lambda: jpeg(numbers[0]),
        "png": lambda: png(numbers[0]),
        "scan": lambda: scanned_pdf(map(scan, numbers)),
        "born": lambda: born_digital_pdf([compressed_page(one) for one in numbers]),
    }
    return makers[kind]()


def _write_each(
    target: Path, contents: Iterable[bytes], name: str, extension: str
) -> dict[str, int]:
    found = {}
    for number, content in enumerate(contents):
        file = f"{name}-{number:04}.{extension}"
        (target / file).write_bytes(content)
        found[file] = 1
    return found
