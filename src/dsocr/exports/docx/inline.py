"""Text with formulas and footnote marks as runs."""

from __future__ import annotations

import re
from collections.abc import Callable

from dsocr.exports.docx.math import to_omml
from dsocr.exports.docx.runs import Style, runs
from dsocr.exports.markup.footnotes import REFERENCE
from dsocr.exports.markup.safe_html import FORMULA

AddNote = Callable[[str], int | None]
"""The id of the footnote with that label, or None if there is no such footnote."""

_PARTS = re.compile(f"{FORMULA.pattern}|{REFERENCE.pattern}")


def inline(text: str, style: Style, add_note: AddNote) -> str:
    """The runs of a text. A formula that cannot be read stays as its source."""
    if style.code:
        return runs(text, style)
    parts: list[str] = []
    at = 0
    for found in _PARTS.finditer(text):
        parts += [runs(text[at : found.start()], style), _special(found, style, add_note)]
        at = found.end()
    return "".join([*parts, runs(text[at:], style)])


def _special(found: re.Match[str], style: Style, add_note: AddNote) -> str:
    in_line, block, label = found.groups()
    if label is not None:
        number = add_note(label)
        return runs(found[0], style) if number is None else _mark(number)
    formula = to_omml(in_line or block, block=block is not None)
    return formula or runs(found[0], style)


def _mark(number: int) -> str:
    style = '<w:rPr><w:rStyle w:val="FootnoteReference"/></w:rPr>'
    return f'<w:r>{style}<w:footnoteReference w:id="{number}"/></w:r>'
