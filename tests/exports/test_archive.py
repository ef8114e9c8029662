from __future__ import annotations

import io
import json
import re
import zipfile
from functools import partial

from PIL import Image

from dsocr import exports
from tests.exports.documents import RAW, SIZE, PageImages, document, page

render = partial(exports.render, format="zip")


def opened(content: bytes) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(content))


def test_every_figure_the_markdown_links_lies_in_the_archive() -> None:
    names = ["paper_page1", "multi_box_image", "degenerate_boxes", "out_of_range"]
    whole = document(*(page(RAW[name], index) for index, name in enumerate(names)))
    archive = opened(render(whole, assets=PageImages()))
    linked = re.findall(r"!\[\]\((.*?)\)", archive.read("document.md").decode())
    assert linked
    assert sorted(archive.namelist()) == sorted(["document.md", "document.json", *linked])
    assert len(json.loads(archive.read("document.json"))["pages"]) == len(names)


def test_a_figure_is_the_part_of_the_page_its_box_shows() -> None:
    raw = "<|ref|>image<|/ref|><|det|>[[600, 100, 900, 300]]<|/det|>"
    archive = opened(render(document(page(raw)), assets=PageImages()))
    with Image.open(io.BytesIO(archive.read("images/0_0.jpg"))) as figure:
        assert figure.size == (811 - 541, 383 - 127)
        red, _, blue = figure.convert("RGB").getpixel((5, 5))
        assert blue > 200 > 50 > red


def test_a_sliver_of_a_box_still_gives_a_figure() -> None:
    raw = "<|ref|>image<|/ref|><|det|>[[998.9, 0, 999, 999]]<|/det|>"
    archive = opened(render(document(page(raw)), assets=PageImages()))
    with Image.open(io.BytesIO(archive.read("images/0_0.jpg"))) as figure:
        assert figure.size == (1, SIZE[1])


def test_equal_documents_give_equal_archives_without_a_date() -> None:
    whole = document(page(RAW["paper_page1"]))
    assert render(whole, assets=PageImages()) == render(whole, assets=PageImages())
    entries = opened(render(whole, assets=PageImages())).infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


def test_no_name_in_the_archive_comes_from_the_document() -> None:
    raw = "![](../../etc/passwd)\n\n![](/abs.jpg)\n\n" + RAW["paper_page1"]
    archive = opened(render(document(page(raw), name="../../evil.pdf"), assets=PageImages()))
    assert set(archive.namelist()) == {"document.md", "document.json", "images/0_0.jpg"}


def test_a_page_without_figures_is_never_decoded() -> None:
    images = PageImages()
    render(document(page("words"), page(RAW["multi_box_image"], 1)), assets=images)
    assert images.asked == [1]
