"""The documents that the service is given."""

from __future__ import annotations

import zlib
from pathlib import Path

from PIL import Image

from bench.service.decoding import decoded, page_list, spread
from bench.service.documents import corpus
from bench.service.documents.born_digital import born_digital_pdf, compressed_page, page_operators
from dsocr.pages.pdf.file import PdfFile
from dsocr.types import PageImage


def rendered(path: Path, index: int = 0) -> PageImage:
    file = PdfFile(path, password=None, max_pixels=10_000_000)
    try:
        return file.render_page(index, dpi=144)
    finally:
        file.close()


def test_a_born_digital_page_has_thousands_of_operators_and_an_embedded_font(
    tmp_path: Path,
) -> None:
    path = tmp_path / "printed.pdf"
    path.write_bytes(born_digital_pdf([compressed_page(0), compressed_page(1)]))

    page = rendered(path, 1)

    assert len(page_operators(1).split(b"\n")) > 2000
    assert (page.width, page.height) == (1191, 1684)
    assert page.image_share == 0
    assert page.text_lines is not None
    assert len(page.text_lines) > 100
    assert b"/FontFile2" in path.read_bytes()


def test_the_text_of_a_born_digital_page_is_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "printed.pdf"
    path.write_bytes(born_digital_pdf([compressed_page(3)]))
    heading = page_operators(3).decode().split("(", 1)[1].split(")", 1)[0]

    lines = rendered(path).text_lines

    assert lines is not None
    assert lines[0].text == heading


def test_pages_differ_and_a_page_is_always_the_same() -> None:
    assert page_operators(1) == page_operators(1)
    assert page_operators(1) != page_operators(2)
    assert zlib.decompress(compressed_page(1)) == page_operators(1)


def test_a_scanned_pdf_is_pictures_without_text(tmp_path: Path) -> None:
    path = tmp_path / "scanned.pdf"
    path.write_bytes(corpus.scanned_pdf([corpus.scan(0), corpus.scan(1)]))

    page = rendered(path, 1)

    assert page.text_lines == ()
    assert page.image_share == 1
    darkest, _ = page.image.convert("L").getextrema()
    assert isinstance(darkest, int)
    assert darkest < 100


def test_of_ten_small_files_four_are_jpegs_and_each_other_kind_has_two() -> None:
    kinds = [corpus.small_kind(number) for number in range(300)]

    assert sorted(kind for kind, _ in kinds[:10]) == sorted(
        ["jpg"] * 4 + ["png"] * 2 + ["scan"] * 2 + ["born"] * 2
    )
    assert {pages for kind, pages in kinds if kind in ("scan", "born")} == {1, 2, 3}
    assert {pages for kind, pages in kinds if kind in ("jpg", "png")} == {1}


def test_files_are_made_once_and_found_again(tmp_path: Path) -> None:
    made = corpus.make_corpus(tmp_path, pages=1, small=5)
    written = {path: path.stat().st_mtime_ns for path in made.small}

    found = corpus.make_corpus(tmp_path, pages=1, small=5)

    assert found == made
    assert {path: path.stat().st_mtime_ns for path in found.small} == written
    assert [count for count in found.small.values()] == [
        corpus.small_kind(number)[1] for number in range(5)
    ]
    with Image.open(next(iter(found.images))) as image:
        assert image.size == (1200, 1600)


def test_decoding_alone_reads_every_page_of_every_kind(tmp_path: Path) -> None:
    made = corpus.make_corpus(tmp_path, pages=1, small=5)
    pages = page_list(made.small)

    sizes = [decoded(page).image.size for page in pages]

    assert len(sizes) == sum(made.small.values())
    assert set(sizes) == {(1200, 1600), (1191, 1684)}
    assert spread(pages, 2) == pages[:: -(-len(pages) // 2)]
