"""A zip with the markdown, the figures it links, and the JSON. Same document, same bytes."""

from __future__ import annotations

import dataclasses
import zipfile
from typing import BinaryIO, cast

from dsocr.exports import Assets, json, markdown
from dsocr.exports.figures import crop_figures
from dsocr.exports.options import DEFAULTS, ExportOptions
from dsocr.types import Document

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold. All entries carry it: equal documents give equal bytes."""


def write(
    document: Document,
    out: BinaryIO,
    assets: Assets | None = None,
    options: ExportOptions = DEFAULTS,
) -> None:
    """Entry names are generated: none comes from the document's own name or text."""
    linked = dataclasses.replace(options, figures="linked")
    with zipfile.ZipFile(out, "w") as archive:
        with archive.open(_entry("document.md", zipfile.ZIP_DEFLATED), "w") as entry:
            markdown.write(document, cast(BinaryIO, entry), None, linked)
        with archive.open(_entry("document.json", zipfile.ZIP_DEFLATED), "w") as entry:
            json.write(document, cast(BinaryIO, entry))
        for page in document.pages:
            for path, content in crop_figures(page, assets).items():
                archive.writestr(_entry(path, zipfile.ZIP_STORED), content)


def _entry(path: str, method: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, EPOCH)
    entry.compress_type = method
    entry.create_system = 3  # Unix on every system, so that the bytes are the same
    entry.external_attr = 0o644 << 16
    return entry
