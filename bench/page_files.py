"""The first page of a file, decoded as the service decodes it."""

from __future__ import annotations

from pathlib import Path

from dsocr.pages.sandbox import Sandbox
from dsocr.pages.source import open_source
from dsocr.types import PageImage


async def first_page(path: Path, sandbox: Sandbox, *, dpi: float) -> PageImage:
    """Upright and in RGB, with a PDF's own text."""
    async with await open_source(path, name=path.name, sandbox=sandbox) as source:
        return await source.page(0, dpi=dpi)
