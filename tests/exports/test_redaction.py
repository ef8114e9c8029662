"""Redaction: what matches is gone from every format, by several tools, or the export is refused."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw, ImageFont

from dsocr.errors import BadRequest, InvalidField
from dsocr.exports import FORMATS, public_name, render
from dsocr.exports.options import ExportOptions
from dsocr.exports.redaction.matching import find, masked
from dsocr.exports.redaction.normal import MASK
from dsocr.exports.redaction.pages import Covered
from dsocr.exports.redaction.patterns import Searcher
from dsocr.exports.redaction.pictures import boxes_of
from dsocr.types import (
    Block,
    Box,
    Document,
    PageFailure,
    PageImage,
    PageResult,
    SourcePage,
    TextLine,
)
from tests.exports.documents import document

SECRET = "bob@example.org"
TEXT = ("Dear reader of this letter,", f"write to {SECRET} for more", "and keep well.")
WIDTH, HEIGHT = 400, 600


def redacted(text: str, *patterns: str) -> str:
    return masked(text, find(Searcher(patterns), text, is_markdown=True))


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("Smith", "Mr Smith, smith and Smithson", f"Mr {MASK}, {MASK} and Smithson"),
        ("John Smith", "John  Smith or John\nSmith", f"{MASK} or {MASK}"),
        ("example", "an exam-\nple of it", f"an {MASK} of it"),
        ("example", "an exam\u00ad\nple of it", f"an {MASK} of it"),
        ("Müller", unicodedata.normalize("NFD", "Frau Müller kam"), f"Frau {MASK} kam"),
        (unicodedata.normalize("NFD", "Müller"), "Frau Müller kam", f"Frau {MASK} kam"),
        ("1234", "Nr. １２３４.", f"Nr. {MASK}."),
        ("1234", "رقم ١٢٣٤", f"رقم {MASK}"),
        ("secret", "a s\u200be\u00adcr\ufeffet thing", f"a {MASK} thing"),
        ("李明", "我叫李明。", f"我叫{MASK}。"),
        ("a_b", r"it is a\_b here", f"it is {MASK} here"),
        ("a&b", "the a&amp;b firm", f"the {MASK} firm"),
        ("Smith", "<td>Smith</td><td>x</td>", f"<td>{MASK}</td><td>x</td>"),
        ("John Smith", "<td>John</td><td>Smith</td>", f"<td>{MASK}</td><td>{MASK}</td>"),
        ("John Smith", "| John | Smith |", f"| {MASK} | {MASK} |"),
        ("number", "<td colspan=2>12</td>![](images/0_0.jpg)", None),
        ("email", f"to {SECRET}, now", f"to {MASK}, now"),
        ("email", r"to bob\_a@example.org", f"to {MASK}"),
        ("email", "to <bob@example.org>", f"to <{MASK}>"),
        ("email", "to bob@example.\norg", f"to {MASK}"),
        ("Zanzibar", "to Z A N Z I B A R, now", f"to {MASK}, now"),
        ("Zanzibar", "to Zan zibar, now", f"to {MASK}, now"),
        ("straße", "in S T R A S S E", f"in {MASK}"),
        ("art", "in a rt", "in a rt"),
        ("email", "to bob @ example . org", f"to {MASK}"),
        ("email", "to bob@example. co. uk now", f"to {MASK} now"),
        ("email", "to BOB@EXAMPLE. ORG", f"to {MASK}"),
        ("email", "to bob [at] example [dot] org", f"to {MASK}"),
        ("email", "to bob(dot)x(at)example(dot)org", f"to {MASK}"),
        ("email", "to bob@example.org. Then more", f"to {MASK}. Then more"),
        ("email", "see bob @ home. Then more", "see bob @ home. Then more"),
        ("email", "[write](mailto:bob@example.org)", f"[write](mailto:{MASK})"),
        ("number", "in 2024 for 1.234,50 EUR", f"in {MASK} for {MASK} EUR"),
        ("iban", "IBAN DE89 3704 0044 0532 0130 00 at", f"IBAN {MASK} at"),
        ("iban", "DE89370400440532013000", MASK),
        ("phone", "call +49 (30) 1234-567 now", f"call {MASK} now"),
        ("phone", "call 555-123-4567 now", f"call {MASK} now"),
        ("card", "card 4111 1111 1111 1111.", f"card {MASK}."),
        ("/AB-\\d+/", "case ab-42 and AB-43", f"case {MASK} and {MASK}"),
        ("/.+/", "all of it", MASK),
    ],
)
def test_patterns_find_every_form_of_a_text(pattern: str, text: str, expected: str | None) -> None:
    if expected is None:
        expected = f"<td colspan=2>{MASK}</td>![](images/0_0.jpg)"
    assert redacted(text, pattern) == expected


@pytest.mark.parametrize("pattern", ["", "  ", "/(/", "x" * 501, "\u200b"])
def test_wrong_patterns_are_refused_without_repeating_them(pattern: str) -> None:
    with pytest.raises(InvalidField, match="pattern 1") as raised:
        ExportOptions(redact=(pattern,))
    assert len(raised.value.message) < 200


def test_too_many_patterns_are_refused() -> None:
    with pytest.raises(InvalidField, match="at most 100"):
        ExportOptions(redact=("x",) * 101)


def test_a_regular_expression_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dsocr.exports.redaction.patterns.SEARCH_SECONDS", 0.05)
    with pytest.raises(BadRequest, match="too long"):
        redacted("a" * 40 + "!", "/(?:a|aa)+$/", "/(a+)+(b+)+c$/", "/(?:a?){40}a{41}/")


def text_page(*texts: str, index: int = 0, blocks: bool = True, lines: bool = True) -> PageResult:
    boxes = [Box(0.1, 0.1 + at * 0.1, 0.9, 0.14 + at * 0.1) for at in range(len(texts))]
    made = tuple(Block("text", text, (box,)) for text, box in zip(texts, boxes, strict=True))
    read = tuple(TextLine(text, box, 0.9) for text, box in zip(texts, boxes, strict=True))
    return PageResult(
        index,
        WIDTH,
        HEIGHT,
        "\n\n".join(texts),
        made if blocks else (),
        read if lines else (),
        raw="\n".join(texts),
    )


def secretive(*pages: PageResult) -> Document:
    made = document(*pages, name=f"letter of {SECRET}.pdf")
    prompt = f"Find {SECRET}"
    return replace(made, options=replace(made.options, prompt=prompt), page_names=())


class PdfAssets:
    """Renders the pages of a PDF, as the service does."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def page_pixels(self, index: int) -> PageImage:
        pdf = pdfium.PdfDocument(self._path)
        try:
            image = pdf[index].render(scale=2).to_pil().convert("RGB")
        finally:
            pdf.close()
        return PageImage(index, image, *image.size, dpi=144.0)

    def page_image(self, index: int) -> bytes:
        out = io.BytesIO()
        self.page_pixels(index).image.save(out, "JPEG")
        return out.getvalue()

    def source_page(self, index: int) -> SourcePage | None:
        return SourcePage(self._path, "application/pdf", index)


@pytest.fixture(scope="module")
def born_digital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pages; the secret is in every place that a PDF has for text."""
    path = tmp_path_factory.mktemp("redaction") / "source.pdf"
    pdf = pikepdf.new()
    name, dictionary, string = pikepdf.Name, pikepdf.Dictionary, pikepdf.String
    font = dictionary(Type=name.Font, Subtype=name.Type1, BaseFont=name.Helvetica)
    fields = pikepdf.Array()
    for _ in range(2):
        page = pdf.add_blank_page(page_size=(WIDTH, HEIGHT)).obj
        drawn = b"".join(
            b"BT /F 18 Tf 1 0 0 1 40 %d Tm (%b) Tj ET " % (522 - at * 60, text.encode())
            for at, text in enumerate(TEXT)
        )
        page.Resources = dictionary(Font=dictionary(F=font))
        page.Contents = pdf.make_stream(drawn)
        page.PieceInfo = dictionary(App=dictionary(Private=string(SECRET)))
        page.Thumb = pdf.make_stream(SECRET.encode())
        page.Metadata = pdf.make_stream(SECRET.encode())
        field = dictionary(
            Type=name.Annot,
            Subtype=name.Widget,
            FT=name.Tx,
            T=string("mail"),
            V=string(SECRET),
            Rect=[40, 40, 200, 60],
            Contents=string(SECRET),
        )
        fields.append(pdf.make_indirect(field))
        page.Annots = pikepdf.Array([fields[-1]])
    pdf.Root.AcroForm = dictionary(Fields=fields)
    pdf.Root.Dests = dictionary({"/" + SECRET: pikepdf.Array([pdf.pages[0].obj, name.Fit])})
    pdf.attachments["note.txt"] = pikepdf.AttachedFileSpec(pdf, SECRET.encode())
    with pdf.open_outline() as outline:
        outline.root.append(pikepdf.OutlineItem(SECRET, 0))
    with pdf.open_metadata() as metadata:
        metadata["dc:title"] = SECRET
    pdf.docinfo["/Author"] = SECRET
    pdf.save(path)
    return path


def everything_in(path: Path) -> Iterator[bytes]:
    """Every string and every decoded stream of a PDF, and the file."""
    yield path.read_bytes()
    with pikepdf.open(path) as pdf:
        for each in pdf.objects:
            yield str(each).encode()
            if isinstance(each, pikepdf.Stream):
                yield each.read_raw_bytes()
                if each.get("/Filter") != pikepdf.Name.DCTDecode:
                    yield each.read_bytes()


def holds(content: bytes) -> bool:
    forms = (SECRET.encode(), SECRET.encode("utf-16-be"), SECRET.encode("utf-16-be").hex().encode())
    return any(form in content or form.upper() in content for form in forms)


@pytest.fixture(scope="module")
def redacted_pdf(born_digital: Path) -> Path:
    made = secretive(text_page(*TEXT), text_page("nothing here", index=1))
    out = born_digital.with_name("redacted.pdf")
    options = ExportOptions(redact=("email",))
    out.write_bytes(render(made, "pdf", PdfAssets(born_digital), options))
    return out


def test_the_source_holds_the_secret_in_many_places(born_digital: Path) -> None:
    assert sum(map(holds, everything_in(born_digital))) > 10


def test_no_object_of_a_redacted_pdf_holds_the_secret(redacted_pdf: Path) -> None:
    assert not any(map(holds, everything_in(redacted_pdf)))
    with pikepdf.open(redacted_pdf) as pdf:
        assert set(pdf.Root.keys()) == {"/Type", "/Pages"}
        assert set(pdf.docinfo.keys()) == {"/Title", "/Producer"}
        assert not pdf.attachments
        for page in pdf.pages:
            kept = {"/Type", "/Parent", "/MediaBox", "/Resources", "/Contents"}
            assert set(page.obj.keys()) == kept


def test_text_of_a_redacted_pdf_keeps_the_rest(redacted_pdf: Path) -> None:
    pdf = pdfium.PdfDocument(redacted_pdf)
    text = pdf[0].get_textpage().get_text_bounded()
    pdf.close()
    assert "Dear reader" in text and "for more" in text and "example" not in text


def test_what_is_under_the_box_is_black_in_the_picture(redacted_pdf: Path) -> None:
    with pikepdf.open(redacted_pdf) as pdf:
        found = pdf.pages[0].obj.Resources.XObject.Page
        picture = np.asarray(pikepdf.PdfImage(found).as_pil_image().convert("L"))
    row = picture[int(0.22 * picture.shape[0])]
    black = np.flatnonzero(row < 20)
    share = black.size / row.size
    assert 0.2 < share < 0.5  # the address, not the line
    before = picture[: int(0.18 * picture.shape[0])]
    assert (before < 128).mean() < 0.1


def test_redacted_pages_of_a_scan_have_no_data_of_its_file(tmp_path: Path) -> None:
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    font = ImageFont.load_default(18)
    for at, text in enumerate(TEXT):
        ImageDraw.Draw(image).text((40, 62 + at * 60), text, "black", font)
    path = tmp_path / "scan.jpg"
    exif = Image.Exif()
    exif[0x010E] = SECRET
    image.save(path, exif=exif, comment=SECRET.encode())

    class ScanAssets(PdfAssets):
        def page_pixels(self, index: int) -> PageImage:
            return PageImage(index, Image.open(path).convert("RGB"), WIDTH, HEIGHT)

        def source_page(self, index: int) -> SourcePage | None:
            return SourcePage(path, "image/jpeg", 0)

    made = secretive(text_page(*TEXT))
    assert holds(render(made, "pdf", ScanAssets(path)))
    out = tmp_path / "out.pdf"
    out.write_bytes(render(made, "pdf", ScanAssets(path), ExportOptions(redact=("email",))))
    assert not any(map(holds, everything_in(out)))


def unpacked(content: bytes) -> Iterator[bytes]:
    yield content
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield name.encode() + archive.read(name)


@pytest.mark.parametrize("key", [known.key for known in FORMATS])
def test_no_format_holds_the_secret(key: str, born_digital: Path) -> None:
    table = f"<table><tr><td>mail</td><td>{SECRET}</td></tr></table>"
    box = Box(0.1, 0.5, 0.9, 0.6)
    page = text_page(*TEXT)
    blocks = (*page.blocks, Block("table", table, (box,)), Block("image", "", (box,)))
    markdown = f"{page.markdown}\n\n{table}\n\n![](images/0_0.jpg)"
    page = replace(page, blocks=blocks, markdown=markdown)
    options = ExportOptions(redact=("email",), frontmatter=True, toc=True, join=True)
    content = render(secretive(page), key, PdfAssets(born_digital), options)
    words = re.compile(rb"bob|example\.org")
    assert not any(words.search(part) for part in unpacked(content))


def test_figures_have_the_boxes_blacked(born_digital: Path) -> None:
    page = text_page(*TEXT)
    page = replace(page, blocks=(*page.blocks, Block("image", "", (Box(0, 0.18, 1, 0.26),))))
    options = ExportOptions(redact=("/.+/",))
    content = render(secretive(page), "zip", PdfAssets(born_digital), options)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        figure = Image.open(io.BytesIO(archive.read("images/0_0.jpg"))).convert("L")
    assert (np.asarray(figure) < 20).mean() > 0.5


def test_a_match_over_the_end_of_a_line_is_covered_on_both() -> None:
    page = text_page("the name is Ferdi-", "nand, said he")
    made = render(document(page), "json", None, ExportOptions(redact=("Ferdinand",))).decode()
    assert "Ferdi" not in made and "nand" not in made and "said he" in made


def test_a_match_over_the_end_of_a_page_is_taken_out_on_both() -> None:
    pages = text_page("my name is John"), text_page("Smith, I said", index=1)
    options = ExportOptions(redact=("John Smith",), join=True)
    for key in ("markdown", "json"):
        made = render(document(*pages), key, None, options).decode()
        assert "John" not in made and "Smith" not in made and "I said" in made


def test_another_spelling_of_a_match_in_the_block_goes_too() -> None:
    page = text_page("write to bob@example.org now")
    page = replace(page, markdown="write to bob@ example. org now")
    made = render(document(page), "markdown", None, ExportOptions(redact=("email",))).decode()
    assert made == f"write to {MASK} now\n"


def test_a_block_whose_lines_do_not_show_the_match_is_covered_as_a_whole() -> None:
    page = text_page("write to bob@example.org now")
    page = replace(page, lines=(replace(page.lines[0], text="write to b0b(a)exampIe now"),))
    made = render(document(page), "json", None, ExportOptions(redact=("email",))).decode()
    assert "b0b" not in made and "bob" not in made


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (text_page(SECRET, index=2, blocks=False, lines=False), "no place"),
        (
            PageResult(2, 1, 1, finish_reason="error", error=PageFailure("timeout", "slow")),
            "could not be read",
        ),
        (replace(text_page("cut", index=2), finish_reason="length"), "not complete"),
    ],
)
def test_what_has_no_place_is_refused_with_its_page(page: PageResult, reason: str) -> None:
    pages = text_page("fine"), text_page("fine", index=1), page
    for key in ("markdown", "pdf", "json"):
        with pytest.raises(BadRequest, match=f"Page 3 cannot be redacted.*{reason}") as raised:
            render(document(*pages), key, None, ExportOptions(redact=("email",)))
        assert SECRET not in raised.value.message


def test_a_page_that_changes_during_the_export_is_refused() -> None:
    class Changing(list[PageResult]):
        def __iter__(self) -> Iterator[PageResult]:
            pages = list(super().__iter__())
            self[0] = text_page(f"now with {SECRET}")
            return iter(pages)

    made = replace(document(), pages=Changing([text_page("fine")]))
    with pytest.raises(BadRequest, match="Page 1 cannot be redacted: it was changed"):
        render(made, "markdown", None, ExportOptions(redact=("email",)))


def test_a_description_is_refused() -> None:
    made = document(text_page("a letter", lines=False))
    made = replace(made, options=replace(made.options, task="describe"))
    with pytest.raises(BadRequest, match="not its text"):
        render(made, "markdown", None, ExportOptions(redact=("email",)))


def test_names_of_files_are_redacted_and_keep_their_extension() -> None:
    options = ExportOptions(redact=("Smith",))
    assert public_name("scan_Smith_2024.pdf", options) == f"scan_{MASK}_2024.pdf"
    assert SECRET not in public_name(f"{SECRET}.pdf", ExportOptions(redact=("email",)))
    assert public_name("scan_Smith_2024.pdf", ExportOptions()) == "scan_Smith_2024.pdf"


def test_numbers_of_cells_and_figures_keep_the_markup() -> None:
    assert redacted("<td rowspan=2>7</td>", "number") == f"<td rowspan=2>{MASK}</td>"


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs poppler")
@pytest.mark.parametrize(
    "command",
    [["pdftotext", "{}", "-"], ["pdfinfo", "-meta", "-dests", "{}"], ["strings", "-a", "{}"]],
)
def test_other_tools_do_not_find_the_secret(
    command: list[str], born_digital: Path, redacted_pdf: Path
) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"needs {command[0]}")
    for path, expected in ((born_digital, True), (redacted_pdf, False)):
        run = [part.format(path) for part in command]
        said = subprocess.run(run, capture_output=True, check=False, timeout=120).stdout
        assert (SECRET.encode() in said) is expected or command[0] == "pdfinfo" and not expected


@pytest.mark.parametrize(("turned", "is_whole"), [(0, False), (180, True)])
def test_a_line_upside_down_on_an_upright_page_is_covered_as_a_whole(
    turned: int, is_whole: bool
) -> None:
    image = Image.new("L", (400, 40), "white")
    ImageDraw.Draw(image).text(
        (10, 8), "Zanzibar is in a note", "black", ImageFont.load_default(24)
    )
    dark = image.point(lambda value: 255 - value).getbbox()
    image = image.crop(dark).rotate(turned)
    line = TextLine("Zanzibar is in a note", Box(0, 0, 1, 1), 0.9)
    [box] = boxes_of(Covered(line.box, line, [(0, 8)]), np.asarray(image).astype(np.int16))
    assert (box[0], box[2] == image.width - 1) == (0, is_whole)
