"""A minimal PDF writer: numbered objects, compressed streams, pages, a cross-reference table."""

from __future__ import annotations

A4 = (595.28, 841.89)
"""Points."""
FLATE = "/Filter /FlateDecode"
"""Dictionary entry of a stream that zlib has compressed."""


class PdfWriter:
    """Collects objects and pages; `content` is the file."""

    def __init__(self) -> None:
        self._objects: list[bytes] = []
        self._pages: list[int] = []
        self._tree = self.add(b"")  # filled in by `content`, once the pages are known

    def add(self, body: bytes) -> int:
        """Adds an object; returns its number."""
        self._objects.append(body)
        return len(self._objects)

    def add_stream(self, data: bytes, entries: str) -> int:
        """`entries`: of its dictionary, beside the length; the filter that `data` needs too."""
        head = f"<< {entries} /Length {len(data)} >>\nstream\n".encode()
        return self.add(head + data + b"\nendstream")

    def add_page(
        self,
        compressed: bytes,
        resources: str,
        *,
        size: tuple[float, float] = A4,
        entries: str = "",
    ) -> None:
        """A page with a compressed content stream. `resources`: a dictionary's entries; `entries`:
        more of the page's own."""
        contents = self.add_stream(compressed, FLATE)
        width, height = size
        body = (
            f"<< /Type /Page /Parent {self._tree} 0 R /MediaBox [0 0 {width:g} {height:g}] "
            f"/Resources << {resources} >> /Contents {contents} 0 R {entries} >>"
        )
        self._pages.append(self.add(body.encode()))

    def content(self, catalog: str = "") -> bytes:
        """The whole file. `catalog`: more entries of its catalog."""
        kids = " ".join(f"{number} 0 R" for number in self._pages)
        tree = f"<< /Type /Pages /Count {len(self._pages)} /Kids [{kids}] >>"
        self._objects[self._tree - 1] = tree.encode()
        root = self.add(f"<< /Type /Catalog /Pages {self._tree} 0 R {catalog} >>".encode())
        parts, offsets = [b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"], []
        position = len(parts[0])
        for number, body in enumerate(self._objects, start=1):
            offsets.append(position)
            parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, body))
            position += len(parts[-1])
        count = len(offsets) + 1
        parts.append(f"xref\n0 {count}\n0000000000 65535 f \n".encode())
        parts += [b"%010d 00000 n \n" % offset for offset in offsets]
        parts.append(f"trailer\n<< /Size {count} /Root {root} 0 R >>\n".encode())
        parts.append(b"startxref\n%d\n%%%%EOF\n" % position)
        return b"".join(parts)
