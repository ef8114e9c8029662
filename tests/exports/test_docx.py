"""The Word file, opened by python-docx; in the slow run by LibreOffice too."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import docx
import pypdfium2 as pdfium
import pytest
from docx.document import Document as Word
from docx.oxml.ns import qn
from docx.shared import Mm
from docx.text.paragraph import Paragraph
from PIL import Image

from dsocr import exports
from dsocr.exports.docx import write
from dsocr.exports.options import ExportOptions
from dsocr.types import Block, Box, Document, PageResult
from tests.exports.documents import SIZE, PageImages, document, failed_page

render = partial(exports.render, format="docx")


def of(*markdowns: str, blocks: tuple[Block, ...] = ()) -> Document:
    pages = (PageResult(at, *SIZE, text, blocks=blocks) for at, text in enumerate(markdowns))
    return document(*pages)


def opened(*markdowns: str, blocks: tuple[Block, ...] = ()) -> Word:
    return docx.Document(io.BytesIO(render(of(*markdowns, blocks=blocks), assets=PageImages())))


def styled(word: Word) -> list[tuple[str, str]]:
    return [(one.style.name, one.text) for one in word.paragraphs]


def numbering(paragraph: Paragraph) -> tuple[int, int] | None:
    """The list and the level of a paragraph."""
    found = paragraph._p.find(f".//{qn('w:numPr')}")
    if found is None:
        return None
    values = (found.find(qn(name)).get(qn("w:val")) for name in ("w:numId", "w:ilvl"))
    number, level = map(int, values)
    return number, level


def xml(word: Word) -> str:
    return word.element.xml


def test_headings_keep_their_levels_and_text_its_formatting() -> None:
    word = opened("# One\n\n### Three\n\nA **bold** *it* `code` ~~old~~ x<sub>2</sub> *__both__*.")
    assert [name for name, _ in styled(word)] == ["Heading 1", "Heading 3", "Normal"]
    runs = {run.text: run for run in word.paragraphs[2].runs}
    assert runs["bold"].bold and runs["it"].italic and runs["old"].font.strike
    assert runs["code"].style.name == "Code" and runs["2"].font.subscript
    assert runs["both"].bold and runs["both"].italic and not runs["A "].bold


def test_links_lead_to_their_targets() -> None:
    word = opened("See [the page](https://example.org/?a=1&b=2), [no](javascript:x) [here](a.md).")
    (link,) = word.paragraphs[0].hyperlinks
    assert (link.text, link.address) == ("the page", "https://example.org/?a=1&b=2")
    assert word.paragraphs[0].text == "See the page, [no](javascript:x) here."


def test_lists_are_lists_of_word_and_each_counts_from_its_own_start() -> None:
    word = opened(
        "1. one\n2. two\n   - inner\n\n     more\n3. three\n\nText.\n\n5. five\n\n* point"
    )
    found = [(one.text.strip(), numbering(one)) for one in word.paragraphs]
    assert found == [
        ("one", (1, 0)),
        ("two", (1, 0)),
        ("inner", (2, 1)),
        ("more", None),
        ("three", (1, 0)),
        ("Text.", None),
        ("five", (3, 0)),
        ("point", (4, 0)),
    ]
    root = word.part.numbering_part.element
    kinds = {
        int(num.get(qn("w:numId"))): num.find(qn("w:abstractNumId")).get(qn("w:val"))
        for num in root.findall(qn("w:num"))
    }
    assert kinds == {1: "2", 2: "1", 3: "2", 4: "1"}
    starts = [found.get(qn("w:val")) for found in root.iter(qn("w:startOverride"))]
    assert starts == ["1", "5"]


def test_tables_have_spans_and_header_rows() -> None:
    table = (
        '<table><tr><th colspan="2">Head</th><th>C</th></tr>'
        '<tr><td rowspan="2">a</td><td>b<br>c</td><td>\\(x^2\\)</td></tr>'
        "<tr><td>d</td><td>e</td></tr></table>"
    )
    (found,) = opened(table).tables
    texts = [[cell.text for cell in row.cells] for row in found.rows]
    assert texts == [["Head", "Head", "C"], ["a", "b\nc", ""], ["a", "d", "e"]]
    assert found.cell(0, 0)._tc is found.cell(0, 1)._tc
    assert found.cell(1, 0)._tc is found.cell(2, 0)._tc
    assert found.cell(0, 2).paragraphs[0].runs[0].bold
    assert found.rows[0]._tr.find(f".//{qn('w:tblHeader')}") is not None
    assert found.rows[1]._tr.find(f".//{qn('w:tblHeader')}") is None
    assert "m:sSup" in found.cell(1, 2)._tc.xml


def test_two_tables_in_a_row_stay_two() -> None:
    table = "<table><caption>Table 1</caption><tr><td>a</td></tr></table>\n"
    word = opened(table + "<table><tr><td>b</td></tr></table>")
    kinds = [child.tag for child in word.element.body]
    assert kinds == [qn(f"w:{name}") for name in ("p", "tbl", "p", "tbl", "p", "sectPr")]
    assert styled(word)[0] == ("Caption", "Table 1")


def test_a_table_of_more_columns_than_word_opens_becomes_lines_with_tabs() -> None:
    word = opened(f"<table><tr>{'<td>x</td>' * 70}</tr></table>")
    assert word.tables == []
    assert word.paragraphs[0].text == "\t".join("x" * 70)


def test_figures_are_as_wide_as_on_the_page_and_captions_have_their_style() -> None:
    blocks = (
        Block("image", "", (Box(0.6, 0.1, 0.9, 0.2), Box(0, 0, 1, 1))),
        Block("image_caption", "Anything *at all*", (Box(0.1, 0.4, 0.9, 0.5),)),
    )
    text = "![chart](images/0_0.jpg)\n\nAnything *at all*\n\n![](images/0_1.jpg)\n\nFigure 2: Two"
    text += "\n\nFigure 3 shows a long sentence about what can be seen in it, really."
    word = opened(text, blocks=blocks)
    names = [name for name, _ in styled(word)]
    assert names == ["Figure", "Caption", "Figure", "Caption", "Normal"]
    first, second = word.inline_shapes
    assert first.width == Mm(63) and second.height <= Mm(230.1)
    assert first._inline.docPr.get("descr") == "chart"
    relation = first._inline.graphic.graphicData.pic.blipFill.blip.embed
    image = Image.open(io.BytesIO(word.part.related_parts[relation].blob)).convert("RGB")
    red, _, blue = image.getpixel((5, 5))
    assert blue > 200 > 50 > red


def test_a_figure_without_the_page_images_leaves_its_text() -> None:
    word = docx.Document(io.BytesIO(render(of("![a chart](images/0_0.jpg)"))))
    assert [text for _, text in styled(word)] == ["a chart"]


def test_footnotes_are_footnotes_of_word() -> None:
    notes = "[^1]: The *first*\n  goes on.\n[^b]: \\(y_1\\)\n[^c]: x"
    text = f"One[^1] and two[^b], three[^none].\n\n{notes}"
    content = render(of(text))
    word = docx.Document(io.BytesIO(content))
    assert [text for _, text in styled(word)][0] == "One and two, three[^none]."
    assert styled(word)[1][1] == "[^c]: x"
    references = [found.get(qn("w:id")) for found in word.element.iter(qn("w:footnoteReference"))]
    root = ElementTree.fromstring(zipfile.ZipFile(io.BytesIO(content)).read("word/footnotes.xml"))
    texts = {
        note.get(qn("w:id")): "".join(note.itertext()).strip()
        for note in root.iter(qn("w:footnote"))
    }
    assert [texts[number] for number in references] == ["The first goes on.", "y1"]


def test_formulas_are_formulas_of_word_or_their_source() -> None:
    word = opened("In \\(\\frac{a}{b}\\) line, \\(\\sqrt{\\) broken.\n\n\\[ \\sum_{i=1}^n x_i \\]")
    assert "<m:f>" in word.paragraphs[0]._p.xml and "<m:oMathPara>" not in word.paragraphs[0]._p.xml
    assert "\\(\\sqrt{\\) broken." in word.paragraphs[0].text
    assert "<m:oMathPara>" in word.paragraphs[1]._p.xml and "<m:nary>" in word.paragraphs[1]._p.xml


def test_code_keeps_its_lines_and_quotes_have_their_style() -> None:
    word = opened("```\na  b\n  \\(c\\)\n```\n\n> said\n\n---")
    assert styled(word) == [("Code Block", "a  b\n  \\(c\\)"), ("Quote", "said"), ("Normal", "")]
    assert "w:pBdr" in word.paragraphs[2]._p.xml


def test_right_to_left_paragraphs_and_tables_run_from_the_right() -> None:
    table = "<table><tr><td>אחד</td><td>שתיים</td></tr></table>"
    word = opened(f"שלום עולם English 12\n\nplain\n\n{table}")
    first, second = word.paragraphs[:2]
    assert first._p.find(f".//{qn('w:bidi')}") is not None
    assert second._p.find(f".//{qn('w:bidi')}") is None
    marked = [run.text for run in first.runs if run._r.find(f".//{qn('w:rtl')}") is not None]
    assert marked == ["שלום עולם"]
    assert word.tables[0]._tbl.find(f".//{qn('w:bidiVisual')}") is not None


def test_east_asian_text_has_a_hint_for_its_font() -> None:
    word = opened("世界你好，这是一个测试。")
    fonts = word.paragraphs[0]._p.find(f".//{qn('w:rFonts')}")
    assert fonts is not None and fonts.get(qn("w:hint")) == "eastAsia"


def test_title_and_language_are_in_the_properties() -> None:
    word = opened("Der Rest ist nicht mit den Teilen zu vergleichen und das ist gut.")
    assert (word.core_properties.title, word.core_properties.language) == ("paper", "de-DE")
    language = next(word.styles.element.iter(qn("w:lang")))
    assert language.get(qn("w:val")) == "de-DE"


def test_each_page_begins_on_a_new_one_unless_that_is_not_wanted() -> None:
    pages = "one", "", "<table><tr><td>three</td></tr></table>"
    word = opened(*pages)
    breaks = [one.paragraph_format.page_break_before for one in word.paragraphs]
    assert breaks == [None, True, True, None]
    out = io.BytesIO()
    write(of(*pages), out, options=ExportOptions(breaks="none"))
    assert "pageBreakBefore" not in xml(docx.Document(io.BytesIO(out.getvalue())))


def test_a_failed_page_is_named_in_its_place() -> None:
    whole = document(PageResult(0, *SIZE, "one"), failed_page(1), PageResult(2, *SIZE, "three"))
    texts = [text for _, text in styled(docx.Document(io.BytesIO(render(whole))))]
    message = "Page 2 could not be read: Reading the page took too <long>."
    assert texts == ["one", message, "three"]


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b\x0b\uffff",
        "<b>open <i>tags",
        "</p></li></ul></table>",
        "<table><tr><td><table><tr><td>inner</td></tr></table>",
        "<ul><li>a<li>b<ol><li>c",
        "[open **link](https://example.org) x** y",
        "<a href='https://example.org'>one<p>two</p></a>",
        "<td>cell</td>",
        "- " * 30 + "deep",
        "![](images/9_9.jpg)",
        "\\(" + "{" * 900 + "}" * 900 + "\\)",
    ],
)
def test_whatever_the_model_writes_is_a_valid_file(text: str) -> None:
    content = render(of(text), assets=PageImages())
    docx.Document(io.BytesIO(content))
    archive = zipfile.ZipFile(io.BytesIO(content))
    for name in archive.namelist():
        ElementTree.fromstring(archive.read(name))


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
def test_libreoffice_shows_the_pages(tmp_path: Path) -> None:
    table = '<table><tr><th colspan="2">Head</th></tr><tr><td>a</td><td>b</td></tr></table>'
    whole = of("# Title\n\n1. item\n\nNote[^1]\n\n[^1]: Below", table, "שלום עולם")
    (tmp_path / "a.docx").write_bytes(render(whole))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path)]
    subprocess.run([*command, str(tmp_path / "a.docx")], check=True, timeout=180)
    pdf = pdfium.PdfDocument(tmp_path / "a.pdf")
    texts = [one.get_textpage().get_text_bounded() for one in pdf]
    pdf.close()
    assert len(texts) == 3
    assert all(word in texts[0] for word in ("Title", "1.", "item", "Below"))
    assert texts[1].split() == ["Head", "a", "b"]
    assert texts[2].split() == ["שלום", "עולם"]
