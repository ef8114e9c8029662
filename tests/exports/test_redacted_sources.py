"""Every kind of source, read by the embedded engine and redacted by the command: neither tools nor
the engine itself find what was taken out."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pypdfium2 as pdfium
import pytest
from PIL import Image, ImageDraw, ImageFont

pytestmark = pytest.mark.slow

SECRETS = ("ferdinand", "4711")
KEPT = "neighbour"
LINES = (
    "A letter to our good neighbour",
    "The name of the tenant is Ferdinand Brown",
    "and the number of the contract is 4711",
    "We wish you a pleasant summer",
)


def picture() -> Image.Image:
    image = Image.new("RGB", (1000, 700), "white")
    for at, text in enumerate(LINES):
        font = ImageFont.load_default(34)
        ImageDraw.Draw(image).text((80, 80 + at * 90), text, "black", font)
    return image


def scanned_pdf(rotate: int) -> bytes:
    out = io.BytesIO()
    picture().rotate(rotate, expand=True).save(out, "PDF", resolution=100)
    with pikepdf.open(out) as pdf:
        pdf.pages[0].rotate(rotate, relative=True)
        turned = io.BytesIO()
        pdf.save(turned)
    return turned.getvalue()


def born_digital_pdf() -> pikepdf.Pdf:
    pdf = pikepdf.new()
    name, dictionary = pikepdf.Name, pikepdf.Dictionary
    font = dictionary(Type=name.Font, Subtype=name.Type1, BaseFont=name.Helvetica)
    page = pdf.add_blank_page(page_size=(500, 350)).obj
    page.Resources = dictionary(Font=dictionary(F=font))
    page.Contents = pdf.make_stream(
        b"".join(
            b"BT /F 17 Tf 40 %d Td (%b) Tj ET " % (290 - at * 45, text.encode())
            for at, text in enumerate(LINES)
        )
    )
    return pdf


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    turned = Image.Exif()
    turned[0x0112] = 6  # shown a quarter turn to the right
    picture().rotate(90, expand=True).save(folder / "turned.jpg", exif=turned)
    picture().save(folder / "two.tif", save_all=True, append_images=[picture()])
    (folder / "scan.pdf").write_bytes(scanned_pdf(0))
    (folder / "rotated-scan.pdf").write_bytes(scanned_pdf(90))
    with born_digital_pdf() as pdf:
        pdf.save(folder / "locked.pdf", encryption=pikepdf.Encryption(user="open", owner="all"))
        pdf.pages[0].rotate(180, relative=True)
        pdf.save(folder / "rotated.pdf")
    return folder


def dsocr(*arguments: object) -> None:
    command = [sys.executable, "-c", "from dsocr.cli import main; main()", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, timeout=500)


@pytest.fixture(scope="module")
def redacted(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Planned and read once, exported in several formats."""
    work, out = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("redacted")
    dsocr("batch", "plan", work, sources)
    dsocr("batch", "run", work, "--engine", "ppocr", "--password", "open", "-q")
    taken = ("--redact", "Ferdinand Brown", "--redact", "number", "--password", "open")
    for format in ("pdf", "docx", "zip", "json"):
        dsocr("batch", "export", work, "-o", out, "-f", format, *taken)
    return out


def texts_in(path: Path) -> Iterator[str]:
    content = path.read_bytes()
    yield content.decode("latin-1")
    if content.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name).decode("latin-1") for name in archive.namelist())
    if path.suffix == ".pdf":
        said = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=True)
        yield said.stdout.decode()
        with pikepdf.open(path) as pdf:
            for each in pdf.objects:
                if isinstance(each, pikepdf.Stream) and "/DCTDecode" not in str(
                    each.get("/Filter")
                ):
                    yield each.read_bytes().decode("latin-1")


def test_no_file_holds_the_secrets(redacted: Path, sources: Path) -> None:
    files = list(redacted.iterdir())
    assert len(files) == 4 * len(list(sources.iterdir()))
    for path in files:
        for text in texts_in(path):
            assert not any(secret in text.lower() for secret in SECRETS), path
    texts = ["".join(texts_in(path)) for path in files if path.suffix == ".pdf"]
    assert all(KEPT in text for text in texts)


def test_the_engine_does_not_find_the_secrets_in_the_pictures(
    redacted: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for path in sorted(redacted.glob("*.pdf")):
        pdf = pdfium.PdfDocument(path)
        pdf[0].render(scale=2).to_pil().save(pictures / f"{path.stem}.png")
        pdf.close()
    dsocr("read", pictures, "-f", "text", "-o", tmp_path / "read", "--engine", "ppocr")
    read = [path.read_text().lower() for path in sorted((tmp_path / "read").iterdir())]
    assert len(read) == len(list(pictures.iterdir()))
    for text in read:
        assert KEPT in text
        assert not any(secret in text for secret in SECRETS)
