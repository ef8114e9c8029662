"""LaTeX to MathML, which browsers render without a script."""

from __future__ import annotations

import re
from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

TAGS = frozenset(
    {"math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "mfrac", "msqrt", "mroot"}
    | {"msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts", "mprescripts"}
    | {"mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose", "none"}
)
ATTRIBUTES = frozenset(
    {"display", "displaystyle", "scriptlevel", "mathvariant", "stretchy", "fence", "form"}
    | {"accent", "accentunder", "linethickness", "minsize", "maxsize", "lspace", "rspace"}
    | {"width", "height", "depth", "columnalign", "columnlines", "rowlines", "movablelimits"}
)

_MACRO = re.compile(r"\\(?:re)?newcommand|\\providecommand|\\[gex]?def\b|\\let\b")


def to_mathml(latex: str, *, block: bool) -> str | None:
    """The formula as MathML, or None if it cannot be read. Never more than `TAGS` and text."""
    element = to_element(latex, block=block)
    try:
        return None if element is None else _serialise(element)
    except RecursionError:
        return None


def to_element(latex: str, *, block: bool) -> Element | None:
    """The formula as an untrusted MathML tree, whose texts have character references; None if it
    cannot be read."""
    if _MACRO.search(latex):  # short macros can grow without end
        return None
    try:
        return convert_to_element(latex, display="block" if block else "inline")
    # The library has no error class of its own and fails on broken formulas in many ways.
    except Exception:
        return None


def _serialise(element: Element) -> str:
    """Escapes what the library does not: the text of `\\text{}` and the links of `\\href`."""
    inside = _text(element.text) + "".join(
        _serialise(child) + _text(child.tail) for child in element
    )
    if element.tag not in TAGS:
        return inside
    attributes = "".join(
        f' {name}="{_text(value)}"' for name, value in element.items() if name in ATTRIBUTES
    )
    return f"<{element.tag}{attributes}>{inside}</{element.tag}>"


def _text(text: str | None) -> str:
    return escape(unescape(text or ""))
