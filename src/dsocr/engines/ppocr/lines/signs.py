"""Signs that the recognizer takes for others, where those cannot stand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dsocr.engines.ppocr.geometry import Line

_SIGNS = (
    (re.compile("\u00bd4"), "\u00bc"),  # a half and 4: a quarter
    (re.compile("1\u00bd2"), "\u00bd"),
    (re.compile(r"(?<=\d)(\s?)%[o0](?![\w%])"), "\\1\u2030"),  # per mille
    (re.compile(r"^\s*[\u3002\u25e6]\s*(?=[A-Za-z\u00c0-\u024f])"), "\u2022 "),  # a hollow bullet
    (re.compile(r"(?<=[\w.+-])(?: @|@ | @ )(?=[\w-]+\.[a-z]{2,}\b)"), "@"),  # a mail address
)
_DOLLAR = r"(?<!\w)S(?=(?:%s)(?!\w|[.,]\d))"
_AMOUNT = r"0\.\d\d|\d{1,3}(?:,\d{3})+(?:\.\d\d)?"
_SURE_DOLLAR = re.compile(_DOLLAR % _AMOUNT)
_PAGE_DOLLAR = re.compile(_DOLLAR % rf"{_AMOUNT}|\d+\.\d\d")
"""Where other amounts of the page are in dollars: S2.10 may be a section elsewhere."""
_IN_DOLLARS = re.compile(r"\$ ?\d")
_AE = re.compile(r"\bAE(?=[a-z\u00df-\u00ff]{3})")
_NORDIC = frozenset("\u00e6\u00f8\u00d8\u00e5\u00c5\u00fe\u00f0")
_NORTHERN = _NORDIC - {"\u00e6"}
_LIGATURES = (
    (re.compile(r"\bCE(?=uvr|uf|illet|dip|soph|cum)"), "\u0152"),
    (re.compile(r"(?<=\bP)CE(?=UF\b)|\bCE(?=UVRE)"), "\u0152"),
    (re.compile(r"\bE(?=ufs?\b)"), "\u0152"),
    (re.compile(r"(?<=[bcmnsvBCMNSV])\u00e6\u0153?(?=u)"), "\u0153"),
    (re.compile(r"\bce(?=uvre|ufs?\b|illet)"), "\u0153"),
)
"""French words, where the page has no letters of the North."""
_LITRES = (
    (re.compile(r"(?<=\d [mdch])I\b|(?<=/[mdnp])I\b|(?<![IVX]/)(?<=/)I(?![\w/-])"), "l"),
    (re.compile(r"(?<=\d )I(?=fm\b|bs?\b|tr\b)"), "l"),
    (re.compile(r"((?<![\w.,/-])\d{1,3}(?:[.,]\d+)? )I(?=,)"), "\\1l"),  # no year
    (re.compile(r"(?<=\bS\.r\.)I(?=\.)"), "l"),
    (re.compile(r"((?:[a-z\u00df-\u00ff]{3},?|,) \d{1,3}(?:[.,]\d+)? )I(?=\s*$)"), "\\1l"),
    (re.compile(r"([a-z\u00df-\u00ff]{3}, \d{1,3}(?:[.,]\d+)? )1(?=\s*$)"), "\\1l"),
)
"""A capital I, or a 1 that ends an article after its amount, where only a small l is a unit."""
_PART = r"(?i:model|type?|part|art|article|artikel|item|no|nr|ref|class|lot|room|unit)"
_LITRE_AMOUNT = re.compile(
    rf"(?P<part>\b{_PART}[\s.:#]+)?(?P<amount>(?<![\w.,/-])\d+(?:[.,]\d+)?)I(?=\s|$|[),;/])"
)
"""Litres, or the number of a part."""
_PART_NUMBER = re.compile(r"(?<![\w.,/-])\d+[B-HJ-Z](?![\w'])")
"""Where others of the page are like this, 5I is one of them."""
_IN_LITRES = re.compile(r"\d ?(?:[mcdh]?l|[Ll]it(?:er|re)s?)\b|\w/[mdnp]?[lI]\b")
_NUMBER_SIGN = re.compile(
    r"\b((?:\w+ungs|\w*(?:trags|frags|kunden|liefer|schein|stell|artikel|teile|serien|steuer|konto"
    r"|projekt|personal|material|mitglieds))-)(?:N[o\u00ba\u00b0]|\u2116)(?=[\s:.]|$)",
    re.IGNORECASE,
)
"""After the first part of a German compound."""
_GERMAN = re.compile(r"[\u00e4\u00f6\u00fc\u00df]|\b(?:Rechnung|Kunde|Datum|und|der|Liefer)")
_MIN_GERMAN = 2
"""Lines with German letters or words on a page."""
_TEN = "\u5341"
"""The Chinese numeral, which looks like a plus sign."""


def with_signs(lines: Sequence[Line]) -> list[Line]:
    in_dollars = any(_IN_DOLLARS.search(line.text) for line in lines)
    dollar = _PAGE_DOLLAR if in_dollars else _SURE_DOLLAR
    is_northern = any(not _NORTHERN.isdisjoint(line.text) for line in lines)
    is_nordic = any(not _NORDIC.isdisjoint(line.text) for line in lines)
    replaced = [(dollar, "$"), *([(_AE, "\u00c6")] if is_nordic else []), *_LITRES]
    replaced += [] if is_northern else _LIGATURES
    if sum(bool(_GERMAN.search(line.text)) for line in lines) >= _MIN_GERMAN:
        replaced.append((_NUMBER_SIGN, "\\1Nr."))
    return [_with_signs(line, [*_SIGNS, *replaced]) for line in _with_litres(lines)]


def _with_litres(lines: Sequence[Line]) -> list[Line]:
    """The lines; 5I is 5l beside other words, or on a page that has litres elsewhere."""
    in_litres = any(_IN_LITRES.search(line.text) for line in lines)
    if not in_litres and any(_PART_NUMBER.search(line.text) for line in lines):
        return list(lines)
    texts = [_LITRE_AMOUNT.sub(_in_litres, line.text) for line in lines]
    return [
        line.with_text(text)
        if text != line.text and (in_litres or not _LITRE_AMOUNT.fullmatch(line.text.strip()))
        else line
        for line, text in zip(lines, texts, strict=True)
    ]


def _in_litres(found: re.Match[str]) -> str:
    return found[0] if found["part"] else f"{found['amount']}l"


def _with_signs(line: Line, signs: Sequence[tuple[re.Pattern[str], str]]) -> Line:
    text = line.text.replace(_TEN, "+") if _is_ascii_but_ten(line.text) else line.text
    for sign, right in signs:
        text = sign.sub(right, text)
    return line if text == line.text else line.with_text(text)


def _is_ascii_but_ten(text: str) -> bool:
    return _TEN in text and len(text) > 1 and text.replace(_TEN, "").isascii()
