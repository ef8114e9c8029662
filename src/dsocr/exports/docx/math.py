"""LaTeX to OMML, Word's formulas, by way of MathML. Element names by ECMA-376, part 1, 22.1."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import unescape
from xml.etree.ElementTree import Element

from dsocr.exports.docx.runs import clean
from dsocr.exports.markup.formula import to_element

_ALIGNED = re.compile(r"\\(begin|end)\{(?:aligned|split|gathered)\}")
_NARY = frozenset("∑∏∐∫∬∭∮⋃⋂⋁⋀⨁⨂")
_LIMITS = ("lim", "max", "min", "sup", "inf", "limsup", "liminf", "argmax", "argmin")
_ACCENTS = {
    "^": "\u0302",
    "~": "\u0303",
    "\u02dc": "\u0303",
    "\u02d9": "\u0307",
    "\u00a8": "\u0308",
    "\u2192": "\u20d7",
    "\u02c7": "\u030c",
    "\u02d8": "\u0306",
    "\u00b4": "\u0301",
    "`": "\u0300",
}
"""The character of MathML -> the combining one that Word wants."""
_BARS = ("\u00af", "\u2015", "_", "\u0332", "\u0305", "\u203e")
_BRACES = ("\u23de", "\u23df", "\u23b4", "\u23b5")
_FONT = '<w:rPr><w:rFonts w:ascii="Cambria Math" w:hAnsi="Cambria Math"/></w:rPr>'
_TEXTS = ("mi", "mn", "mo", "mtext", "ms")


def to_omml(latex: str, *, block: bool) -> str | None:
    """A formula of its own line or one in a line; None if it cannot be read."""
    element = to_element(_ALIGNED.sub(r"\\\1{align*}", latex), block=block)
    try:
        inside = "" if element is None else _children(list(element))
    except RecursionError:
        return None
    if not inside:
        return None
    formula = f"<m:oMath>{inside}</m:oMath>"
    return f"<m:oMathPara>{formula}</m:oMathPara>" if block else formula


def _children(elements: Sequence[Element]) -> str:
    parts: list[str] = []
    at = 0
    while at < len(elements):
        element = elements[at]
        if _is_nary(element):
            parts.append(_nary(element, elements[at + 1 : at + 2]))
            at += 1  # the sum has taken what it is of
        else:
            parts.append(_omml(element))
        at += 1
    return "".join(parts)


def _omml(element: Element) -> str:
    if element.tag in _TEXTS:
        return _text(element)
    write = _WRITERS.get(element.tag)
    return write(list(element), element) if write else _row(element)


def _text(element: Element) -> str:
    text = unescape(element.text or "")
    if element.tag == "mi" and text == "&" or not text:
        return ""
    style = ""
    if element.tag == "mtext":
        style = "<m:rPr><m:nor/></m:rPr>"
    elif element.tag == "mi" and len(text) > 1 or element.get("mathvariant") == "normal":
        style = '<m:rPr><m:sty m:val="p"/></m:rPr>'
    return f'<m:r>{style}{_FONT}<m:t xml:space="preserve">{clean(text)}</m:t></m:r>'


def _row(element: Element) -> str:
    children = list(element)
    first, last = (_fence(children[place]) if children else None for place in (0, -1))
    if len(children) > 1 and first is not None and children[0].get("form") == "prefix":
        closed = children[-1].get("form") == "postfix"
        inside = _children(children[1 : len(children) - closed])
        end = (last or "") if closed else ""
        begin = f'<m:begChr m:val="{clean(first)}"/>'
        return f'<m:d><m:dPr>{begin}<m:endChr m:val="{clean(end)}"/></m:dPr>{_e(inside)}</m:d>'
    return _children(children)


def _fence(element: Element) -> str | None:
    if element.tag == "mo" and element.get("fence") == "true":
        return unescape(element.text or "")
    return None


def _is_nary(element: Element) -> bool:
    base = element[0] if len(element) > 1 and element.tag in _SCRIPTS else element
    return base.tag == "mo" and unescape(base.text or "") in _NARY


def _nary(element: Element, following: Sequence[Element]) -> str:
    base, lower, upper = element, "", ""
    if element.tag in _SCRIPTS:
        base = element[0]
        names = _SCRIPTS[element.tag]
        limits = dict(zip(names, (_omml(child) for child in list(element)[1:]), strict=False))
        lower, upper = limits.get("sub", ""), limits.get("sup", "")
    place = "undOvr" if element.tag.startswith("mu") or element.tag == "mover" else "subSup"
    hidden = "" if lower else '<m:subHide m:val="1"/>'
    hidden += "" if upper else '<m:supHide m:val="1"/>'
    sign = clean(unescape(base.text or ""))
    properties = f'<m:naryPr><m:chr m:val="{sign}"/><m:limLoc m:val="{place}"/>{hidden}</m:naryPr>'
    inside = _e(_children(following))
    return f"<m:nary>{properties}<m:sub>{lower}</m:sub><m:sup>{upper}</m:sup>{inside}</m:nary>"


def _fraction(children: list[Element], element: Element) -> str:
    top, bottom = _two(children)
    bar = ""
    if element.get("linethickness") in ("0", "0px", "0pt"):
        bar = '<m:fPr><m:type m:val="noBar"/></m:fPr>'
    return f"<m:f>{bar}<m:num>{top}</m:num><m:den>{bottom}</m:den></m:f>"


def _square_root(children: list[Element], element: Element) -> str:
    inside = _e(_children(children))
    return f'<m:rad><m:radPr><m:degHide m:val="1"/></m:radPr><m:deg/>{inside}</m:rad>'


def _root(children: list[Element], element: Element) -> str:
    inside, degree = _two(children)
    return f"<m:rad><m:deg>{degree}</m:deg>{_e(inside)}</m:rad>"


def _script(name: str, part: str) -> Callable[[list[Element], Element], str]:
    def write(children: list[Element], element: Element) -> str:
        if children and part == "sub" and _is_limit(children[0]):
            return _limit("limLow", *_two(children))
        base, script = _two(children)
        return f"<m:{name}>{_e(base)}<m:{part}>{script}</m:{part}></m:{name}>"

    return write


def _both_scripts(children: list[Element], element: Element) -> str:
    base, lower, upper = _omitted(children, 3)
    return f"<m:sSubSup>{_e(base)}<m:sub>{lower}</m:sub><m:sup>{upper}</m:sup></m:sSubSup>"


def _is_limit(element: Element) -> bool:
    return element.tag in ("mo", "mi") and (element.text or "").replace(" ", "") in _LIMITS


def _over(children: list[Element], element: Element) -> str:
    base, above = _two(children)
    sign = _sign(children)
    if sign in _ACCENTS:
        return f'<m:acc><m:accPr><m:chr m:val="{_ACCENTS[sign]}"/></m:accPr>{_e(base)}</m:acc>'
    if sign in _BARS:
        return f'<m:bar><m:barPr><m:pos m:val="top"/></m:barPr>{_e(base)}</m:bar>'
    if sign in _BRACES:
        return _group(base, sign, "top", "bot")
    return _limit("limUpp", base, above)


def _under(children: list[Element], element: Element) -> str:
    base, below = _two(children)
    sign = _sign(children)
    if sign in _BARS:
        return f'<m:bar><m:barPr><m:pos m:val="bot"/></m:barPr>{_e(base)}</m:bar>'
    if sign in _BRACES:
        return _group(base, sign, "bot", "top")
    return _limit("limLow", base, below)


def _under_and_over(children: list[Element], element: Element) -> str:
    base, below, above = _omitted(children, 3)
    return _limit("limUpp", _limit("limLow", base, below), above)


def _sign(children: list[Element]) -> str:
    """The one character that stands above or below, if it is one."""
    if len(children) > 1 and children[1].tag == "mo":
        return unescape(children[1].text or "")
    return ""


def _group(base: str, sign: str, place: str, base_place: str) -> str:
    properties = f'<m:chr m:val="{sign}"/><m:pos m:val="{place}"/><m:vertJc m:val="{base_place}"/>'
    return f"<m:groupChr><m:groupChrPr>{properties}</m:groupChrPr>{_e(base)}</m:groupChr>"


def _limit(name: str, base: str, limit: str) -> str:
    return f"<m:{name}>{_e(base)}<m:lim>{limit}</m:lim></m:{name}>"


def _table(children: list[Element], element: Element) -> str:
    rows = [[_children(list(cell)) for cell in row] for row in children]
    columns = max(map(len, rows), default=0)
    if not columns:
        return ""
    justify = '<m:mcJc m:val="center"/>'
    count = f'<m:mc><m:mcPr><m:count m:val="{columns}"/>{justify}</m:mcPr></m:mc>'
    full = [row + [""] * (columns - len(row)) for row in rows]
    body = "".join(f"<m:mr>{''.join(map(_e, row))}</m:mr>" for row in full)
    return f"<m:m><m:mPr><m:mcs>{count}</m:mcs></m:mPr>{body}</m:m>"


def _space(children: list[Element], element: Element) -> str:
    text = "\n" if element.get("linebreak") == "newline" else " "
    inside = "<w:br/>" if text == "\n" else '<m:t xml:space="preserve"> </m:t>'
    return f"<m:r>{_FONT}{inside}</m:r>"


def _nothing(children: list[Element], element: Element) -> str:
    return ""


def _two(children: list[Element]) -> tuple[str, str]:
    first, second = _omitted(children, 2)
    return first, second


def _omitted(children: list[Element], count: int) -> list[str]:
    """So many children; a broken formula may lack some."""
    return [_omml(child) for child in children[:count]] + [""] * (count - len(children))


def _e(inside: str) -> str:
    return f"<m:e>{inside}</m:e>"


_SCRIPTS = {
    "msub": ("sub",),
    "msup": ("sup",),
    "msubsup": ("sub", "sup"),
    "munder": ("sub",),
    "mover": ("sup",),
    "munderover": ("sub", "sup"),
}
_WRITERS: dict[str, Callable[[list[Element], Element], str]] = {
    "mfrac": _fraction,
    "msqrt": _square_root,
    "mroot": _root,
    "msub": _script("sSub", "sub"),
    "msup": _script("sSup", "sup"),
    "msubsup": _both_scripts,
    "mover": _over,
    "munder": _under,
    "munderover": _under_and_over,
    "mtable": _table,
    "mspace": _space,
    "mphantom": _nothing,
    "none": _nothing,
    "mprescripts": _nothing,
}
