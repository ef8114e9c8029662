from __future__ import annotations

import io
import re
import zipfile

import pytest

from dsocr.errors import BadRequest
from dsocr.exports import FORMATS, render
from dsocr.exports.needs import missing
from dsocr.exports.options import ExportOptions
from tests.exports.documents import RAW, PageImages, document, failed_page, page
from tests.exports.samples import long_document


@pytest.mark.parametrize("key", [known.key for known in FORMATS])
def test_every_listed_format_renders_with_and_without_the_page_images(key: str) -> None:
    whole = document(page(RAW["paper_page1"]), failed_page(1), page(RAW["equation_tags"], 2))
    for assets in (PageImages(), None):
        content = render(whole, key, assets)
        assert content == render(whole, key, assets)
        assert content.strip()


def test_an_unknown_format_is_refused_with_the_formats_there_are() -> None:
    with pytest.raises(BadRequest, match=", ".join(known.key for known in FORMATS)):
        render(document(), "exe")


@pytest.mark.parametrize("key", [known.key for known in FORMATS])
def test_a_long_document_is_whole_in_every_format(key: str) -> None:
    pages = 300
    content = render(long_document(pages), key, PageImages(), ExportOptions(join=True, toc=True))
    if key == "zip":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = archive.read("document.md")
    if key == "alto":
        assert content.count(b'CONTENT="Part"') == pages
        return
    words = " ".join(re.sub(r"<[^>]*>|\\n|[\]\"]", " ", content.decode()).split())
    assert all(f" Part {number} " in words for number in range(pages))


def test_what_a_result_lacks_is_found() -> None:
    whole = document(page("words without a box"), failed_page(1))
    assert missing(whole.pages, {"boxes", "tables"}) == {"boxes", "tables"}
    assert missing(long_document(2).pages, {"boxes", "tables"}) == set()
    assert missing(whole.pages, {"images"}, has_images=False) == {"images"}
    assert missing([failed_page(0)], {"boxes"}) == set()
