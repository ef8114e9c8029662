"""Names of files in messages."""

from __future__ import annotations

from unicodedata import category

_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
"""Categories of control characters, lone surrogates, and separators of lines and paragraphs."""


def printable(name: str) -> str:
    """A file's name for a line of a message: what breaks or controls a line, and bytes that are no
    text, are escaped."""
    return "".join(_escaped(c) if category(c) in _UNPRINTABLE else c for c in name)


def _escaped(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a name that is not in UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
