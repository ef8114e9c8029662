"""Footnotes of a page's markdown: `[^1]` in the text, and `[^1]: ...` where it is explained."""

from __future__ import annotations

import re

_LABEL = r"\[\^([^\]\s]{1,40})\]"
REFERENCE = re.compile(_LABEL + r"(?!:)")
_DEFINITION = re.compile(
    rf"^{_LABEL}:[ \t]+(\S[^\n]*(?:\n(?!{_LABEL}:)[ \t]*[^\s][^\n]*)*)\n?", re.M
)


def footnotes_as_text(markdown: str) -> str:
    """The markdown with its footnotes as paragraphs where they stand; markdown takes the note
    `[^1]: Ibid.` for the target of a link."""
    return _DEFINITION.sub(lambda found: "\\" + found[0], markdown)


def split_footnotes(markdown: str) -> tuple[str, dict[str, str]]:
    """The markdown without the footnotes that it refers to, and these by their labels. One without
    a reference stays in the text."""
    referred = {found[1] for found in REFERENCE.finditer(markdown)}
    notes: dict[str, str] = {}

    def take(found: re.Match[str]) -> str:
        label, text = found[1], found[2]
        if label not in referred or label in notes:
            return "\\" + found[0]  # without the backslash it is a link's target in markdown
        notes[label] = " ".join(text.split())
        return ""

    return _DEFINITION.sub(take, markdown), notes
