"""Rows and columns of a table by the white between its lines: no rules, no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.columns import LayoutItem, rows_of

_FULL_ROW = 0.6  # of the longest row's pieces, or of the columns
_CROSSED = 0.08  # of the full rows may run over a gap between columns
_MIN_GAP = 0.2  # of a line's height
_TRIM = 0.2
_OWN_ROW = 0.9  # of the pitch of rows; text that wraps inside a cell is set closer
_MAX_PITCH = 2.2  # of a line's height, where no two records stand together
_HEADING_ROWS = 2
_MIN_FILLED = 1.0  # pieces beside the first column, for each row
_MIN_RECORDS = 0.3  # of the rows

Row = list[Line]


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of one cell, top to bottom, and the columns it stands in."""

    first: int
    last: int
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Lattice:
    """The rows of a table, each its pieces from left to right, and the number of columns."""

    rows: tuple[tuple[Piece, ...], ...]
    columns: int


def lattice_of(lines: Sequence[Line]) -> Lattice:
    """What stands together in a cell, in rows and columns."""
    rows = printed_rows(lines)
    stops = column_stops(rows)
    stops = _without_halves(stops, rows)
    placed = [_pieces(row, stops) for row in rows]
    joined = _joined(rows, placed, len(stops) + 1)
    groups: list[list[Piece]] = []
    for pieces, joins in zip(placed, joined, strict=True):
        if joins:
            groups[-1].extend(pieces)
        else:
            groups.append(list(pieces))
    return Lattice(tuple(_merged(group) for group in groups), len(stops) + 1)


def printed_rows(lines: Sequence[Line]) -> list[Row]:
    """Lines that stand beside one another, top to bottom."""
    atoms = [LayoutItem(line.rect, (line,)) for line in lines]
    return [[atom.lines[0] for atom in row] for row in rows_of(atoms)]


def is_figure(text: str) -> bool:
    """More digits than letters, or a dash for nothing."""
    digits = sum(char.isdigit() for char in text)
    letters = sum(char.isalpha() for char in text)
    return digits > letters or text.strip() in ("-", "\u2013", "\u2014")


def column_stops(rows: Sequence[Row]) -> list[float]:
    """The x of each white stripe between two columns, where hardly any full row has text."""
    longest = max(map(len, rows), default=0)
    full = [row for row in rows if len(row) >= max(2.0, _FULL_ROW * longest)]
    if not full:
        return []
    spans = [[_trimmed(line.rect) for line in row] for row in full]
    edges = sorted({edge for row in spans for span in row for edge in span})
    height = median(line.rect.height for row in full for line in row)
    stripes: list[tuple[float, float]] = []
    for left, right in zip(edges, edges[1:], strict=False):
        middle = (left + right) / 2
        crossed = sum(any(x0 < middle < x1 for x0, x1 in row) for row in spans)
        if crossed > _CROSSED * len(full):
            continue
        if stripes and stripes[-1][1] == left:
            stripes[-1] = (stripes[-1][0], right)
        else:
            stripes.append((left, right))
    return [(left + right) / 2 for left, right in stripes if right - left > _MIN_GAP * height]


def is_clear(lattice: Lattice) -> bool:
    """Whether every piece fits: only headings span columns, nothing stands beside another."""
    pieces = [(row, piece) for row in lattice.rows for piece in row]
    odd = [
        piece
        for row, piece in pieces
        if any(len(printed) > 1 for printed in printed_rows(piece.lines))
        or (piece.last > piece.first and (len(row) > 1 and any(map(_is_value, row))))
    ]
    filled = sum(piece.last > 0 for _, piece in pieces)
    return lattice.columns > 1 and not odd and filled >= _MIN_FILLED * len(lattice.rows)


def _is_value(piece: Piece) -> bool:
    return piece.first > 0 and is_figure(piece.lines[0].text)


def _trimmed(rect: Rect) -> tuple[float, float]:
    """From where to where there is surely ink: boxes of neighbours often touch."""
    trim = min(_TRIM * rect.height, rect.width / 4)
    return rect.x0 + trim, rect.x1 - trim


def _without_halves(stops: Sequence[float], rows: Sequence[Row]) -> list[float]:
    """The stops without those between a column's figures and its heading, set clear of them."""
    kept = list(stops)
    for stop in stops:
        left = kept.index(stop)
        placed = [_pieces(row, kept) for row in rows]
        sides = [
            [i for i, row in enumerate(placed) if any(p.first <= c <= p.last for p in row)]
            for c in (left, left + 1)
        ]
        few, many = sorted(sides, key=len)
        if few and len(few) <= _HEADING_ROWS and few[-1] < many[0]:
            kept.remove(stop)
    return kept


def _pieces(row: Row, stops: Sequence[float]) -> list[Piece]:
    pieces: list[Piece] = []
    for line in row:
        first, last = _reach(line.rect, stops)
        if pieces and first <= pieces[-1].last:
            before = pieces.pop()
            first, last = before.first, max(before.last, last)
            pieces.append(Piece(first, last, (*before.lines, line)))
        else:
            pieces.append(Piece(first, last, (line,)))
    return pieces


def _reach(rect: Rect, stops: Sequence[float]) -> tuple[int, int]:
    """First and last column that a rectangle stands in."""
    slack = min(rect.height / 2, rect.width / 4)
    first = sum(stop < rect.x0 + slack for stop in stops)
    return first, max(first, sum(stop < rect.x1 - slack for stop in stops))


def _joined(rows: Sequence[Row], placed: Sequence[Sequence[Piece]], columns: int) -> list[bool]:
    """Whether each printed row belongs to the one above: wrapped text, headings of several lines.

    Between two records the widest gap parts what is the upper one's from what is the lower one's.
    """
    records = _records(placed, columns)
    middles = [median((line.rect.y0 + line.rect.y1) / 2 for line in row) for row in rows]
    gaps = [0.0, *(below - above for above, below in zip(middles, middles[1:], strict=False))]
    steps = sorted(gaps[b] for a, b in zip(records, records[1:], strict=False) if b == a + 1)
    height = median(line.rect.height for row in rows for line in row) if rows else 0.0
    limit = _OWN_ROW * steps[len(steps) // 4] if steps else _MAX_PITCH * height
    parted = {0}
    for above, below in zip([-1, *records], records, strict=False):
        between = range(max(1, above + 1), below + 1)
        if between:
            parted.add(max(between, key=lambda i: (round(gaps[i] / max(1.0, 0.1 * height)), i)))
    first = records[0] if records else len(rows)
    for index in range(1, first):
        if any(piece.last > piece.first for row in placed[index - 1 : index + 1] for piece in row):
            parted.add(index)  # a heading over several columns, and those under it
    return [index not in parted and gaps[index] < limit for index in range(len(rows))]


def _records(placed: Sequence[Sequence[Piece]], columns: int) -> list[int]:
    """The rows that are certainly one each: with figures, or where there are few, well filled."""
    with_figures = [
        index
        for index, row in enumerate(placed)
        if any(piece.first > 0 and is_figure(piece.lines[0].text) for piece in row)
    ]
    if len(with_figures) >= _MIN_RECORDS * len(placed):
        return with_figures
    return [index for index, row in enumerate(placed) if len(row) >= max(2, _FULL_ROW * columns)]


def _merged(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """Pieces of several printed rows, those in the same columns as one."""
    merged: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.first):
        if merged and piece.first <= merged[-1].last:
            before = merged.pop()
            lines = sorted((*before.lines, *piece.lines), key=lambda line: line.rect.y0)
            piece = Piece(before.first, max(before.last, piece.last), tuple(lines))
        merged.append(piece)
    return tuple(merged)
