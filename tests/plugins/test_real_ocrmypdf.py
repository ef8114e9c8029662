"""OCRmyPDF itself with the plugin, in an environment of its own, on scans whose words are known."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pikepdf
import pytest
from lxml import etree
from PIL import Image

from dsocr.server.app import create_app
from tests.environments import new_environment
from tests.plugins.scans import Word, drawn_page, write_scan
from tests.served import listening
from tests.server.conftest import settings_with

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="OCRmyPDF 17 needs Python 3.11"),
    pytest.mark.skipif(shutil.which("tesseract") is None, reason="OCRmyPDF needs tesseract"),
    pytest.mark.skipif(shutil.which("pdftotext") is None, reason="needs pdftotext"),
]

ROOT = Path(__file__).parents[2]
KEY = "secret"
RUN_SECONDS = 600
MIN_OVERLAP = 0.5
"""Of a word's box with its true box, as intersection over union."""


class OcrMyPdf(NamedTuple):
    """The command in its environment."""

    program: Path

    def __call__(self, *arguments: str | Path, **environment: str) -> str:
        """What it writes to standard error. It must succeed."""
        done = subprocess.run(
            [self.program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            env={**os.environ, **environment},
        )
        assert done.returncode == 0, done.stderr
        return done.stderr


@pytest.fixture(scope="module")
def ocrmypdf(tmp_path_factory: pytest.TempPathFactory) -> OcrMyPdf:
    packages = ["ocrmypdf>=17", "-e", ROOT, "-e", ROOT / "plugins" / "ocrmypdf"]
    return OcrMyPdf(new_environment(tmp_path_factory.mktemp("ocrmypdf"), packages) / "ocrmypdf")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service with the embedded engine."""
    settings = settings_with(tmp_path_factory.mktemp("runs"), api_keys=(KEY,))
    with listening(create_app(settings), settings.server) as port:
        yield f"http://127.0.0.1:{port}"


def words_of(path: Path, page: int = 1) -> list[Word]:
    """The words of a page's text layer as pdftotext finds them."""
    shown = ["pdftotext", "-bbox", "-f", str(page), "-l", str(page), str(path), "-"]
    tree = etree.HTML(subprocess.run(shown, check=True, capture_output=True).stdout)
    [sheet] = tree.iter("page")
    width, height = float(sheet.get("width")), float(sheet.get("height"))
    return [
        Word(
            "".join(word.itertext()),
            float(word.get("xmin")) / width,
            float(word.get("ymin")) / height,
            float(word.get("xmax")) / width,
            float(word.get("ymax")) / height,
        )
        for word in sheet.iter("word")
    ]


def overlap(a: Word, b: Word) -> float:
    across = max(0.0, min(a.x1, b.x1) - max(a.x0, b.x0))
    down = max(0.0, min(a.y1, b.y1) - max(a.y0, b.y0))
    areas = [(each.x1 - each.x0) * (each.y1 - each.y0) for each in (a, b)]
    return across * down / (sum(areas) - across * down)


def share_in_place(truth: list[Word], found: list[Word]) -> float:
    """The share of the true words that were found with their text at their place."""
    placed = [
        any(each.text == word.text and overlap(each, word) >= MIN_OVERLAP for each in found)
        for word in truth
    ]
    return sum(placed) / len(placed)


def test_scan_becomes_pdfa_with_its_words_in_place_and_a_sidecar(
    ocrmypdf: OcrMyPdf, tmp_path: Path
) -> None:
    image, truth = drawn_page()
    scan = write_scan(tmp_path / "scan.pdf", image, image)
    out, sidecar = tmp_path / "out.pdf", tmp_path / "out.txt"
    log = ocrmypdf("--sidecar", sidecar, "--output-type", "pdfa", scan, out)
    assert log.count("the engine is ppocr") == 1  # once for both pages
    for page in (1, 2):
        assert share_in_place(truth, words_of(out, page)) > 0.9
    first, second, *_ = sidecar.read_text().split("\f")
    assert first.split() == second.split() == [word.text for word in truth]
    with pikepdf.open(out) as pdf, pdf.open_metadata() as metadata:
        assert metadata.pdfa_status == "2B"
        assert "dsocr" in metadata["xmp:CreatorTool"]


def test_old_text_layer_is_redone_through_a_running_service(
    ocrmypdf: OcrMyPdf, service: str, tmp_path: Path
) -> None:
    image, truth = drawn_page()
    scan = write_scan(tmp_path / "scan.pdf", Image.new("RGB", image.size, "white"), image)
    old, new = tmp_path / "old.pdf", tmp_path / "new.pdf"
    ocrmypdf("--ocr-engine", "tesseract", "--output-type", "pdf", scan, old)
    assert words_of(old, 2)
    log = ocrmypdf("--redo-ocr", "--dsocr-url", service, old, new, DSOCR_KEY=KEY)
    assert "the engine is" not in log
    assert words_of(new, 1) == []
    found = words_of(new, 2)
    assert share_in_place(truth, found) > 0.9
    assert len(found) == len(truth)  # the old words are gone


@pytest.mark.parametrize("renderer", ["auto", "sandwich"])
def test_turned_and_skewed_pages_become_upright(
    ocrmypdf: OcrMyPdf, tmp_path: Path, renderer: str
) -> None:
    """As PDF/A, for which Ghostscript writes the fonts again."""
    image, truth = drawn_page()
    skewed = image.rotate(-2, fillcolor="white", resample=Image.Resampling.BICUBIC)
    pages = [image.rotate(-90, expand=True), image.rotate(180), skewed]
    scan = write_scan(tmp_path / "scan.pdf", *pages)
    out = tmp_path / "out.pdf"
    ocrmypdf("--rotate-pages", "--deskew", "--pdf-renderer", renderer, scan, out)
    for page in (1, 2, 3):
        assert share_in_place(truth, words_of(out, page)) > 0.8
