"""The invisible text of a page: a line of text fills the box of each line that was read."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import Literal

from dsocr.exports.layout.char_widths import FULL_WIDTH
from dsocr.exports.pdf.font import DESCENT, UNITS_PER_EM
from dsocr.exports.pdf.letters import Letters, text_width, width_of
from dsocr.exports.pdf.visual_order import visual_order
from dsocr.exports.text import plain
from dsocr.types import FIGURE_LABEL, Block, Box, Document, PageResult

FONT = b"DsocrText"
"""The font's name in the resources of every page."""
PAGE_BOX = Box(0.05, 0.05, 0.95, 0.95)
PAGE_LINES, PAGE_LINE_EMS = 50, 40
"""Where the text of a page without any box stands, and the size of its lines."""

PlacedText = tuple[str, Box]
LayerUse = Literal["add", "replace", "fill"]

_DESCRIBING = ("describe", "figure", "locate")
"""Tasks whose result is not the page's text."""
_LINE_FILL = 0.8
"""The height of letters as a share of the distance of two lines, where it has to be guessed."""
_VERTICAL = 1.5
"""A line is vertical if its box is so many times higher than wide."""
_UPRIGHT, _UPWARDS, _DOWNWARDS = "1 0 0 1", "0 1 -1 0", "0 -1 1 0"
_UPSIDE_DOWN = "-1 0 0 -1"
_MIN_STEPS = 3
_MOST_STEPS = 0.8
"""From so many lines on, and with such a share of them, their order tells how a page lies."""


@dataclass(frozen=True, slots=True)
class Turn:
    """How the text of a page lies on its picture."""

    downwards: bool = False
    """Whether lines higher than wide run downwards whatever their letters."""
    upside_down: bool = False


def recognized_text(document: Document, page: PageResult) -> list[PlacedText]:
    """What a page's picture says: its recognized lines; its blocks where it has no lines; its
    whole text where these have no boxes. A description of the page is none of its text."""
    if page.error is not None:
        return []
    if page.lines:
        placed = [(line.text, line.box) for line in page.lines if line.confidence is not None]
    elif document.options.task in _DESCRIBING:
        placed = []
    else:
        placed = list(_text_of_blocks(page))
    return [(" ".join(text.split()), box) for text, box in placed if text.strip()]


def all_text(document: Document, page: PageResult) -> list[PlacedText]:
    """As `recognized_text`, with the lines of a PDF's text layer."""
    lines = () if page.error else page.lines
    placed = [(" ".join(line.text.split()), line.box) for line in lines if line.text.strip()]
    return placed or recognized_text(document, page)


def layer_use(page: PageResult) -> LayerUse:
    """What the text does with the own text of a PDF's page: "add" where lines of that were used;
    "replace" where none was, as it is missing or wrong; "fill" where the new text has no places,
    and is better than none at all."""
    if any(line.confidence is None for line in page.lines):
        return "add"
    has_places = page.lines or any(block.boxes for block in page.blocks if block.text.strip())
    return "replace" if has_places else "fill"


def content(placed: Iterable[PlacedText], letters: Letters, width: float, height: float) -> bytes:
    """A content stream on a page of that size, with the origin bottom left. Text that runs from
    right to left is in the order of the page, as readers of PDFs expect it."""
    sizes: set[tuple[str, int]] = set()
    placed = list(placed)
    turn = _turn(placed, width, height)
    lines = [_line(text, box, letters, width, height, sizes, turn) for text, box in placed]
    return b"\n".join([b"BT 3 Tr", *lines, b"ET"]) if lines else b""


def _line(
    text: str,
    box: Box,
    letters: Letters,
    width: float,
    height: float,
    sizes: set[tuple[str, int]],
    turn: Turn,
) -> bytes:
    """`sizes` has the texts of the page so far with their sizes in hundredths. pdfium takes equal
    texts of one size for a shadow, where their boxes touch, and leaves one out."""
    left, right = box.x0 * width, max(box.x1 * width, box.x0 * width + 1)
    top, bottom = height - box.y0 * height, height - box.y1 * height
    bottom = min(bottom, top - 1)
    across, up = right - left, top - bottom
    matrix, x, y = _direction(text, left, bottom, right, top, turn)
    vertical = matrix in (_UPWARDS, _DOWNWARDS)
    length, size = (up, across) if vertical else (across, up)
    hundredths = round(size * 100)
    while (text, hundredths) in sizes:
        hundredths += 1
    sizes.add((text, hundredths))
    size = hundredths / 100
    natural = text_width(text) * size / UNITS_PER_EM
    scale = 100 * length / natural if natural else 100
    return (
        f"/{FONT.decode()} {size:.2f} Tf {scale:.2f} Tz {matrix} {x:.2f} {y:.2f} Tm ".encode()
        + b"<%b> Tj" % letters.encode(visual_order(text))
    )


def _turn(placed: Sequence[PlacedText], width: float, height: float) -> Turn:
    """By the order of the lines: on a page that lies on its right side they follow each other from
    right to left and run downwards; on one that is upside down, from the bottom to the top."""
    vertical = [box for text, box in placed if _is_vertical(text, box, width, height)]
    level = [box for text, box in placed if not _is_vertical(text, box, width, height)]
    across = [after.x0 - before.x0 for before, after in pairwise(vertical)]
    down = [after.y0 - before.y0 for before, after in pairwise(level)]
    return Turn(downwards=_mostly_negative(across), upside_down=_mostly_negative(down))


def _is_vertical(text: str, box: Box, width: float, height: float) -> bool:
    shape = (box.y1 - box.y0) * height > _VERTICAL * (box.x1 - box.x0) * width
    return shape and len(text) > 1


def _mostly_negative(steps: Sequence[float]) -> bool:
    negative = sum(step < 0 for step in steps)
    return len(steps) >= _MIN_STEPS and negative >= _MOST_STEPS * len(steps)


def _direction(
    text: str, left: float, bottom: float, right: float, top: float, turn: Turn
) -> tuple[str, float, float]:
    """The first four numbers of the text matrix, and where the baseline begins."""
    drop = -DESCENT / UNITS_PER_EM
    if top - bottom > _VERTICAL * (right - left) and len(text) > 1:
        if turn.downwards or any(width_of(letter) == FULL_WIDTH for letter in text):
            return _DOWNWARDS, left + drop * (right - left), top
        return _UPWARDS, right - drop * (right - left), bottom
    if turn.upside_down:
        return _UPSIDE_DOWN, right, top - drop * (top - bottom)
    baseline = bottom + drop * (top - bottom)
    return _UPRIGHT, left, baseline


def _text_of_blocks(page: PageResult) -> Iterator[PlacedText]:
    blocks = [block for block in page.blocks if block.text.strip() and block.label != FIGURE_LABEL]
    with_boxes = [block for block in blocks if block.boxes]
    if not with_boxes:
        yield from _on_whole_page(plain(page.markdown))
    for block in with_boxes:
        yield from _block_lines(block, page.width or 1, page.height or 1)


def _on_whole_page(text: str) -> Iterator[PlacedText]:
    """Lines from the top of the page, of a usual length."""
    width = PAGE_LINE_EMS * UNITS_PER_EM
    lines = [line for part in text.splitlines() if part.strip() for line in _filled(part, width)]
    step = (PAGE_BOX.y1 - PAGE_BOX.y0) / max(PAGE_LINES, len(lines))
    for number, line in enumerate(lines):
        share = min(1.0, text_width(line) / width)
        top = PAGE_BOX.y0 + number * step
        right = PAGE_BOX.x0 + (PAGE_BOX.x1 - PAGE_BOX.x0) * share
        yield line, Box(PAGE_BOX.x0, top, right, top + step)


def _block_lines(block: Block, width: int, height: int) -> Iterator[PlacedText]:
    yield from wrapped(plain(block.text), block.boxes[0], width, height)


def wrapped(text: str, box: Box, width: float, height: float) -> Iterator[PlacedText]:
    """The text as lines of equal height that fill the box. Line breaks of the text stay; where it
    has none, the number of lines follows from the box's shape. Sizes are of the page."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1:
        lines = _broken(lines[0], (box.x1 - box.x0) * width, (box.y1 - box.y0) * height)
    widest = max(map(text_width, lines), default=0)
    step = (box.y1 - box.y0) / max(1, len(lines))
    for number, line in enumerate(lines):
        share = text_width(line) / widest if widest else 1
        right = box.x0 + (box.x1 - box.x0) * share
        top = box.y0 + number * step
        yield line, Box(box.x0, top, right, top + step)


def _broken(text: str, width: float, height: float) -> list[str]:
    total = text_width(text) / UNITS_PER_EM
    if width <= 0 or height <= 0:
        return [text]
    count = max(1, round(math.sqrt(total * _LINE_FILL * height / width)))
    return _filled(text, total * UNITS_PER_EM / count)


def _filled(text: str, width: float) -> list[str]:
    """Lines of about that width, broken at blanks; between any two letters in a text with letters
    of full width."""
    if any(width_of(letter) == FULL_WIDTH for letter in text):
        parts, joint = list(text), ""
    else:
        parts, joint = text.split(), " "
    lines: list[str] = []
    room = 0.0
    for part, blank in zip(parts, repeat(joint), strict=False):
        needed = text_width(blank + part)
        if not lines or room < needed / 2:
            lines.append(part)
            room = width - text_width(part)
        else:
            lines[-1] += blank + part
            room -= needed
    return lines
