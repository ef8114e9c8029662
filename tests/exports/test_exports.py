from __future__ import annotations

import io
import re
import zipfile

import pypdfium2
import pytest

from dsocr.errors import BadRequest
from dsocr.exports import FORMATS, format_of, render
from dsocr.exports.needs import missing
from dsocr.exports.options import ExportOptions
from tests.exports.documents import RAW, PageImages, document, failed_page, page
from tests.exports.samples import long_document

TABLE = "\n\n<table><tr><td>a</td><td>1.5</td></tr></table>"
NEED_IMAGES = ("pdf",)
NEED_TABLES = ("xlsx", "csv")


@pytest.mark.parametrize("key", [known.key for known in FORMATS])
def test_every_listed_format_renders_with_and_without_the_page_images(key: str) -> None:
    whole = document(
        page(RAW["paper_page1"]), failed_page(1), page(RAW["equation_tags"] + TABLE, 2)
    )
    for assets in (PageImages(), *(() if key in NEED_IMAGES else (None,))):
        content = render(whole, key, assets)
        assert content == render(whole, key, assets)
        assert content.strip()
        assert not format_of(key).is_text or content.decode("utf-8")


@pytest.mark.parametrize("key", NEED_IMAGES)
def test_a_format_of_page_images_is_refused_without_the_document(key: str) -> None:
    with pytest.raises(BadRequest, match="needs the document itself"):
        render(document(page("words")), key)


@pytest.mark.parametrize("key", NEED_TABLES)
def test_a_format_of_tables_is_refused_for_a_document_without_any(key: str) -> None:
    with pytest.raises(BadRequest, match=r"paper\.pdf has no table"):
        render(document(page("words"), failed_page(1)), key, PageImages())


def test_an_unknown_format_is_refused_with_the_formats_there_are() -> None:
    with pytest.raises(BadRequest, match=", ".join(known.key for known in FORMATS)):
        render(document(), "exe")


@pytest.mark.parametrize("key", [known.key for known in FORMATS])
def test_a_long_document_is_whole_in_every_format(key: str) -> None:
    pages = 100
    content = render(long_document(pages), key, PageImages(), ExportOptions(join=True, toc=True))
    if key == "alto":
        assert content.count(b'CONTENT="Part"') == pages
    elif key == "csv":
        assert content.count(b"\r\n\r\n") == pages - 1
    elif key == "xlsx":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert sum("/worksheets/sheet" in name for name in archive.namelist()) == pages
    else:
        words = " ".join(re.sub(r"<[^>]*>|\\n|[\]\"]", " ", text_of(key, content)).split())
        assert all(f" Part {number} " in words for number in range(pages))


def text_of(key: str, content: bytes) -> str:
    if key == "pdf":
        with pypdfium2.PdfDocument(content) as written:
            return "\n".join(each.get_textpage().get_text_range() for each in written)
    member = {"zip": "document.md", "docx": "word/document.xml"}.get(key)
    if member is None:
        return content.decode()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(member).decode()


def test_what_a_result_lacks_is_found() -> None:
    whole = document(page("words without a box"), failed_page(1))
    assert missing(whole.pages, {"boxes", "tables"}) == {"boxes", "tables"}
    assert missing(long_document(2).pages, {"boxes", "tables"}) == set()
    assert missing(whole.pages, {"images"}, has_images=False) == {"images"}
    assert missing([failed_page(0)], {"boxes"}) == set()
