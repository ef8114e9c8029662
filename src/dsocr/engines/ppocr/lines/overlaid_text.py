"""Recognizes text under stamps again, without the stamp, and the stamp's words without the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from rapidfuzz import fuzz

from dsocr.engines.ppocr.geometry import Line, Rect, share_inside
from dsocr.engines.ppocr.lines.overlays import Layers, find_overlays, separate
from dsocr.engines.ppocr.networks.ocr import Detail, Ocr
from dsocr.engines.ppocr.networks.quads import Pixels

_MIN_SCORE = 0.7
_PARTLY = 0.05  # of a line's area: it reaches into the overlay's rectangle, or out of it
_AS_GOOD = 0.96  # of the first reading's expected characters
_SAME = 0.4  # of a line's area in the other's rectangle
_OVERLAY_SHARE = 0.55  # of a line's ink
_SAME_TEXT = 75.0  # per cent
_MIN_CROSSED = 0.1  # of the square of a line's height that the overlay covers
_INSET = 0.25  # of a line's height, where a frame around it may be
_DARK = 70  # grey levels below the paper


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the page around an overlay, as two pictures."""

    x0: int
    y0: int
    picture: Pixels
    layers: Layers

    def window(self, rect: Rect, inset: float = 0.0) -> tuple[slice, slice]:
        """A rectangle of the page in the part, less a share of its height above and below."""
        margin = inset * rect.height
        top, bottom = int(rect.y0 + margin) - self.y0, int(rect.y1 - margin) - self.y0
        left, right = int(rect.x0) - self.x0, int(rect.x1) - self.x0
        return np.s_[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]


class OverlaidText:
    """Looks under the overlays of a page whose lines were recognized once."""

    def __init__(self, ocr: Ocr, detail: Detail, poll: Callable[[], None]) -> None:
        self._ocr = ocr
        self._detail = detail
        self._poll = poll

    def recover(self, image: Pixels, lines: Sequence[Line]) -> tuple[Pixels, list[Line]]:
        """The picture without what lies over text, and the lines with those that it had hidden.

        The overlay's own words are marked as such. Both come back as they are where nothing lies
        over the text. `lines` are those with text.
        """
        level = [line.height for line in lines if line.rect.width > line.rect.height]
        kept = list(lines)
        if not level:
            return image, kept
        height = median(level)
        for rect in find_overlays(image, height):
            self._poll()
            if not any(_PARTLY < share_inside(line.rect, rect) < 1 - _PARTLY for line in kept):
                continue  # a frame around text
            area = _with_rows(rect, kept, height)
            x0, y0 = max(0, int(area.x0)), max(0, int(area.y0))
            picture = image[y0 : int(area.y1) + 1, x0 : int(area.x1) + 1]
            part = _Part(x0, y0, picture, separate(picture, height))
            found = self._look_again(part, kept, area, max(image.shape[:2]))
            if found is not None:
                kept = found
                image = image.copy()
                image[y0 : y0 + picture.shape[0], x0 : x0 + picture.shape[1]] = part.layers.text
        return image, kept

    def _look_again(
        self, part: _Part, lines: Sequence[Line], area: Rect, page_side: int
    ) -> list[Line] | None:
        """The page's lines after a second look; None where the overlay crosses no line."""
        near = [line for line in lines if share_inside(line.rect, area) > 0.5]
        own = [line for line in near if _overlay_share(line, part) > _OVERLAY_SHARE]
        printed = [line for line in near if line not in own]
        text = _merged(printed, self._recognize(part, part.layers.text, page_side), part)
        if not any(_is_crossed(line, part) for line in text):
            return None
        seen = self._recognize(part, part.layers.overlay, page_side)
        seen += [line for line in own if not any(_are_same(line, other) for other in seen)]
        above = [replace(line, is_overlay=True) for line in seen if not _is_left_over(line, text)]
        rest = [line for line in lines if line not in near]
        return sorted([*rest, *text, *above], key=lambda line: (line.rect.y0, line.rect.x0))

    def _recognize(self, part: _Part, picture: Pixels, page_side: int) -> list[Line]:
        """The lines of one of the part's pictures, at the page's scale, in pixels of the page."""
        scale = min(1.0, self._detail.longest_side / page_side)
        side = max(64, round(scale * max(picture.shape[:2])))
        quads = self._ocr.detect(picture, longest_side=side)
        seen = self._ocr.recognize(picture, quads, poll=self._poll, squeeze=self._detail.squeeze)
        return [
            replace(line, rect=line.rect.shifted(part.x0, part.y0))
            for line in seen
            if line.score >= _MIN_SCORE and line.text.strip()
        ]


def _with_rows(rect: Rect, lines: Sequence[Line], height: float) -> Rect:
    """The overlay's rectangle, extended to the ends of the rows that it may touch."""
    around = Rect(rect.x0, rect.y0 - height, rect.x1, rect.y1 + height)
    low, high = rect.y0 - 3 * height, rect.y1 + 3 * height
    rows = [line.rect for line in lines if low < line.rect.centre_y < high]
    for row in rows:
        if min(row.x1, rect.x1) > max(row.x0, rect.x0) - 2 * height:
            around = around.union(row)
    return Rect(around.x0 - height, around.y0, around.x1 + height, around.y1)


def _merged(old: Sequence[Line], new: Sequence[Line], part: _Part) -> list[Line]:
    """The old lines; those that the new ones read with more certain characters are replaced.

    Where the overlay crosses a line, the new one is the better one if it is about as certain.
    """
    kept = list(old)
    for line in new:
        same = [other for other in kept if _are_same(line, other)]
        needed = sum(_expected(other) for other in same)
        needed *= _AS_GOOD if _is_crossed(line, part) else 1.0
        if not same or _expected(line) > needed:
            kept = [other for other in kept if other not in same]
            kept.append(line)
    return kept


def _are_same(line: Line, other: Line) -> bool:
    inside = share_inside(other.rect, line.rect), share_inside(line.rect, other.rect)
    return max(inside) > _SAME


def _is_left_over(line: Line, text: Sequence[Line]) -> bool:
    """Whether an overlay's line is a piece of the text left in its picture."""
    return any(
        share_inside(line.rect, other.rect) > _SAME
        and fuzz.partial_ratio(line.text, other.text) > _SAME_TEXT
        for other in text
    )


def _expected(line: Line) -> float:
    return line.score * sum(not char.isspace() for char in line.text)


def _overlay_share(line: Line, part: _Part) -> float:
    """The share of a line's ink that is the overlay's."""
    window = part.window(line.rect)
    ink = part.picture[window].min(axis=2) < int(np.percentile(part.picture, 75)) - _DARK
    return float((ink & part.layers.mask[window]).sum() / max(1, ink.sum()))


def _is_crossed(line: Line, part: _Part) -> bool:
    """Whether the overlay covers a part of a line's letters."""
    covered = part.layers.mask[part.window(line.rect, _INSET)]
    return bool(covered.sum() > _MIN_CROSSED * line.rect.height**2)
