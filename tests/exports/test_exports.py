from __future__ import annotations

import pytest

from dsocr.errors import BadRequest
from dsocr.exports import FORMATS, render
from tests.exports.documents import RAW, PageImages, document, failed_page, page


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
