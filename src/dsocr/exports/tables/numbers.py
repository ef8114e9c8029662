"""Cells of a table as numbers: which sign separates decimals, and what is a number at all."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_SPACES = "\u00a0\u202f\u2009 '\u2019"
"""Between groups of digits, besides the dot and the comma."""
_NUMBER = re.compile(rf"([-\u2212]?)\s?(\d[\d.,{_SPACES}]*)(\s?%)?")
_ACCOUNTING = re.compile(r"\((.*)\)", re.S)
"""A negative number in accounts."""
_MONEY = r"(?:US\$|[$€£¥₹₩₽]|EUR|USD|GBP|CHF|CNY|JPY)"
_WITH_CURRENCY = re.compile(rf"([-\u2212]?)({_MONEY}\s?)?(.*?)(\s?{_MONEY})?", re.S)
MAX_DIGITS = 15
"""A spreadsheet's number holds no more; longer ones are names of something."""


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    decimals: int
    grouped: bool = False
    percent: bool = False
    """`value` is a fraction then."""
    before: str = ""
    """A currency with its blank, as printed."""
    after: str = ""
    in_brackets: bool = False
    """Negative by brackets, as in accounts, not by a sign."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A cell that may be a number, without its sign, currency and percent sign."""

    digits: str
    negative: bool
    percent: bool
    before: str
    after: str
    in_brackets: bool


def decimal_votes(texts: Iterable[str]) -> dict[str, int]:
    """How many cells can be read with "," and with "." as the decimal sign only."""
    votes = {",": 0, ".": 0}
    for text in texts:
        written = _written(text)
        if written is None:
            continue
        with_comma, with_point = (_plain(written.digits, sign) is not None for sign in ",.")
        if with_comma != with_point:
            votes["," if with_comma else "."] += 1
    return votes


def decimal_of(votes: dict[str, int], default: str | None) -> str | None:
    """The decimal sign that more cells have; `default` where none is in favour of either."""
    if votes[","] == votes["."]:
        return default
    return max(votes, key=lambda sign: votes[sign])


def to_number(text: str, decimal: str | None) -> Number | None:
    """The number that a cell holds, or None if it is text: a word, a date, an identifier with
    leading zeros or more digits than a spreadsheet keeps, or a number that could be read in two
    ways while `decimal` is not known."""
    written = _written(text)
    if written is None:
        return None
    plain = _plain(written.digits, decimal) if decimal else _in_one_way(written.digits)
    if plain is None:
        return None
    whole, _, part = plain.partition(".")
    if (len(whole) > 1 and whole.startswith("0")) or len(whole + part) > MAX_DIGITS:
        return None
    value = float(plain) * (-1 if written.negative else 1) / (100 if written.percent else 1)
    return Number(
        value,
        len(part),
        grouped=len(whole) > 3 and whole not in written.digits,
        percent=written.percent,
        before=written.before,
        after=written.after,
        in_brackets=written.in_brackets,
    )


def _written(text: str) -> _Written | None:
    """None for what is no number. A plus is kept as text: it begins telephone numbers, and a
    difference keeps its sign."""
    text = text.strip()
    accounting = _ACCOUNTING.fullmatch(text)
    money = _WITH_CURRENCY.fullmatch(accounting[1].strip() if accounting else text)
    assert money is not None  # the pattern accepts any text
    found = _NUMBER.fullmatch(money[3])
    if not found or sum(map(bool, (found[1], money[1], accounting))) > 1:
        return None
    negative = bool(found[1] or money[1] or accounting)
    return _Written(
        found[2].strip(),
        negative,
        bool(found[3]),
        before=money[2] or "",
        after=money[4] or "",
        in_brackets=accounting is not None,
    )


def _plain(written: str, decimal: str) -> str | None:
    """The digits with "." as the decimal sign; None if that cannot be the decimal sign. Groups have
    three digits and one separator."""
    whole, sign, part = written.partition(decimal)
    if sign and not part.isdecimal():
        return None
    grouping = "." if decimal == "," else ","
    separators = {letter for letter in whole if not letter.isdecimal()}
    if not separators:
        return f"{whole}.{part}" if part else whole
    if len(separators) > 1 or not separators <= {grouping, *_SPACES}:
        return None
    first, *groups = whole.split(separators.pop())
    if not 1 <= len(first) <= 3 or not all(len(group) == 3 for group in groups):
        return None
    return "".join([first, *groups]) + (f".{part}" if part else "")


def _in_one_way(written: str) -> str | None:
    """The digits if both decimal signs lead to the same number, or only one can be meant."""
    found = {plain for plain in (_plain(written, sign) for sign in ",.") if plain is not None}
    return found.pop() if len(found) == 1 else None
