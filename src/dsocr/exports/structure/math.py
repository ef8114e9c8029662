"""Formulas between dollars instead of brackets."""

from __future__ import annotations

import re

from dsocr.exports.structure.unescape import KEPT

_LONE_DOLLAR = re.compile(r"(?<!\\)\$")


def with_dollars(markdown: str) -> str:
    """`\\(x\\)` as `$x$` and `\\[x\\]` as `$$x$$`; a dollar of the text is escaped, code stays."""
    if "$" not in markdown and "\\" not in markdown:
        return markdown
    parts: list[str] = []
    at = 0
    for found in KEPT.finditer(markdown):
        parts += [_escaped(markdown[at : found.start()]), _formula(found)]
        at = found.end()
    return "".join([*parts, _escaped(markdown[at:])])


def _formula(found: re.Match[str]) -> str:
    if found[1] is not None:
        return f"${found[1].strip()}$"
    return f"$${found[2]}$$" if found[2] is not None else found[0]


def _escaped(text: str) -> str:
    return _LONE_DOLLAR.sub(r"\\$", text)
