"""Text as it is compared: one form for letters that look alike, without what is not seen.

Compatibility forms (full-width digits, ligatures), composed and decomposed letters, kinds of
hyphens, quotes, blanks and digits are made equal. Soft hyphens, zero-width characters and the
markup inside words are left out. Every character keeps the place it is from.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Ends = Literal["blank", "direct", "divided"]
"""What a line's end is: a blank; nothing; or nothing, and the hyphen before it is left out."""
ENDS: tuple[Ends, ...] = ("blank", "direct", "divided")
BORDER = "\ue000"
"""What stands for markup that no match runs over."""
MASK = "█████"
"""What stands for redacted text, whatever its length."""
MASK_LETTER = MASK[0]

_INLINE = r"b|i|u|s|em|strong|sup|sub|span|del|ins|mark|small|code|font|a"
_BLOCKS = (
    r"table|thead|tbody|tfoot|tr|td|th|caption|colgroup|col|p|div|ul|ol|li|img|figure|figcaption|"
    r"h[1-6]|blockquote|pre|hr|center"
)
_MARKUP = re.compile(
    r"(?P<path>\]\(images/\d+_\d+\.jpg\))"
    r"|(?P<line><br\s*/?>)"
    rf"|(?P<inline></?(?:{_INLINE})\b\s*>?)"
    rf"|(?P<block></?(?:{_BLOCKS})\b(?:\s+(?:row|col)span\s*=\s*[\"']?\d+[\"']?)*\s*/?>?)"
    r"|\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|(?P<entity>&#?\w{1,31};)"
    r"|(?P<cell>\|)"
    r"|(?P<emphasis>[*`~]+)",
    re.I,
)
_BLANKS = re.compile(r"\s+")
_PLAIN = re.compile(r"[ -~\n]+")
_UNSEEN = frozenset("\u034f\u0640\u115f\u1160\u17b4\u17b5\u3164\uffa0")
_EQUAL = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\ufe63\uff0d", "-"),
    **dict.fromkeys("\u2018\u2019\u201b\u02bc\u2032\u00b4`", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
}
Unit = tuple[str, int, int]
"""A character as compared, and where what it is from begins and ends."""


@dataclass(frozen=True, slots=True)
class Normal:
    text: str
    units: list[Unit]
    """For each character of `text`."""


def folded(text: str) -> str:
    """A text without markup as it is compared, without case."""
    letters = "".join(letter for letter, _, _ in _letters(text, 0))
    return " ".join(unicodedata.normalize("NFC", letters.casefold()).split())


def compact(text: str) -> str:
    """Its letters and digits alone, without case."""
    return "".join(letter for letter in folded(text) if letter.isalnum())


def units_of(text: str, *, is_markdown: bool) -> list[Unit]:
    """The characters as compared; blanks and line ends stay."""
    if not is_markdown:
        return list(_letters(text, 0))
    found: list[Unit] = []
    at = 0
    for match in _MARKUP.finditer(text):
        found += _letters(text[at : match.start()], at)
        found += _markup(match)
        at = match.end()
    found += _letters(text[at:], at)
    return found


def with_ends(units: list[Unit], ends: Ends) -> Normal:
    """Blanks as one blank each, and the ends of lines as chosen."""
    found: list[Unit] = []
    at = 0
    for blanks in _BLANKS.finditer("".join([unit[0] for unit in units])):
        start, end = blanks.span()
        found += units[at:start]
        if ends == "blank" or blanks[0].count("\n") != 1:
            found.append((" ", units[start][1], units[end - 1][2]))
        elif ends == "divided" and found and found[-1][0] == "-":
            found.pop()
        at = end
    found += units[at:]
    return Normal("".join([unit[0] for unit in found]), found)


def _markup(match: re.Match[str]) -> Iterator[Unit]:
    kind, (start, end) = match.lastgroup, match.span()
    if kind == "escaped":
        yield match["escaped"], start, end
    elif kind == "entity":
        yield from ((letter, start, end) for letter in _seen(html.unescape(match[0])))
    elif kind == "path":
        yield BORDER, start, end
    elif kind in ("block", "cell"):  # two: no word runs over it, but words may follow each other
        yield from (("\n", start, end), ("\n", start, end))
    elif kind == "line":
        yield "\n", start, end


def _letters(part: str, offset: int) -> Iterator[Unit]:
    """A letter and its marks become one or more characters that are all from the same place."""
    whole = offset + len(part)
    at = 0
    while at < len(part):
        if plain := _PLAIN.match(part, at):
            end = plain.end() - (plain.end() < len(part))  # a mark may follow the last
            yield from zip(
                part[at:end],
                range(offset + at, whole),
                range(offset + at + 1, whole + 1),
                strict=False,
            )
            at = end
            if at == len(part):
                break
        end = at + 1
        while end < len(part) and unicodedata.category(part[end]) in ("Mn", "Mc", "Me", "Cf"):
            end += 1
        for letter in _seen(part[at:end]):
            yield letter, offset + at, offset + end
        at = end


def _seen(cluster: str) -> str:
    shown = "".join(letter for letter in cluster if _is_seen(letter))
    composed = unicodedata.normalize("NFKC", shown)
    return "".join(map(_alike, composed))


def _alike(letter: str) -> str:
    if letter in _EQUAL:
        return _EQUAL[letter]
    digit = unicodedata.decimal(letter, None)
    return letter if digit is None else str(digit)


def _is_seen(letter: str) -> bool:
    if letter.isascii():
        return letter >= " " and letter != "\x7f" or letter in "\t\n\r\f\v"
    is_selector = "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"
    return not (is_selector or letter in _UNSEEN or unicodedata.category(letter) in ("Cf", "Cc"))
