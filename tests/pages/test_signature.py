from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from dsocr.errors import BadRequest, NotADocument
from dsocr.pages.signature import file_type
from tests.pages import made

SMALL = Image.new("RGB", (8, 8), "red")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_an_image_type_is_detected_by_its_first_bytes(tmp_path: Path, format: str) -> None:
    path = tmp_path / "lies.pdf"
    path.write_bytes(made.encoded(SMALL, format))
    found = file_type(path)
    assert (found.kind, found.media_type) == ("image", f"image/{format.lower()}")


def test_a_pdf_may_have_junk_before_it(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(b"junk\n" * 200 + made.pdf())
    assert file_type(path).kind == "pdf"


def test_heic_and_avif_are_distinguished_by_their_brands(tmp_path: Path) -> None:
    for brands, media_type in ((b"mif1....heic", "heic"), (b"mif1....avif", "avif")):
        path = tmp_path / media_type
        path.write_bytes((8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(32))
        assert file_type(path).media_type == f"image/{media_type}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"just text, renamed to .png",
        b"BMW price list, cheaper than ever",
        b"\0\0\1\0\1\0 an icon",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"PK\3\4 a zip",
        b"%!PS-Adobe-3.0 EPSF-3.0",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        b"x" * 2000 + b"%PDF-1.7",
    ],
)
def test_an_unsupported_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(content)
    with pytest.raises(NotADocument):
        file_type(path)


def test_a_camera_s_jpeg_of_two_pictures_is_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "page.mpo"
    path.write_bytes(made.encoded(SMALL, "MPO", save_all=True, append_images=[SMALL]))
    assert file_type(path).media_type == "image/jpeg"


def test_a_pipe_is_refused_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", tmp_path, Path("/dev/zero")):
        with pytest.raises(BadRequest, match="not a file"):
            file_type(path)


def test_a_link_has_the_type_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes(made.encoded(SMALL, "PNG"))
    (tmp_path / "link.pdf").symlink_to(tmp_path / "page")
    assert file_type(tmp_path / "link.pdf").media_type == "image/png"


def test_a_missing_file_is_a_bad_request(tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        file_type(tmp_path / "gone.png")
