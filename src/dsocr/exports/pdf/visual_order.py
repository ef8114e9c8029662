"""Text from reading order to the order in which it stands on the page, from left to right.

The parts of UAX #9 that a line of plain text needs: its direction, levels of letters and numbers,
neutral characters between them, reversal by level, mirrored brackets.
"""

from __future__ import annotations

import unicodedata
from itertools import groupby

from dsocr.exports.language.direction import RIGHT, has_right_to_left

_NUMBERS = ("EN", "AN")
_IN_NUMBERS = ("ES", "CS", "ET")
_MIRRORED = str.maketrans("()[]{}<>«»", ")(][}{><»«")


def visual_order(text: str) -> str:
    """The line from left to right. A mark stays behind its letter."""
    if not has_right_to_left(text):
        return text
    clusters = _clusters(text)
    kinds = _kinds(clusters)
    base = int(kinds.count("R") > kinds.count("L"))
    levels = _levels(kinds, base)
    ordered = [
        (cluster.translate(_MIRRORED) if level % 2 else cluster, level)
        for cluster, level in zip(clusters, levels, strict=True)
    ]
    for level in range(max(levels), 0, -1):
        ordered = _reversed_from(ordered, level)
    return "".join(cluster for cluster, _ in ordered)


def _clusters(text: str) -> list[str]:
    """Letters with their marks."""
    clusters: list[str] = []
    for letter in text:
        if clusters and unicodedata.bidirectional(letter) == "NSM":
            clusters[-1] += letter
        else:
            clusters.append(letter)
    return clusters


def _kinds(clusters: list[str]) -> list[str]:
    """R, L, number (n) or neutral (-)."""
    classes = [unicodedata.bidirectional(cluster[0]) for cluster in clusters]
    kinds: list[str] = []
    for at, found in enumerate(classes):
        beside = classes[max(0, at - 1)], classes[min(len(classes) - 1, at + 1)]
        if found in _NUMBERS or (
            found in _IN_NUMBERS and _joins_number(found, beside[0], beside[1])
        ):
            kinds.append("n")
        else:
            kinds.append("R" if found in RIGHT else "L" if found == "L" else "-")
    return kinds


def _joins_number(found: str, before: str, after: str) -> bool:
    """A separator stands between two numbers; a currency or percent sign beside one."""
    if found == "ET":
        return before in _NUMBERS or after in _NUMBERS
    return before in _NUMBERS and after in _NUMBERS


def _levels(kinds: list[str], base: int) -> list[int]:
    levels: list[int] = []
    strong = "R" if base else "L"
    for at, kind in enumerate(kinds):
        if kind == "-":
            kind = _of_neutral(kinds, at, base)
        elif kind in "RL":
            strong = kind
        if kind == "R":
            levels.append(1)
        elif kind == "n":
            levels.append(0 if not base and strong == "L" else 2)
        else:
            levels.append(2 * base)
    return levels


def _of_neutral(kinds: list[str], at: int, base: int) -> str:
    """The direction of what stands on both sides; else the line's. Numbers count as R."""
    own = "R" if base else "L"
    before = next((kind for kind in reversed(kinds[:at]) if kind != "-"), own)
    after = next((kind for kind in kinds[at:] if kind != "-"), own)
    sides = {"L" if kind == "L" or (kind == "n" and not base) else "R" for kind in (before, after)}
    return sides.pop() if len(sides) == 1 else own


def _reversed_from(ordered: list[tuple[str, int]], level: int) -> list[tuple[str, int]]:
    result: list[tuple[str, int]] = []
    for is_deep, part in groupby(ordered, key=lambda item: item[1] >= level):
        items = list(part)
        result += reversed(items) if is_deep else items
    return result
