from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from dsocr.errors import BadPdf, PasswordRequired
from dsocr.pages.config import PagesConfig
from dsocr.pages.sandbox import Sandbox
from dsocr.pages.source import DocumentFile, open_document
from dsocr.types import Box, PageImage
from tests.pages import made


async def opened(
    tmp_path: Path, content: bytes, sandbox: Sandbox, *, password: str | None = None
) -> DocumentFile:
    path = tmp_path / "document.pdf"
    path.write_bytes(content)
    return await open_document(path, name="document.pdf", sandbox=sandbox, password=password)


async def first_page(tmp_path: Path, content: bytes, sandbox: Sandbox) -> PageImage:
    async with await opened(tmp_path, content, sandbox) as source:
        return await source.render_page(0)


def ink_box(page: PageImage) -> Box:
    """The box around the dark pixels of the page."""
    found = page.image.convert("L").point([255] * 128 + [0] * 128).getbbox()
    assert found is not None
    x0, y0, x1, y1 = found
    return Box(x0 / page.width, y0 / page.height, x1 / page.width, y1 / page.height)


def holds(outer: Box, inner: Box, slack: float = 0.01) -> bool:
    return (
        outer.x0 - slack <= inner.x0
        and outer.y0 - slack <= inner.y0
        and inner.x1 <= outer.x1 + slack
        and inner.y1 <= outer.y1 + slack
    )


async def test_a_page_is_rendered_at_the_requested_resolution(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    async with await opened(tmp_path, made.pdf(), sandbox) as source:
        page = await source.render_page(0)
        assert (page.width, page.height, page.dpi) == (1224, 1584, 144)
        page = await source.render_page(0, dpi=72)
        assert (page.width, page.height, page.dpi) == (612, 792, 72)


async def test_text_lines_match_the_drawing_on_rotated_pages(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    for turn in (0, 90, 180, 270):
        layout = f"/MediaBox [0 0 612 792] /CropBox [50 100 512 692] /Rotate {turn}"
        content = made.pdf(made.words("Hello there", 100, 600), page=layout)
        page = await first_page(tmp_path, content, sandbox)
        assert (page.width < page.height) == (turn % 180 == 0)
        assert page.text_lines is not None
        (line,) = page.text_lines
        assert line.text == "Hello there"
        assert holds(line.box, ink_box(page)), turn
        assert (line.box.x1 - line.box.x0) * (line.box.y1 - line.box.y0) < 0.02


async def test_columns_are_separate_lines_and_words_are_not(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    content = made.words("two words", 72, 600) + made.words("other column", 350, 600)
    page = await first_page(tmp_path, made.pdf(content), sandbox)
    assert [line.text for line in page.text_lines or ()] == ["two words", "other column"]


async def test_text_written_upwards_is_one_line(tmp_path: Path, sandbox: Sandbox) -> None:
    upwards = made.words("along the margin", 100, 200, matrix="0 1 -1 0")
    page = await first_page(tmp_path, made.pdf(upwards), sandbox)
    (line,) = page.text_lines or ()
    assert line.text == "along the margin"
    assert holds(line.box, ink_box(page))


async def test_table_cells_are_separate_lines(tmp_path: Path, sandbox: Sandbox) -> None:
    cells = [["Item one", "12.50", "EUR"], ["Item two", "7.00", "EUR"]]
    content = "".join(
        made.words(cell, 72 + 90 * column, 600 - 20 * row, size=11)
        for row, line in enumerate(cells)
        for column, cell in enumerate(line)
    )
    page = await first_page(tmp_path, made.pdf(content), sandbox)
    assert [line.text for line in page.text_lines or ()] == [*cells[0], *cells[1]]


@pytest.mark.parametrize(
    "stands_for, text",
    [
        ("FB01", "ofice"),
        ("00660066", "offce"),
        ("00AD", "o-ce"),
        ("D835DC65", "o\N{MATHEMATICAL ITALIC SMALL X}ce"),
        ("D800", "o\ufffdce"),
        ("0000", "o\ufffdce"),
    ],
    ids=["ligature", "letters of a ligature", "soft hyphen", "pair", "half a pair", "nothing"],
)
async def test_a_glyph_has_the_text_that_its_font_maps_it_to(
    tmp_path: Path, sandbox: Sandbox, stands_for: str, text: str
) -> None:
    content = made.mapped_pdf(made.words("oXce", 72, 600), stands_for)
    page = await first_page(tmp_path, content, sandbox)
    assert [line.text for line in page.text_lines or ()] == [text]


async def test_text_outside_the_crop_box_is_not_on_the_page(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    layout = "/MediaBox [0 0 612 792] /CropBox [0 0 612 400]"
    content = made.words("cut away", 72, 700) + made.words("kept", 72, 200)
    page = await first_page(tmp_path, made.pdf(content, page=layout), sandbox)
    assert [line.text for line in page.text_lines or ()] == ["kept"]


async def test_a_page_without_text_has_an_empty_text_layer(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    page = await first_page(tmp_path, made.pdf(), sandbox)
    assert page.text_lines == () and page.image_share == 0


@pytest.mark.parametrize(
    "content, share",
    [
        ("q 612 0 0 792 0 0 cm /I Do Q", 1.0),
        ("q 306 0 0 792 0 0 cm /I Do Q", 0.5),
        ("q 306 0 0 792 0 0 cm /I Do Q q 306 0 0 792 0 0 cm /I Do Q", 0.5),
        ("q 612 0 0 792 0 0 cm /M Do Q", 0.25),
        ("q 306 0 0 792 900 0 cm /I Do Q", 0.0),
    ],
    ids=["scan", "half", "twice the same half", "inside a form", "off the page"],
)
async def test_overlapping_images_count_once_in_the_image_share(
    tmp_path: Path, sandbox: Sandbox, content: str, share: float
) -> None:
    for turn in (0, 90):
        layout = f"{made.LETTER} /Rotate {turn}"
        page = await first_page(tmp_path, made.image_pdf(content, page=layout), sandbox)
        assert page.image_share == pytest.approx(share, abs=0.03)


async def test_a_password_is_required_checked_and_used(tmp_path: Path, sandbox: Sandbox) -> None:
    locked = made.locked_pdf("open sesame")
    with pytest.raises(PasswordRequired):
        await opened(tmp_path, locked, sandbox)
    with pytest.raises(PasswordRequired):
        await opened(tmp_path, locked, sandbox, password="close sesame")
    async with await opened(tmp_path, locked, sandbox, password="open sesame") as source:
        page = await source.render_page(0)
    assert [line.text for line in page.text_lines or ()] == ["secret"]


async def test_pages_of_a_long_document_are_rendered_in_any_order(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    content = made.pdf(made.words("again", 72, 600), pages=1000)
    async with await opened(tmp_path, content, sandbox) as source:
        assert source.num_pages == 1000
        for index in (999, 0, 500):
            assert (await source.render_page(index)).index == index


@pytest.mark.parametrize("side", ["14400", "100000", "283464566"])
async def test_a_huge_page_is_rendered_smaller(tmp_path: Path, side: str) -> None:
    content = made.pdf("0 0 m 9 9 l S", page=f"/MediaBox [0 0 {side} {side}]")
    async with Sandbox(PagesConfig(workers=1, max_pixels=1_000_000)) as sandbox:
        page = await first_page(tmp_path, content, sandbox)
    assert 900_000 < page.width * page.height <= 1_000_000
    assert page.dpi is not None and page.dpi < 144


async def test_a_very_narrow_page_is_rendered(tmp_path: Path, sandbox: Sandbox) -> None:
    page = await first_page(tmp_path, made.pdf(page="/MediaBox [0 0 1 14400]"), sandbox)
    assert page.width >= 1 and 1000 < page.height <= 16_000


async def test_a_broken_page_does_not_affect_the_others(tmp_path: Path, sandbox: Sandbox) -> None:
    broken = made.pdf(pages=3).replace(b"6 0 obj\n<< /Type /Page", b"6 0 obj\n[[ /Type /Page", 1)
    async with await opened(tmp_path, broken, sandbox) as source:
        assert source.num_pages == 3
        with pytest.raises(BadPdf):
            await source.render_page(1)
        assert (await source.render_page(2)).width == 1224


async def test_filled_in_fields_are_drawn(tmp_path: Path, sandbox: Sandbox) -> None:
    look = made.stream(
        b"0 0 0 rg 0 0 100 50 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 100 50] "
    )
    content = made.written(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] >> >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Annots [4 0 R] >>",
            b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (b) /Rect [100 100 200 150]"
            b" /F 4 /AP << /N 5 0 R >> /P 3 0 R >>",
            look,
        ]
    )
    page = await first_page(tmp_path, content, sandbox)
    assert page.image.getpixel((300, 1584 - 250)) == (0, 0, 0)


HOSTILE = {
    "cyclic page tree": made.written(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
        ]
    ),
    "a million pages claimed": made.written(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1000000 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
        ]
    ),
    "deep nesting": made.pdf("[" * 200_000),
    "form that draws itself": made.image_pdf("/M Do").replace(b"/I 5 0 R >> >>", b"/I 6 0 R >> >>"),
    "no pages": made.written(
        [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [] /Count 0 >>"]
    ),
    "only a header": b"%PDF-1.7\n",
    "cut in half": made.pdf(made.words("half", 72, 600), pages=20)[:1500],
    "box without area": made.pdf(page="/MediaBox [5 5 5 5]"),
    "box of nonsense": made.pdf(page="/MediaBox [1e40 (x) null 99999999999999999999]"),
    "image bomb": made.image_pdf("q 612 0 0 792 0 0 cm /I Do Q").replace(
        b"/Width 1 /Height 1 ", b"/Width 1000000 /Height 1000000 "
    ),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
async def test_a_hostile_pdf_fails_only_its_own_pages(
    tmp_path: Path, sandbox: Sandbox, name: str
) -> None:
    try:
        async with await opened(tmp_path, HOSTILE[name], sandbox) as source:
            for index in {0, source.num_pages - 1}:
                try:
                    page = await source.render_page(index)
                except BadPdf:
                    continue
                assert page.width * page.height <= PagesConfig().max_pixels
    except BadPdf:
        pass
    good = await first_page(tmp_path, made.pdf(made.words("good", 72, 600)), sandbox)
    assert [line.text for line in good.text_lines or ()] == ["good"]


async def test_the_image_of_a_page_is_in_rgb_order(tmp_path: Path, sandbox: Sandbox) -> None:
    page = await first_page(tmp_path, made.pdf("1 0 0 rg 0 0 612 792 re f"), sandbox)
    assert page.image.getpixel((10, 10)) == (255, 0, 0)
    assert isinstance(page.image, Image.Image)
