"""Sets a vertical column of Chinese or Japanese as a level line, which is recognized better.

Recognition of a column that lies on its side leaves out small kana and punctuation.
"""

from __future__ import annotations

from difflib import SequenceMatcher

import cv2
import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.networks.quads import Pixels

_PITCHES = np.arange(0.95, 1.5, 0.02)  # of the widest character
_OFFSETS = 24
_MAX_CUT = 0.12  # of the ink in an average row: more, and the pitch is wrong
_MARGIN = 0.2  # of a cell
_MARK = 0.5  # of a cell: punctuation is lower and narrower
_BAR = 0.3, 0.5  # of a cell: the sign for a long vowel is narrower, and taller
_DARK = 60


def as_level_line(column: Pixels) -> Pixels | None:
    """The characters of an upright column from left to right; None where no pitch fits."""
    paper = np.percentile(column.reshape(-1, 3), 90, axis=0)
    ink = np.asarray(column.min(axis=2) < paper.min() - _DARK, bool)
    columns, rows = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    if not len(columns):
        return None
    left, right = int(columns[0]), int(columns[-1]) + 1
    cuts = _cuts(ink[:, left:right].sum(axis=1), int(rows[0]), int(rows[-1]) + 1, right - left)
    if cuts is None:
        return None
    side = int(np.diff(cuts).max())
    left = max(0, (left + right - side) // 2)
    blank = np.tile(paper.astype(np.uint8), (side, side, 1))
    cells = []
    for top, bottom in zip(cuts[:-1], cuts[1:], strict=True):
        cell = blank.copy()
        part = column[max(0, top) : bottom, left : left + side]
        cell[: part.shape[0], : part.shape[1]] = part
        shape = np.zeros((side, side), bool)
        own = ink[max(0, top) : bottom, left : left + side]
        shape[: own.shape[0], : own.shape[1]] = own
        cells.append(_level_cell(cell, shape, blank))
    margin = round(_MARGIN * side)
    border = [float(value) for value in paper]
    line = cv2.copyMakeBorder(
        np.hstack(cells), margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=border
    )
    return np.asarray(line, np.uint8)


def joined(level: str, sideways: str) -> str:
    """The level reading with the characters that only the sideways reading has."""
    text = []
    for kind, a0, a1, b0, b1 in SequenceMatcher(
        None, level, sideways, autojunk=False
    ).get_opcodes():
        text.append(sideways[b0:b1] if kind == "insert" else level[a0:a1])
    return "".join(text)


def _cuts(profile: NDArray[np.int64], top: int, bottom: int, width: int) -> list[int] | None:
    """Rows between the characters, at the pitch that cuts least ink."""
    usual = float(profile[top:bottom].mean())
    best: tuple[float, list[int]] | None = None
    for pitch in _PITCHES * width:
        for offset in np.linspace(0, pitch, _OFFSETS, endpoint=False):
            cuts = np.arange(top - offset, bottom + pitch, pitch).round().astype(int)
            inner = cuts[(cuts > top) & (cuts < bottom)]
            cost = float(profile[inner].mean()) if len(inner) else 0.0
            cost += 0.02 * usual * abs(pitch / width - 1.08)
            if best is None or cost < best[0]:
                best = cost, cuts.tolist()
    if best is None or best[0] > _MAX_CUT * usual:
        return None
    return [cut for cut in best[1] if cut < bottom + width]


def _level_cell(cell: Pixels, ink: NDArray[np.bool_], blank: Pixels) -> Pixels:
    """The cell as in level text: stops at the lower left, the sign for a long vowel level."""
    columns, rows = np.flatnonzero(ink.any(axis=0)), np.flatnonzero(ink.any(axis=1))
    if not len(columns):
        return cell
    side = len(cell)
    x0, x1, y0, y1 = int(columns[0]), int(columns[-1]) + 1, int(rows[0]), int(rows[-1]) + 1
    width, height = x1 - x0, y1 - y0
    if width < _BAR[0] * side and height > _BAR[1] * side:
        return np.ascontiguousarray(np.rot90(cell))
    if max(width, height) > _MARK * side or (y0 + y1) / 2 > 0.6 * side:
        return cell
    moved: Pixels = blank.copy()
    moved[side - height - 1 : side - 1, 1 : width + 1] = cell[y0:y1, x0:x1]
    return moved
