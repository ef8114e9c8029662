"""Undoes double escapes: `\\\\*` for `\\*`, and `&amp;amp;` for `&amp;`."""

from __future__ import annotations

import re
from collections.abc import Callable

from dsocr.exports.markup.safe_html import FORMULA

_CODE = r"(?s:```.*?(?:```|\Z)|`[^`\n]*`)"
KEPT = re.compile(f"{FORMULA.pattern}|{_CODE}")
"""Formulas and code, in which a backslash has another meaning."""
_BACKSLASHES = re.compile(r"\\\\([*_#`~|<>$+.!{}-])")
_ENTITY = re.compile(
    r"&amp;((?:amp;)*)(?=(?:amp|lt|gt|quot|apos|nbsp|#\d{1,7}|#x[0-9a-fA-F]{1,6});)"
)


def unescaped(markdown: str) -> str:
    return outside(markdown, _unescaped)


def outside(markdown: str, change: Callable[[str], str]) -> str:
    """The text with everything but formulas and code changed."""
    parts: list[str] = []
    at = 0
    for found in KEPT.finditer(markdown):
        parts += [change(markdown[at : found.start()]), found[0]]
        at = found.end()
    return "".join([*parts, change(markdown[at:])])


def _unescaped(text: str) -> str:
    return _ENTITY.sub("&", _BACKSLASHES.sub(r"\\\1", text))
