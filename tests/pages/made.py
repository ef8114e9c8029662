"""Small files made for one purpose: PDFs written by hand, headers that promise too much."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections.abc import Sequence

from PIL import Image, ImageDraw

LETTER = "/MediaBox [0 0 612 792]"
_PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def written(objects: Sequence[bytes], *, trailer: bytes = b"") -> bytes:
    """A PDF file of these objects, numbered from 1; the first is its catalog."""
    out = bytearray(b"%PDF-1.7\n")
    starts = []
    for number, body in enumerate(objects, 1):
        starts.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    xref = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % start for start in starts)
    out += b"trailer\n<< /Size %d /Root 1 0 R " % (len(objects) + 1) + trailer
    return bytes(out + b">>\nstartxref\n%d\n%%%%EOF\n" % xref)


def stream(body: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d " % len(body) + entries + b">>\nstream\n" + body + b"\nendstream"


def pdf(content: str = "", *, page: str = LETTER, pages: int = 1, resources: str = "") -> bytes:
    """A PDF whose pages all show the same content; Helvetica is /F1."""
    kids = " ".join(f"{number} 0 R" for number in range(5, 5 + pages))
    leaf = (
        f"<< /Type /Page /Parent 2 0 R {page} /Contents 4 0 R "
        f"/Resources << /Font << /F1 3 0 R >> {resources} >> >>"
    )
    return written(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>".encode(),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            stream(content.encode()),
            *[leaf.encode()] * pages,
        ]
    )


def words(text: str, x: float, y: float, *, matrix: str = "1 0 0 1", size: int = 24) -> str:
    return f"BT /F1 {size} Tf {matrix} {x} {y} Tm ({text}) Tj ET\n"


def mapped_pdf(content: str, stands_for: str) -> bytes:
    """A PDF whose font maps the glyph X to this text (UTF-16, in hexadecimal)."""
    table = f"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CMapName /Own def /CMapType 2 def 1 begincodespacerange <00> <FF> endcodespacerange
1 beginbfchar <58> <{stands_for}> endbfchar endcmap end end"""
    return written(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R {LETTER} /Contents 5 0 R"
            " /Resources << /Font << /F1 4 0 R >> >> >>".encode(),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>",
            stream(content.encode()),
            stream(table.encode()),
        ]
    )


def image_pdf(content: str, *, page: str = LETTER) -> bytes:
    """A PDF with a one-pixel black image as /I and a form /M that draws it at half size."""
    pixel = stream(
        b"\0",
        b"/Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8"
        b" /ColorSpace /DeviceGray ",
    )
    form = stream(
        b"/I Do",
        b"/Type /XObject /Subtype /Form /BBox [0 0 1 1] /Matrix [.5 0 0 .5 0 0]"
        b" /Resources << /XObject << /I 5 0 R >> >> ",
    )
    leaf = (
        f"<< /Type /Page /Parent 2 0 R {page} /Contents 4 0 R"
        " /Resources << /XObject << /I 5 0 R /M 6 0 R >> >> >>"
    )
    return written(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            leaf.encode(),
            stream(content.encode()),
            pixel,
            form,
        ]
    )


def locked_pdf(password: str) -> bytes:
    """A PDF of one page that opens with this password (RC4, 40 bits)."""
    padded = (password.encode() + _PAD)[:32]
    owner = _rc4(hashlib.md5(padded).digest()[:5], padded)
    rights = struct.pack("<i", -4)
    identity = b"0123456789abcdef"
    key = hashlib.md5(padded + owner + rights + identity).digest()[:5]
    user = _rc4(key, _PAD)
    body = _rc4(
        hashlib.md5(key + struct.pack("<I", 5)[:3] + b"\0\0").digest()[:10],
        words("secret", 72, 600).encode(),
    )
    return written(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R"
            b" /Resources << /Font << /F1 4 0 R >> >> >>",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            stream(body),
            b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>"
            % (owner.hex().encode(), user.hex().encode()),
        ],
        trailer=b"/Encrypt 6 0 R /ID [<%s> <%s>] " % ((identity.hex().encode(),) * 2),
    )


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def png_bomb(side: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(1 << 16)))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """Four by four black pixels, with further metadata."""
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
        + b"".join(_chunk(kind, body) for kind, body in chunks)
        + _chunk(b"IDAT", zlib.compress(bytes(4 * 13)))
        + _chunk(b"IEND", b"")
    )


def tiff_chain(frames: int, *, then: int = 0) -> bytes:
    """A TIFF of `frames` frames of one pixel; the last one has `then` as the next offset."""
    entries = ((256, 4, 1), (257, 4, 1), (258, 3, 8), (262, 3, 1), (273, 4, 8), (279, 4, 1))
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    size = len(directory) + 4
    offsets = [*(8 + size * number for number in range(1, frames)), then]
    return b"II*\0\x08\0\0\0" + b"".join(directory + struct.pack("<I", at) for at in offsets)


def bombs() -> dict[str, bytes]:
    """Files of a few bytes that claim to be enormous."""
    small = Image.new("L", (4, 4))
    gif = bytearray(encoded(small, "GIF"))
    gif[6:10] = struct.pack("<HH", 65000, 65000)
    bmp = bytearray(encoded(small, "BMP"))
    bmp[18:26] = struct.pack("<ii", 50000, 50000)
    tiff = bytearray(encoded(small, "TIFF"))
    for tag in (256, 257):  # width, height: the first two entries of the directory
        at = tiff.index(struct.pack("<HHI", tag, 4, 1)) + 8
        tiff[at : at + 4] = struct.pack("<I", 50000)
    avif = bytearray(encoded(small.convert("RGB"), "AVIF"))
    at = avif.index(b"ispe") + 8
    avif[at : at + 8] = struct.pack(">II", 50000, 50000)
    lossless = (16383 << 14) | 16383
    webp = b"WEBPVP8L" + struct.pack("<IBI", 6, 0x2F, lossless) + b"\0\0"
    return {
        "png": png_bomb(50_000),
        "avif": bytes(avif),
        "gif": bytes(gif),
        "bmp": bytes(bmp),
        "tiff": bytes(tiff),
        "webp": b"RIFF" + struct.pack("<I", len(webp)) + webp,
    }


def layered_pdf(content: str) -> bytes:
    """A page with the layers /On and /Off, and the opacities /Clear, /Half and /Opaque."""
    resources = (
        "/Properties << /On 6 0 R /Off 7 0 R >> /ExtGState << /Clear << /ca 0 /CA 0 >> "
        "/Half << /ca 0.5 /CA 0.5 >> /Opaque << /ca 1 /CA 1 >> >>"
    )
    return written(
        [
            b"<< /Type /Catalog /Pages 2 0 R /OCProperties << /OCGs [6 0 R 7 0 R] "
            b"/D << /OFF [7 0 R] /ON [6 0 R] >> >> >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R {LETTER} /Contents 5 0 R "
            f"/Resources << /Font << /F1 4 0 R >> {resources} >> >>".encode(),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            stream(content.encode()),
            b"<< /Type /OCG /Name (on) >>",
            b"<< /Type /OCG /Name (off) >>",
        ]
    )


def scan_pdf(
    layer: str, text: str, x: float, y: float, *, size: tuple[int, int] = (612, 792)
) -> bytes:
    """A page of that size in points: an image of 612 x 792 pixels with the text, painted over the
    text layer `layer`."""
    width, height = size
    image = Image.new("L", (612, 792), 255)
    draw = ImageDraw.Draw(image)
    draw.text((x, 792 - y), text, fill=0, font_size=24, anchor="ls")
    scan = stream(
        zlib.compress(image.tobytes()),
        b"/Type /XObject /Subtype /Image /Width 612 /Height 792 /BitsPerComponent 8"
        b" /ColorSpace /DeviceGray /Filter /FlateDecode ",
    )
    return written(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 5 0 R "
            "/Resources << /Font << /F1 4 0 R >> /XObject << /I 6 0 R >> >> >>".encode(),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            stream(f"{layer} q {width} 0 0 {height} 0 0 cm /I Do Q".encode()),
            scan,
        ]
    )
