"""The searchable PDF, opened by pdfium and qpdf; by poppler where that is installed."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from dsocr import exports
from dsocr.errors import BadImage
from dsocr.exports.pdf.pages import page_size
from dsocr.exports.pdf.pictures import jpeg_picture, png_picture
from dsocr.types import Block, Box, Document, OcrOptions, PageResult, SourcePage, TextLine
from tests.exports.documents import SIZE, PageImages, document, failed_page, page
from tests.noise import noise

render = partial(exports.render, format="pdf")
JPEG, PNG, PDF = "image/jpeg", "image/png", "application/pdf"


def read_page(*texts: str, index: int = 0, confidence: float | None = 0.9) -> PageResult:
    lines = tuple(
        TextLine(text, Box(0.1, 0.2 + at * 0.1, 0.6, 0.23 + at * 0.1), confidence)
        for at, text in enumerate(texts)
    )
    return PageResult(index, *SIZE, "x", lines=lines)


def texts(content: bytes, password: str | None = None) -> list[str]:
    pdf = pdfium.PdfDocument(content, password=password)
    try:
        return [one.get_textpage().get_text_bounded().replace("\r", "") for one in pdf]
    finally:
        pdf.close()


def boxes(content: bytes, number: int = 0) -> dict[str, tuple[float, float, float, float]]:
    """Each word's box as fractions of the upright page, from the boxes of its characters."""
    pdf = pdfium.PdfDocument(content)
    shown = pdf[number]
    text_page = shown.get_textpage()
    left, bottom, right, top = shown.get_bbox()
    found = {}
    text = text_page.get_text_range()
    for word in re.finditer(r"\S+", text):
        places = [text_page.get_charbox(at, loose=True) for at in range(*word.span())]
        x0, x1 = min(p[0] for p in places), max(p[2] for p in places)
        y0, y1 = min(p[1] for p in places), max(p[3] for p in places)
        width, height = right - left, top - bottom
        found[word[0]] = (
            (x0 - left) / width,
            (top - y1) / height,
            (x1 - left) / width,
            (top - y0) / height,
        )
    pdf.close()
    return found


def picture_of(content: bytes, number: int = 0) -> Image.Image:
    pdf = pdfium.PdfDocument(content)
    image = pdf[number].render(scale=1).to_pil().convert("RGB")
    pdf.close()
    return image


def source_pdf(path: Path, *contents: bytes, **entries: object) -> list[SourcePage]:
    """A PDF with a page for each content, and the places of its pages."""
    pdf = pikepdf.new()
    font = pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
    )
    for content in contents:
        added = pdf.add_blank_page(page_size=(400, 600))
        added.obj.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F=font))
        added.obj.Contents = pdf.make_stream(content)
        for key, value in entries.items():
            added.obj["/" + key] = value
    pdf.save(path)
    return [SourcePage(path, PDF, number) for number in range(len(contents))]


DRAWN = b"0 0 1 rg 40 40 100 100 re f"
BORN_DIGITAL = b"BT /F 12 Tf 60 500 Td (born digital) Tj ET"


@pytest.mark.parametrize("rotation", [90, 180, 270])
@pytest.mark.parametrize("kind", ["pdf", "jpeg"])
def test_a_page_that_was_turned_is_shown_turned(tmp_path: Path, rotation: int, kind: str) -> None:
    path = tmp_path / "source"
    if kind == "pdf":
        source = source_pdf(path, DRAWN)[0]
        plain = picture_of(path.read_bytes())
    else:
        plain = Image.new("RGB", (400, 600), "white")
        plain.paste("blue", (40, 460, 140, 560))
        plain.save(path, "JPEG", quality=95)
        source = SourcePage(path, JPEG, 0)
    sides = plain.size if rotation == 180 else plain.size[::-1]
    read = replace(read_page("turned words"), width=sides[0], height=sides[1])
    turned = replace(source, rotation=rotation)
    content = render(document(read), assets=PageImages([turned]))
    expected = plain.rotate(-rotation, expand=True)
    found = picture_of(content).resize(expected.size)
    change = ImageChops.difference(found.convert("L"), expected.convert("L"))
    assert ImageStat.Stat(change).mean[0] < 3
    assert texts(content) == ["turned words"]
    if kind == "jpeg":
        assert boxes(content)["turned"][:2] == pytest.approx((0.1, 0.2), abs=0.01)


def test_words_stand_in_their_lines_boxes_in_reading_order() -> None:
    content = render(document(read_page("Hello wide world", "second line")), assets=PageImages())
    assert texts(content) == ["Hello wide world\nsecond line"]
    found = boxes(content)
    assert found["Hello"][0] == pytest.approx(0.1, abs=0.002)
    assert found["world"][2] == pytest.approx(0.6, abs=0.002)
    assert found["Hello"][2] < found["wide"][0] < found["wide"][2] < found["world"][0]
    for word in ("Hello", "wide", "world"):
        assert found[word][1] == pytest.approx(0.2, abs=0.002)
        assert found[word][3] == pytest.approx(0.23, abs=0.002)


def test_the_text_is_invisible() -> None:
    plain = render(document(PageResult(0, *SIZE)), assets=PageImages())
    with_text = render(document(read_page("some words")), assets=PageImages())
    assert picture_of(plain).tobytes() == picture_of(with_text).tobytes()


@pytest.mark.parametrize(
    "text",
    [
        "世界你好，这是一个测试。",
        "naïve café — “quoted” 𝒳𠀀",
        "مرحبا بالعالم الجديد",
        "שלום עולם",
        "الفاتورة رقم 2024 صدرت",
    ],
)
def test_text_of_every_script_comes_out_as_it_was_read(text: str) -> None:
    content = render(document(read_page(text)), assets=PageImages())
    assert texts(content) == [text]


def test_a_vertical_line_is_found() -> None:
    lines = (
        TextLine("margin note", Box(0.9, 0.1, 0.93, 0.5), 0.9),
        TextLine("縦書き", Box(0.8, 0.1, 0.84, 0.5), 0.9),
    )
    content = render(document(PageResult(0, *SIZE, lines=lines)), assets=PageImages())
    assert texts(content) == ["margin note\n縦書き"]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_lines_of_a_page_that_lies_on_its_side_run_as_they_were_printed(turns: int) -> None:
    words = ["first words", "second words", "third words", "fourth words", "fifth words"]
    upright = [Box(0.1, 0.1 + at * 0.1, 0.8, 0.15 + at * 0.1) for at in range(len(words))]
    lines = [TextLine(text, box, 0.9) for text, box in zip(words, upright, strict=True)]
    for _ in range(turns):  # to the right
        lines = [
            TextLine(one.text, Box(1 - one.box.y1, one.box.x0, 1 - one.box.y0, one.box.x1), 0.9)
            for one in lines
        ]
    content = render(document(PageResult(0, *SIZE, lines=tuple(lines))), assets=PageImages())
    pdf = pdfium.PdfDocument(content)
    text_page = pdf[0].get_textpage()
    text = text_page.get_text_range()
    assert all(line in text for line in words)
    first = text.index(words[0])
    start, end = (text_page.get_charbox(at, loose=True) for at in (first, first + 10))
    pdf.close()
    across, up = end[0] - start[0], end[1] - start[1]
    assert {1: -up, 2: -across, 3: up}[turns] > 100


def test_blocks_stand_for_lines_where_there_are_none() -> None:
    text = "A paragraph of several lines " * 6
    table = "<table><tr><td>one</td><td>two</td></tr></table>"
    blocks = (
        Block("text", text, (Box(0.1, 0.1, 0.9, 0.2),)),
        Block("table", table, (Box(0.1, 0.5, 0.9, 0.6),)),
        Block("image", "", (Box(0.1, 0.7, 0.9, 0.9),)),
    )
    content = render(document(PageResult(0, *SIZE, text, blocks=blocks)), assets=PageImages())
    assert texts(content)[0].split() == [*text.split(), "one", "two"]
    assert boxes(content)["one"][1::2] == pytest.approx((0.5, 0.6), abs=0.005)


def test_text_without_any_box_can_be_searched() -> None:
    content = render(document(PageResult(0, *SIZE, "# Some *words*")), assets=PageImages())
    assert texts(content) == ["Some words"]


def test_a_description_of_a_page_is_not_its_text() -> None:
    options = OcrOptions(task="describe", mode="base", prompt="Describe it.")
    described = Document("a.png", "e", "m", options, (PageResult(0, *SIZE, "A red half."),))
    assert texts(render(described, assets=PageImages())) == [""]


def test_jpeg_data_is_taken_over_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.radial_gradient("L").save(path, dpi=(200, 200))
    assets = PageImages([SourcePage(path, JPEG, 0)])
    content = render(document(read_page("words")), assets=assets)
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert bytes(pdf.pages[0].obj.Resources.XObject.Page.read_raw_bytes()) == path.read_bytes()
        assert list(map(float, pdf.pages[0].MediaBox)) == [0, 0, 92.16, 92.16]
    assert assets.asked == []


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P"])
def test_png_rows_are_taken_over_unchanged(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    image = noise(70, 50).convert(mode)
    image.save(path)
    assets = PageImages([SourcePage(path, PNG, 0)])
    content = render(document(read_page("words")), assets=assets)
    with pikepdf.open(io.BytesIO(content)) as pdf:
        stored = pdf.pages[0].obj.Resources.XObject.Page
        assert bytes(stored.read_raw_bytes()) in path.read_bytes()
        shown = pikepdf.PdfImage(stored).as_pil_image()
    assert shown.convert("RGB").tobytes() == image.convert("RGB").tobytes()
    assert assets.asked == []


def test_other_files_are_stored_without_loss(tmp_path: Path) -> None:
    assets = PageImages([SourcePage(tmp_path / "a.tif", "image/tiff", 0)])
    content = render(document(read_page("words")), assets=assets)
    with pikepdf.open(io.BytesIO(content)) as pdf:
        shown = pikepdf.PdfImage(pdf.pages[0].obj.Resources.XObject.Page).as_pil_image()
        assert float(pdf.pages[0].MediaBox[2]) == pytest.approx(SIZE[0] * 72 / 150, abs=0.1)
    expected = Image.open(io.BytesIO(PageImages().page_image(0)))
    assert shown.convert("RGB").tobytes() == expected.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_upright(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.jpg"
    image = Image.new("RGB", (80, 60), "white")
    image.paste("red", (0, 0, 40, 30))
    image.paste("blue", (40, 30, 80, 60))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, exif=exif, dpi=(144, 144), quality=95)
    assets = PageImages([SourcePage(path, JPEG, 0)])
    shown = picture_of(render(document(PageResult(0, 80, 60)), assets=assets))
    upright = ImageOps.exif_transpose(Image.open(path)).resize(shown.size)
    for at in ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)):
        place = int(at[0] * shown.width), int(at[1] * shown.height)
        one, other = shown.getpixel(place), upright.getpixel(place)
        assert all(abs(a - b) < 40 for a, b in zip(one, other, strict=True))


def test_a_page_without_a_resolution_is_as_long_as_paper() -> None:
    assert page_size(1000, 2000, None) == page_size(1000, 2000, 72) == (421.0, 842.0)
    assert page_size(1654, 2339, 200) == pytest.approx((595.44, 842.04))
    assert max(page_size(100_000, 10, 100)) == pytest.approx(14400)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\nabc"]
)
def test_a_broken_picture_is_not_taken_over(content: bytes) -> None:
    assert jpeg_picture(content) is None
    assert png_picture(content) is None


def test_transparent_and_interlaced_png_files_are_not_taken_over() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (9, 9)).save(out, "PNG")
    assert png_picture(out.getvalue()) is None


def test_a_born_digital_page_stays_as_it_is(tmp_path: Path) -> None:
    sources = source_pdf(tmp_path / "a.pdf", BORN_DIGITAL + b" " + DRAWN)
    whole = document(read_page("born digital", confidence=None))
    content = render(whole, assets=PageImages(sources))
    assert texts(content) == ["born digital"]
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert bytes(pdf.pages[0].Contents.read_bytes()) == BORN_DIGITAL + b" " + DRAWN


def test_a_page_of_a_pdf_gains_the_lines_that_were_recognized(tmp_path: Path) -> None:
    sources = source_pdf(tmp_path / "a.pdf", BORN_DIGITAL + b" " + DRAWN)
    lines = (
        TextLine("born digital", Box(0.1, 0.1, 0.5, 0.15)),
        TextLine("in a picture", Box(0.2, 0.5, 0.6, 0.55), 0.9),
    )
    content = render(document(PageResult(0, *SIZE, lines=lines)), assets=PageImages(sources))
    assert sorted(texts(content)[0].split("\n")) == ["born digital", "in a picture"]
    original = picture_of((tmp_path / "a.pdf").read_bytes())
    assert picture_of(content).tobytes() == original.tobytes()


def test_a_wrong_text_layer_is_replaced(tmp_path: Path) -> None:
    old = b"BT 3 Tr /F 12 Tf 60 500 Td (0ld 0CR) Tj ET BT 0 Tr /F 12 Tf 60 400 Td (@#!) Tj ET "
    sources = source_pdf(tmp_path / "a.pdf", old + DRAWN)
    content = render(document(read_page("right words")), assets=PageImages(sources))
    assert texts(content)[0].strip() == "right words"
    original = picture_of((tmp_path / "a.pdf").read_bytes())
    assert picture_of(content).tobytes() == original.tobytes()


def test_text_without_places_is_added_only_to_a_page_without_any_text(tmp_path: Path) -> None:
    sources = source_pdf(tmp_path / "a.pdf", BORN_DIGITAL, DRAWN)
    whole = document(PageResult(0, *SIZE, "other words"), PageResult(1, *SIZE, "only words"))
    assert texts(render(whole, assets=PageImages(sources))) == ["born digital", "only words"]


def test_an_old_layer_in_a_form_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    source_pdf(path, b"/Old Do")
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        form = pdf.make_stream(b"BT 3 Tr /F 12 Tf 60 500 Td (0ld 0CR) Tj ET")
        form.Type, form.Subtype = pikepdf.Name.XObject, pikepdf.Name.Form
        form.BBox = pikepdf.Array([0, 0, 400, 600])
        form.Resources = pdf.pages[0].obj.Resources
        pdf.pages[0].obj.Resources.XObject = pikepdf.Dictionary(Old=form)
        pdf.save(path)
    assert texts(path.read_bytes()) == ["0ld 0CR"]
    content = render(
        document(read_page("right words")), assets=PageImages([SourcePage(path, PDF, 0)])
    )
    assert texts(content) == ["right words"]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_words_stand_right_on_rotated_and_cropped_pages(tmp_path: Path, rotation: int) -> None:
    crop = pikepdf.Array([50, 60, 350, 500])
    drawn = b"3 w 10 10 380 580 re S"
    sources = source_pdf(tmp_path / "a.pdf", drawn, Rotate=rotation, CropBox=crop)
    content = render(document(read_page("turned words")), assets=PageImages(sources))
    pdf = pdfium.PdfDocument(content)
    shown = pdf[0]
    text_page = shown.get_textpage()
    left, bottom, right, top = text_page.get_charbox(0, loose=True)
    corners = [shown_point(shown, x, y) for x, y in ((left, bottom), (right, top))]
    assert min(x for x, _ in corners) == pytest.approx(0.1, abs=0.01)
    assert min(y for _, y in corners) == pytest.approx(0.2, abs=0.01)
    assert max(y for _, y in corners) == pytest.approx(0.23, abs=0.01)
    assert shown.get_rotation() == rotation
    pdf.close()


def shown_point(page: pdfium.PdfPage, x: float, y: float) -> tuple[float, float]:
    """Fractions of the upright page for the rotations of whole turns."""
    left, bottom, right, top = page.get_cropbox()
    across, up = (x - left) / (right - left), (y - bottom) / (top - bottom)
    return {
        0: (across, 1 - up),
        90: (up, across),
        180: (1 - across, up),
        270: (1 - up, 1 - across),
    }[page.get_rotation()]


def test_the_outline_and_links_of_a_whole_pdf_stay(tmp_path: Path) -> None:
    sources = source_pdf(tmp_path / "a.pdf", DRAWN, DRAWN)
    with pikepdf.open(tmp_path / "a.pdf", allow_overwriting_input=True) as pdf:
        with pdf.open_outline() as outline:
            outline.root.append(pikepdf.OutlineItem("Second", 1))
        pdf.save()
    whole = document(read_page("one"), read_page("two", index=1))
    content = render(whole, assets=PageImages(sources))
    with pikepdf.open(io.BytesIO(content)) as pdf, pdf.open_outline() as outline:
        assert [item.title for item in outline.root] == ["Second"]


def test_some_pages_in_another_order_and_of_several_files(tmp_path: Path) -> None:
    first = source_pdf(tmp_path / "a.pdf", DRAWN, DRAWN, DRAWN)
    second = source_pdf(tmp_path / "b.pdf", BORN_DIGITAL)
    sources = [first[2], second[0], first[0]]
    whole = document(
        read_page("third"),
        read_page("born digital", index=1, confidence=None),
        read_page("first", index=2),
        read_page("photo", index=3),
    )
    content = render(whole, assets=PageImages(sources))
    assert texts(content) == ["third", "born digital", "first", "photo"]


def test_an_encrypted_pdf_is_opened_with_its_password(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    source_pdf(path, DRAWN)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(owner="o", user="secret"))
    assets = PageImages([SourcePage(path, PDF, 0, "secret")])
    assert texts(render(document(read_page("words")), assets=assets)) == ["words"]
    assert assets.asked == []


def test_a_pdf_that_qpdf_cannot_open_is_shown_by_its_page_images(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.7\nbroken")
    assets = PageImages([SourcePage(path, PDF, 0)])
    assert texts(render(document(read_page("words")), assets=assets)) == ["words"]
    assert assets.asked == [0]


def test_a_failed_page_keeps_its_place_and_its_picture() -> None:
    whole = document(read_page("one"), failed_page(1), read_page("three", index=2))
    content = render(whole, assets=PageImages())
    assert texts(content) == ["one", "", "three"]
    assert picture_of(content, 1).getpixel((10, 10)) == (255, 0, 0)


class Unrenderable(PageImages):
    def page_image(self, index: int) -> bytes:
        raise BadImage("The image is broken.")


def test_a_page_that_cannot_be_rendered_says_why() -> None:
    content = render(document(failed_page(0)), assets=Unrenderable())
    assert texts(content)[0].replace("\n", "") == (
        "Page 1 could not be read: Reading the page took too <long>."
    )


def test_equal_documents_give_equal_files_that_qpdf_finds_no_fault_in(tmp_path: Path) -> None:
    sources = source_pdf(tmp_path / "a.pdf", DRAWN)
    for assets in (PageImages(), PageImages(sources)):
        content = render(document(read_page("words")), assets=assets)
        assert content == render(document(read_page("words")), assets=assets)
        with pikepdf.open(io.BytesIO(content)) as pdf:
            assert pdf.check_pdf_syntax() == []


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler is not installed")
def test_poppler_finds_the_words_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    whole = document(read_page("Hello world", "שלום עולם זה סוף הדבר"))
    path.write_bytes(render(whole, assets=PageImages()))
    found = subprocess.run(
        ["pdftotext", "-bbox", str(path), "-"], capture_output=True, check=True, timeout=60
    ).stdout.decode()
    width, height = page_size(*SIZE, None)
    word = re.search(r'xMin="(.*?)" yMin="(.*?)" xMax="(.*?)" yMax="(.*?)">Hello<', found)
    assert word is not None
    left, top, _, bottom = map(float, word.groups())
    assert left == pytest.approx(0.1 * width, abs=1)
    assert (top, bottom) == pytest.approx((0.2 * height, 0.23 * height), abs=1)
    plain = subprocess.run(
        ["pdftotext", str(path), "-"], capture_output=True, check=True, timeout=60
    ).stdout.decode()
    assert "שלום עולם זה סוף הדבר" in plain


def test_a_page_made_from_raw_output_can_be_searched() -> None:
    raw = "<|ref|>title<|/ref|><|det|>[[100, 100, 900, 150]]<|/det|>\n# The *title* here\n"
    assert texts(render(document(page(raw)), assets=PageImages())) == ["The title here"]
