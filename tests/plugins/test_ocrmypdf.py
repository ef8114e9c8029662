"""The parts of the OCRmyPDF plugin that need no OCRmyPDF: reading, files, orientation, skew."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import pikepdf
import pytest
from lxml import etree
from PIL import Image

from dsocr.errors import DsocrError
from dsocr.types import Box, Document, PageResult, TextLine
from ocrmypdf_dsocr.files import hocr_of, smaller_image, text_layer_of, text_of, upload_of
from ocrmypdf_dsocr.languages import codes_of
from ocrmypdf_dsocr.orientation import orientation_of
from ocrmypdf_dsocr.readers import ServiceReader, Source, check_source, sized
from ocrmypdf_dsocr.skew import skew_of_file
from tests.fakes import OPTIONS, png
from tests.noise import noise
from tests.plugins.scans import DPI, drawn_page
from tests.server.conftest import Serve

LEVEL = [Box(0.1, 0.1 + 0.05 * n, 0.9, 0.13 + 0.05 * n) for n in range(6)]


def page(boxes: list[Box]) -> PageResult:
    lines = tuple(TextLine(f"line {n} of the page", box, 0.9) for n, box in enumerate(boxes))
    return PageResult(0, 1000, 1000, "\n\n".join(line.text for line in lines), lines=lines)


def turned(box: Box) -> Box:
    """The box on the page turned clockwise by a quarter."""
    return Box(1 - box.y1, box.x0, 1 - box.y0, box.x1)


def document(*pages: PageResult) -> Document:
    return Document("page.png", "fake", "fake-1", OPTIONS, pages)


@pytest.mark.parametrize("quarters", range(4))
def test_the_order_of_its_lines_tells_how_a_page_lies(quarters: int) -> None:
    boxes = LEVEL
    for _ in range(quarters):
        boxes = [turned(box) for box in boxes]
    angle, confidence = orientation_of(page(boxes))
    assert angle == 90 * quarters
    assert confidence == pytest.approx(20)


def test_a_page_without_lines_is_left_as_it_lies() -> None:
    assert orientation_of(page([])) == (0, 0.0)
    assert orientation_of(page(LEVEL[:1])) == (0, 0.0)


def test_lines_that_disagree_turn_no_page() -> None:
    _, confidence = orientation_of(page([*LEVEL[:4], *reversed(LEVEL)]))
    assert confidence < 14


@pytest.mark.parametrize("degrees", [-3.0, 0.0, 1.5])
def test_skew_is_measured_and_undone(degrees: float, tmp_path: Path) -> None:
    image, _ = drawn_page()
    image.rotate(-degrees, fillcolor="white", resample=Image.Resampling.BICUBIC).save(
        tmp_path / "page.png"
    )
    assert skew_of_file(tmp_path / "page.png") == pytest.approx(degrees, abs=0.15)


def test_an_empty_page_has_no_skew(tmp_path: Path) -> None:
    Image.new("RGB", (400, 500), "white").save(tmp_path / "page.png")
    assert skew_of_file(tmp_path / "page.png") == 0


def test_languages_are_those_of_tesseract_and_english_alone_means_any() -> None:
    assert codes_of(["deu", "chi_sim", "zh"]) == ("de", "zh")
    assert codes_of(["eng", "kor"]) == ("en", "ko")
    assert codes_of(["eng"]) == ()


def test_hocr_has_the_words_in_pixels_of_the_image(tmp_path: Path) -> None:
    Image.new("RGB", (500, 2000), "white").save(tmp_path / "page.png")
    whole = sized(document(page(LEVEL)), tmp_path / "page.png")
    tree = etree.fromstring(hocr_of(whole))
    [first, *_] = tree.xpath("//*[@class='ocr_line']")
    assert first.get("title").startswith("bbox 50 200 450 260")
    assert "".join(first.itertext()) == "line 0 of the page"
    assert text_of(whole).split()[:5] == ["line", "0", "of", "the", "page"]


def test_text_layer_is_as_large_as_the_image_and_shows_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (1240, 1754), "white").save(tmp_path / "page.png", dpi=(DPI, DPI))
    content = text_layer_of(document(page(LEVEL)), tmp_path / "page.png")
    with pikepdf.open(io.BytesIO(content)) as pdf:
        [layer] = pdf.pages
        assert [float(side) for side in layer.mediabox] == pytest.approx(
            [0, 0, 595.2, 841.9],
            abs=0.1,  # PNG has whole pixels a metre
        )
        assert "/XObject" not in layer.resources
        assert b"3 Tr" in layer.Contents.read_bytes()
        assert b"/F1 " in layer.Contents.read_bytes()
        assert list(layer.Resources.Font) == ["/F1"]  # the name that OCRmyPDF looks for
    blank = text_layer_of(document(page([])), tmp_path / "page.png")
    with pikepdf.open(io.BytesIO(blank)) as pdf:
        assert pdf.pages[0].Contents.read_bytes() == b""


def test_an_image_over_the_limit_is_read_smaller(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300), "white").save(tmp_path / "page.png")
    with smaller_image(tmp_path / "page.png", 30_000) as path, Image.open(path) as small:
        assert small.size == (200, 150)
    with smaller_image(tmp_path / "page.png", 120_000) as path:
        assert path == tmp_path / "page.png"


def test_a_large_image_is_sent_as_jpeg(tmp_path: Path) -> None:
    image = tmp_path / "page.png"
    noise(2200, 2200).save(image, compress_level=0)
    name, content = upload_of(image)
    assert name == "page.jpg"
    assert content[:2] == b"\xff\xd8"


def test_a_running_service_reads_the_page(serve: Serve, tmp_path: Path) -> None:
    image = tmp_path / "page.png"
    image.write_bytes(png(["printed words"]))
    with serve(api_keys=("secret",)) as served:
        url = f"http://127.0.0.1:{served.port}"
        with closing(ServiceReader(f"{url}/", "secret")) as reader:
            found = reader.read(image, ("ko",))
        check_source(Source(url, "secret"))
        with pytest.raises(DsocrError, match="key"):
            check_source(Source(url))
    with Image.open(image) as opened:
        assert (found.pages[0].width, found.pages[0].height) == opened.size
    assert text_of(found).strip() == "printed words"


def test_a_service_that_does_not_answer_is_named() -> None:
    with pytest.raises(DsocrError, match=r"no answer from http://127\.0\.0\.1:9"):
        check_source(Source("http://127.0.0.1:9"))
