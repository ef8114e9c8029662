"""Runs of WordprocessingML: text with one formatting."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from dsocr.exports.language.direction import is_right_to_left

_INVALID = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML cannot hold."""
_RIGHT_LETTER = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc"
_PARTS = re.compile(rf"[{_RIGHT_LETTER}](?:[^A-Za-z0-9\u00c0-\u058f]*[{_RIGHT_LETTER}])*")
"""Right-to-left letters, and what stands between them."""
_EAST_ASIAN = re.compile("[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]")
_BREAKS = re.compile("([\t\n])")


@dataclass(frozen=True, slots=True)
class Style:
    """Character formatting."""

    bold: bool = False
    italic: bool = False
    strike: bool = False
    underline: bool = False
    subscript: bool = False
    superscript: bool = False
    code: bool = False
    link: bool = False


PLAIN = Style()


def clean(text: str) -> str:
    """Without the characters that XML cannot hold, and escaped."""
    return escape(_INVALID.sub("", text), {'"': "&quot;"})


def runs(text: str, style: Style = PLAIN) -> str:
    """The text as runs. Right-to-left letters are runs of their own, which Word shows with other
    fonts. Line breaks and tabs of the text stay."""
    return "".join(_run(part, style, right=right) for part, right in _by_direction(text) if part)


def paragraph_direction(text: str) -> str:
    """The property of a paragraph that runs from right to left; else nothing."""
    return "<w:bidi/>" if is_right_to_left(text) else ""


def _by_direction(text: str) -> Iterator[tuple[str, bool]]:
    if text.isascii():
        yield text, False
        return
    at = 0
    for found in _PARTS.finditer(text):
        yield text[at : found.start()], False
        yield found[0], True
        at = found.end()
    yield text[at:], False


def _run(text: str, style: Style, *, right: bool) -> str:
    properties = _properties(style, hint=bool(_EAST_ASIAN.search(text)), right=right)
    return f"<w:r>{properties}{''.join(map(_piece, _BREAKS.split(text)))}</w:r>"


def _piece(text: str) -> str:
    if text == "\n":
        return "<w:br/>"
    if text == "\t":
        return "<w:tab/>"
    return f'<w:t xml:space="preserve">{clean(text)}</w:t>' if text else ""


def _properties(style: Style, *, hint: bool, right: bool) -> str:
    """In the order of the schema."""
    found = ""
    if style.code or style.link:
        found += f'<w:rStyle w:val="{"Code" if style.code else "Hyperlink"}"/>'
    found += '<w:rFonts w:hint="eastAsia"/>' if hint else ""
    found += "<w:b/><w:bCs/>" if style.bold else ""
    found += "<w:i/><w:iCs/>" if style.italic else ""
    found += "<w:strike/>" if style.strike else ""
    found += '<w:u w:val="single"/>' if style.underline else ""
    if style.subscript or style.superscript:
        found += f'<w:vertAlign w:val="{"subscript" if style.subscript else "superscript"}"/>'
    found += "<w:rtl/>" if right else ""
    return f"<w:rPr>{found}</w:rPr>" if found else ""
