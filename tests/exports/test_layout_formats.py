"""hOCR and ALTO, read by parsers of their kind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from dsocr.errors import BadRequest
from dsocr.exports import render
from dsocr.types import Document
from tests.exports.documents import SIZE, document, page
from tests.exports.samples import ARABIC, long_document, report

SCHEMAS = Path(__file__).parents[1] / "data" / "schemas"
XHTML = "{http://www.w3.org/1999/xhtml}"
ALTO = "{http://www.loc.gov/standards/alto/ns-v4#}"
INSIDE = {
    "ocr_page": "body",
    "ocr_carea": "ocr_page",
    "ocr_photo": "ocr_page",
    "ocr_par": "ocr_carea",
    "ocr_line": "ocr_par",
    "ocrx_word": "ocr_line",
}


def parsed(whole: Document, format: str) -> Any:
    return etree.fromstring(render(whole, format))


def by_class(root: Any, name: str) -> list[Any]:
    return [each for each in root.iter() if each.get("class") == name]


def bbox(element: Any) -> list[int]:
    found = re.search(r"bbox (\d+) (\d+) (\d+) (\d+)", element.get("title"))
    assert found
    return [int(side) for side in found.groups()]


@pytest.fixture(scope="module")
def hocr() -> Any:
    return parsed(report(), "hocr")


def test_hocr_has_pages_areas_paragraphs_lines_and_words(hocr: Any) -> None:
    ids = [each.get("id") for each in hocr.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for each in hocr.iter():
        if (name := each.get("class")) is not None:
            parent = each.getparent()
            assert INSIDE[name] in (parent.get("class"), parent.tag.removeprefix(XHTML))
            x0, y0, x1, y1 = bbox(each)
            assert 0 <= x0 <= x1 <= SIZE[0] and 0 <= y0 <= y1 <= SIZE[1]
    assert [bbox(each) for each in by_class(hocr, "ocr_page")] == [[0, 0, *SIZE]] * 3
    assert len(by_class(hocr, "ocr_photo")) == 2


def test_hocr_tells_confidence_language_and_direction(hocr: Any) -> None:
    words = {each.text: each for each in reversed(by_class(hocr, "ocrx_word"))}
    assert "x_wconf 97" in words["Report"].get("title")
    assert "x_wconf" not in words["second"].get("title")
    line = words[ARABIC.split()[0]].getparent()
    assert line.get("dir") == "rtl" and line.getparent().get("lang") == "ar"
    assert bbox(words["2024"])[2] <= bbox(words[ARABIC.split()[0]])[0]


def test_characters_that_xml_does_not_have_are_left_out(hocr: Any) -> None:
    assert "x²." in [each.text for each in by_class(hocr, "ocrx_word")]


def alto_schema() -> Any:
    class Local(etree.Resolver):
        def resolve(self, url: str, id: str, context: object) -> Any:
            if url.endswith("xlink.xsd"):
                return self.resolve_filename(str(SCHEMAS / "xlink.xsd"), context)
            return None

    parser = etree.XMLParser()
    parser.resolvers.add(Local())
    return etree.XMLSchema(etree.parse(str(SCHEMAS / "alto-4-4.xsd"), parser))


def test_alto_is_valid_against_the_official_schema() -> None:
    schema = alto_schema()
    for whole in (report(), long_document(3)):
        schema.assertValid(parsed(whole, "alto"))


def test_alto_has_every_word_at_its_place() -> None:
    root = parsed(report(), "alto")
    first, second, failed = root.iter(f"{ALTO}Page")
    words = [each.get("CONTENT") for each in first.iter(f"{ALTO}String")]
    assert words[:2] == ["A", "Report"] and words[-3:] == ["beside", "all", "blocks"]
    assert len(list(first.iter(f"{ALTO}Illustration"))) == 1
    assert "Report" in [each.get("CONTENT") for each in second.iter(f"{ALTO}String")]
    assert not list(failed.iter(f"{ALTO}String"))
    directions = {each.get("BASEDIRECTION") for each in root.iter(f"{ALTO}TextLine")}
    assert directions == {"ltr", "rtl"}


@pytest.mark.parametrize("format", ["hocr", "alto"])
def test_a_result_without_places_cannot_be_a_file_of_places(format: str) -> None:
    with pytest.raises(BadRequest, match="places of the text"):
        render(document(page("words without a box")), format)
