"""A zip with the markdown, the figures it links, and the JSON. Same document, same bytes."""

from __future__ import annotations

import io
import zipfile

from dsocr.exports import Assets, json, markdown
from dsocr.exports.figures import crop_figures
from dsocr.types import Document

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold; files carry no other, so that equal documents are equal."""


def render(document: Document, assets: Assets | None = None) -> bytes:
    """Every name in it is ours: none comes from the document's own name or text."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        _add(archive, "document.md", markdown.render(document, assets))
        _add(archive, "document.json", json.render(document, assets))
        for page in document.pages:
            for path, content in crop_figures(page, assets).items():
                _add(archive, path, content, compress=False)
    return out.getvalue()


def _add(archive: zipfile.ZipFile, path: str, content: bytes, *, compress: bool = True) -> None:
    entry = zipfile.ZipInfo(path, EPOCH)
    entry.create_system = 3  # Unix, on whatever system it is made
    entry.external_attr = 0o644 << 16
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    archive.writestr(entry, content, method)
