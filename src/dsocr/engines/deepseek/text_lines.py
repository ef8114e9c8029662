"""The lines of a page's text layer: where it can stand for recognized lines, and for drafts."""

from __future__ import annotations

import unicodedata

from dsocr.types import PageImage, TextLine

SCAN_IMAGE_SHARE = 0.6
"""A page with at least this share under raster images is a scan: its text layer comes from another
OCR, whose text and boxes may be wrong."""
MAX_INVALID_SHARE = 0.02
"""Of a text layer's characters. A font without a character map gives more invalid ones."""
MAX_LAYER_CHARACTERS = 32_768
"""Of a page's text layer that are handed to the model's process; a page's context holds fewer."""
_INVALID_CATEGORIES = frozenset({"Cc", "Cn", "Co", "Cs"})


def born_digital_lines(page: PageImage) -> tuple[TextLine, ...]:
    """The text layer of a born-digital PDF page; empty for images, scans and illegible layers."""
    lines = page.text_lines or ()
    if page.image_share >= SCAN_IMAGE_SHARE or not _is_legible(lines):
        return ()
    return lines


def text_layer(page: PageImage) -> list[str]:
    """The text of a PDF page's layer, that of a scan included, up to `MAX_LAYER_CHARACTERS`: it
    suggests what the model may write, and decides nothing."""
    lines, left = [], MAX_LAYER_CHARACTERS
    for line in (*(page.text_lines or ()), *page.hidden_lines):
        if left <= 0:
            break
        lines.append(line.text[:left])
        left -= len(line.text)
    return lines


def _is_legible(lines: tuple[TextLine, ...]) -> bool:
    text = "".join(line.text for line in lines)
    return sum(map(_is_invalid, text)) <= MAX_INVALID_SHARE * len(text)


def _is_invalid(character: str) -> bool:
    return character == "\ufffd" or unicodedata.category(character) in _INVALID_CATEGORIES
