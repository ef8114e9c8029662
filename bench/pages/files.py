"""The first page of a file, decoded as the service decodes it."""

from __future__ import annotations

from pathlib import Path

from dsocr.pages.sandbox import Sandbox
from dsocr.pages.source import open_document
from dsocr.types import PageImage


async def first_page(path: Path, sandbox: Sandbox) -> PageImage:
    """Upright and in RGB, with a PDF's own text."""
    async with await open_document(path, name=path.name, sandbox=sandbox) as source:
        return await source.render_page(0, dpi=None)
