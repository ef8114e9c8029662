"""A document of 300 pages, of all samples and their recorded readings, in every format: each file
is opened by a program of its kind."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import docx
import nh3
import openpyxl
import pikepdf
import pypdfium2 as pdfium
import pytest
from lxml import etree
from PIL import Image

from dsocr.exports import FORMATS, write
from dsocr.exports.options import ExportOptions
from dsocr.server.received.uploaded_result import document_of
from dsocr.server.schemas.uploaded_result import UploadedResult
from dsocr.types import Document, PageImage, SourcePage
from tests.exports.test_layout_formats import alto_schema
from tests.golden.compare import read_golden
from tests.golden.replay import RECORDED
from tests.golden.service import SAMPLES

pytestmark = pytest.mark.slow

PAGES = 300
MEDIA = {".pdf": "application/pdf", ".png": "image/png", ".tif": "image/tiff", ".jpg": "image/jpeg"}
OPTIONS = ExportOptions(toc=True, join=True, repair=True, headings=True, captions=True)


class SampleFiles:
    """Page N is the file N modulo their number."""

    def page_pixels(self, index: int) -> PageImage:
        image = picture_of(SAMPLES[index % len(SAMPLES)])
        return PageImage(index, image, *image.size, dpi=100.0)

    def page_image(self, index: int) -> bytes:
        out = io.BytesIO()
        self.page_pixels(index).image.save(out, "JPEG")
        return out.getvalue()

    def source_page(self, index: int) -> SourcePage | None:
        path = SAMPLES[index % len(SAMPLES)]
        return SourcePage(path, MEDIA[path.suffix], 0)


@lru_cache
def picture_of(path: Path) -> Image.Image:
    if path.suffix != ".pdf":
        return Image.open(path).convert("RGB")
    pdf = pdfium.PdfDocument(path)
    try:
        return pdf[0].render(scale=1.5).to_pil().convert("RGB")
    finally:
        pdf.close()


def reading_of(path: Path) -> Document:
    text = json.dumps(read_golden(RECORDED / "samples.json.gz")["ocr"][path.name])
    return document_of(UploadedResult.model_validate_json(text.replace('"<float>"', "0")))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The document in every format."""
    folder = tmp_path_factory.mktemp("acceptance")
    readings = [reading_of(path) for path in SAMPLES]
    pages = [
        replace(readings[number % len(SAMPLES)].pages[0], index=number) for number in range(PAGES)
    ]
    whole = replace(readings[0], name="samples.pdf", pages=tuple(pages), page_names=())
    made = {}
    for known in FORMATS:
        made[known.key] = folder / f"samples.{known.key}.{known.extension}"
        with made[known.key].open("wb") as out:
            write(whole, known.key, out, SampleFiles(), OPTIONS)
    return made


def test_word_and_libreoffice_open_the_docx(files: dict[str, Path], tmp_path: Path) -> None:
    opened = docx.Document(str(files["docx"]))
    assert len(opened.tables) >= PAGES // len(SAMPLES)
    assert any(each.style.name.startswith("Heading") for each in opened.paragraphs)
    converted = converted_by_office(files["docx"], tmp_path)
    pdf = pdfium.PdfDocument(converted)
    assert len(pdf) >= PAGES
    pdf.close()


def test_openpyxl_and_libreoffice_open_the_tables(files: dict[str, Path], tmp_path: Path) -> None:
    book = openpyxl.load_workbook(files["xlsx"])
    assert len(book.sheetnames) >= PAGES // len(SAMPLES)
    values = [cell for sheet in book for row in sheet.iter_rows(values_only=True) for cell in row]
    assert any(isinstance(value, (int, float)) for value in values)
    assert converted_by_office(files["xlsx"], tmp_path).stat().st_size > 10_000
    rows = list(csv.reader(io.StringIO(files["csv"].read_text("utf-8-sig"))))
    assert len(rows) > PAGES // len(SAMPLES)


def converted_by_office(path: Path, folder: Path) -> Path:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("needs LibreOffice")
    command = [office, f"-env:UserInstallation=file://{folder}/profile", "--headless"]
    command += ["--convert-to", "pdf", "--outdir", str(folder), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=600)
    return folder / f"{path.stem}.pdf"


def test_pdf_programs_find_the_words(files: dict[str, Path]) -> None:
    with pikepdf.open(files["pdf"]) as pdf:
        assert len(pdf.pages) == PAGES
    if shutil.which("pdftotext") is None:
        pytest.skip("needs poppler")
    command = ["pdftotext", "-bbox", str(files["pdf"]), "-"]
    said = subprocess.run(command, check=True, capture_output=True, timeout=300).stdout.decode()
    pages = said.split("<page ")[1:]
    assert len(pages) == PAGES
    wanted = [reading_of(path).pages[0] for path in SAMPLES]
    for number, text in enumerate(pages):
        words = set(re.findall(r">([^<>]+)</word>", text))
        latin = {
            word
            for line in wanted[number % len(SAMPLES)].lines
            for word in line.text.split()
            if word.isascii() and word.isalpha() and len(word) > 4
        }
        assert len(latin & words) >= 0.7 * len(latin)


def test_parsers_of_hocr_and_alto_accept_them(files: dict[str, Path]) -> None:
    alto_schema().assertValid(etree.parse(files["alto"], etree.XMLParser(huge_tree=True)))
    root = etree.parse(files["hocr"], etree.XMLParser(huge_tree=True)).getroot()
    assert len(root.xpath("//*[@class='ocr_page']")) == PAGES


def test_json_of_each_kind_has_all_pages(files: dict[str, Path]) -> None:
    assert len(json.loads(files["json"].read_text())["pages"]) == PAGES
    assert len(files["jsonl"].read_text().splitlines()) == PAGES
    assert len(json.loads(files["docling"].read_text())["pages"]) == PAGES
    assert files["doctags"].read_text().count("<page_break>") == PAGES - 1
    chunks = [json.loads(line) for line in files["chunks"].read_text().splitlines()]
    assert {page for chunk in chunks for page in chunk["pages"]} <= set(range(1, PAGES + 1))
    assert all(chunk["text"] for chunk in chunks)


def test_texts_and_archives_hold_the_samples(files: dict[str, Path]) -> None:
    html = files["html"].read_text()
    assert not re.search(r"<script|\son\w+=|src=[\"']http", nh3_unchanged(html))
    assert files["text"].read_text().count("\f") >= PAGES // 2
    assert "This is a lot of 12 point text" in files["markdown"].read_text()
    with zipfile.ZipFile(files["zip"]) as archive:
        assert archive.testzip() is None
        assert "document.md" in archive.namelist()


def nh3_unchanged(html: str) -> str:
    """The page, whose visible text a sanitizer leaves as it is."""
    body = html[html.index("<body") :]
    assert "This is a lot of 12 point text" in nh3.clean(body)
    return body
