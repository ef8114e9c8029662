from __future__ import annotations

import pytest

from dsocr.errors import BadRequest
from dsocr.exports import FORMATS, render
from tests.exports.documents import RAW, PageImages, document, failed_page, page

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


@pytest.mark.parametrize("key", NEED_IMAGES)
def test_a_format_of_page_images_is_refused_without_the_document(key: str) -> None:
    with pytest.raises(BadRequest, match="needs the document"):
        render(document(page("words")), key)


@pytest.mark.parametrize("key", NEED_TABLES)
def test_a_format_of_tables_is_refused_for_a_document_without_any(key: str) -> None:
    with pytest.raises(BadRequest, match=r"paper\.pdf has no table"):
        render(document(page("words"), failed_page(1)), key, PageImages())


def test_an_unknown_format_is_refused_with_the_formats_there_are() -> None:
    with pytest.raises(BadRequest, match=", ".join(known.key for known in FORMATS)):
        render(document(), "exe")
