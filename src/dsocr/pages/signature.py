"""The type of a file, from its first bytes and never from its name."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dsocr.errors import BadRequest, NotADocument

Kind = Literal["image", "pdf"]

HEAD_BYTES = 1024
"""PDF readers accept a header within so many bytes; so does this one."""

ACCEPTED = "PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF, HEIC, PDF"
_ENDINGS = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff"),
    *(".bmp", ".dib", ".gif", ".avif", ".heic", ".heif", ".pdf"),
)


@dataclass(frozen=True, slots=True)
class FileType:
    """A supported file type. `decoder` is Pillow's name of the format."""

    kind: Kind
    media_type: str
    decoder: str = ""


PDF = FileType("pdf", "application/pdf")
AVIF = FileType("image", "image/avif", "AVIF")
HEIC = FileType("image", "image/heic", "HEIF")
TIFF = FileType("image", "image/tiff", "TIFF")

_PREFIXES: tuple[tuple[bytes, FileType], ...] = (
    (b"\x89PNG\r\n\x1a\n", FileType("image", "image/png", "PNG")),
    (b"\xff\xd8\xff", FileType("image", "image/jpeg", "JPEG")),
    (b"GIF87a", FileType("image", "image/gif", "GIF")),
    (b"GIF89a", FileType("image", "image/gif", "GIF")),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
)
_WEBP = FileType("image", "image/webp", "WEBP")
_BMP = FileType("image", "image/bmp", "BMP")
_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}


def file_type(path: Path) -> FileType:
    """Raises `NotADocument`, or `BadRequest` when there is no such file to be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe blocks until it has a writer
            raise BadRequest("It is a folder, a pipe or a device, not a file.")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise BadRequest(f"The file cannot be read: {error.strerror or error}.") from error
    if not head:
        raise NotADocument("The file is empty.")
    found = _sniff(head)
    if found is None:
        raise NotADocument(f"The file is none of {ACCEPTED}.")
    return found


def is_named_as_document(path: Path) -> bool:
    """Whether its name ends like a supported document's: a failure is then worth reporting."""
    return path.suffix.lower() in _ENDINGS


def _sniff(head: bytes) -> FileType | None:
    for prefix, found in _PREFIXES:
        if head.startswith(prefix):
            return found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _WEBP
    # plain text may start with "BM" too; the size of the second header identifies a bitmap
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return _BMP
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    return PDF if b"%PDF-" in head else None


def _iso_media(head: bytes) -> FileType | None:
    """HEIC and AVIF share a container format; its brands distinguish them."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))}
    if brands & _AVIF_BRANDS:
        return AVIF
    return HEIC if brands & _HEIC_BRANDS else None
