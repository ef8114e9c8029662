"""From a page's lines to its blocks: the steps, in order, each in a module of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median

import numpy as np
from numpy.typing import NDArray

from dsocr.engines.embedded import figures, labels, order, paragraphs, regions, rules, tables
from dsocr.engines.embedded.layout import LayoutModel
from dsocr.engines.embedded.line import Line, Rect, Region
from dsocr.engines.embedded.network import Networks
from dsocr.engines.embedded.order import Atom
from dsocr.engines.embedded.paragraphs import Paragraph
from dsocr.engines.embedded.table_model import TableModel
from dsocr.engines.embedded.text_joins import is_right_to_left, join_lines
from dsocr.types import Block, Box

Pixels = NDArray[np.uint8]

_TRUSTED_COVER = 0.7
_TABLE_MARGIN = 0.01


class LayoutModels:
    """The two networks that see structure, each loaded when it is first needed."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    @cached_property
    def layout(self) -> LayoutModel:
        return LayoutModel(self._networks)

    @cached_property
    def table(self) -> TableModel:
        return TableModel(self._networks)


@dataclass(frozen=True, slots=True)
class Piece:
    """A block in the making, in pixels."""

    label: str
    text: str
    rect: Rect
    score: float | None
    height: float = 0.0
    """Of its letters: what titles are ranked by."""


@dataclass(frozen=True, slots=True)
class Page:
    """What every step may ask about the page."""

    image: Pixels
    models: LayoutModels
    regions: tuple[Region, ...]
    ruled: tuple[rules.RuledTable, ...]
    body: float
    """Height of a line of its running text."""
    right_to_left: bool

    def arrange(self, atoms: Sequence[Atom]) -> list[order.Run]:
        return order.arrange(atoms, right_to_left=self.right_to_left)


def compose_blocks(image: Pixels, lines: Sequence[Line], *, models: LayoutModels) -> list[Block]:
    """The page's blocks in reading order. `image` is (H, W, 3) RGB, lines are in its pixels."""
    height, width = image.shape[:2]
    lines = [line for line in lines if line.text.strip()]
    body = labels.body_height(lines)
    right_to_left = is_right_to_left(line.text for line in lines)
    ruled = rules.ruled_tables(image, lines, body)
    drawn, outside = regions.in_ruled(ruled, lines)
    seen = regions.beside_ruled(models.layout.detect(image), ruled)
    seen = figures.without_false_figures(seen, lines, image)
    assigned, free = regions.settle(seen, outside)
    assigned, free = regions.with_grids(assigned, free, right_to_left=right_to_left)
    page = Page(image, models, tuple(region for region, _ in assigned), ruled, body, right_to_left)
    assigned = [*drawn, *assigned]
    atoms = atoms_of(assigned, free)
    pieces: list[Piece] = []
    for run in page.arrange(atoms):
        pieces.extend(pieces_of(run, page))
    return [to_block(piece, width, height) for piece in rank_titles(pieces, page.body, height)]


def atoms_of(assigned: regions.Assigned, free: Sequence[Line]) -> list[Atom]:
    """What gets ordered. Text regions count as one thing only where the layout saw most lines."""
    covered = sum(len(inside) for _, inside in assigned)
    trusted = covered >= _TRUSTED_COVER * (covered + len(free))
    atoms = [Atom(line.rect, (line,)) for line in free]
    for region, inside in assigned:
        if region.label in ("figure", "table"):
            atoms.append(Atom(region.rect, inside, region.label))
        elif trusted:
            rect = paragraphs.enclose([line.rect for line in inside])
            atoms.append(Atom(rect, inside, region.label))
        else:
            atoms.extend(Atom(line.rect, (line,)) for line in inside)
    return atoms


def pieces_of(run: order.Run, page: Page) -> list[Piece]:
    """One column's pieces: rows of text gathered to paragraphs, tables and figures in between."""
    pieces: list[Piece] = []
    rows: list[Line] = []
    for row in run:
        if all(atom.label is None for atom in row):
            rows.append(paragraphs.join_row([atom.lines[0] for atom in row]))
            continue
        pieces.extend(text_pieces(rows, page))
        rows = []
        for atom in row:
            if atom.label == "table":
                pieces.append(table_piece(atom, page))
            elif atom.label == "figure":
                pieces.extend(figure_pieces(atom, page))
            else:
                pieces.extend(region_pieces(atom.lines, page))
    return [*pieces, *text_pieces(rows, page)]


def region_pieces(lines: Sequence[Line], page: Page) -> list[Piece]:
    """The paragraphs of a region, which may hold several columns."""
    pieces: list[Piece] = []
    for run in page.arrange([Atom(line.rect, (line,)) for line in lines]):
        rows = [paragraphs.join_row([atom.lines[0] for atom in row]) for row in run]
        pieces.extend(text_pieces(rows, page))
    return pieces


def text_pieces(rows: Sequence[Line], page: Page) -> list[Piece]:
    """Paragraphs of one column, the page's furniture left out."""
    height = page.image.shape[0]
    return [
        text_piece(part, labels.label_of(part, page.regions, page.body))
        for part in paragraphs.split(rows)
        if not labels.is_furniture(part, page.regions, page_height=height, body=page.body)
    ]


def text_piece(part: Paragraph, label: str) -> Piece:
    texts = [row.text for row in part.rows]
    text = join_lines(texts) if part.flowing or label != "text" else "  \n".join(texts)
    height = median(row.height for row in part.rows)
    return Piece(label, labels.as_list_item(text), part.rect, score_of(part.rows), height)


def figure_pieces(atom: Atom, page: Page) -> list[Piece]:
    """The picture, then what is written in it; the labels of a small chart are left to the eye."""
    picture = Piece("image", "", atom.rect, None)
    if not labels.is_worth_reading(atom.lines, page.body):
        return [picture]
    return [picture, *region_pieces(atom.lines, page)]


def table_piece(atom: Atom, page: Page) -> Piece:
    """The table as HTML, from its picture and the lines in it."""
    height, width = page.image.shape[:2]
    margin = _TABLE_MARGIN * width
    x0, y0 = max(0, int(atom.rect.x0 - margin)), max(0, int(atom.rect.y0 - margin))
    x1, y1 = min(width, int(atom.rect.x1 + margin)), min(height, int(atom.rect.y1 + margin))
    moved = [
        replace(
            line,
            rect=Rect(line.rect.x0 - x0, line.rect.y0 - y0, line.rect.x1 - x0, line.rect.y1 - y0),
        )
        for line in atom.lines
    ]
    drawn = next((table for table in page.ruled if table.rect == atom.rect), None)
    if drawn is not None:
        html = tables.drawn_html(drawn.cells, atom.lines)
        return Piece("table", html, atom.rect, score_of(atom.lines))
    cells = []
    if 0 < len(moved) <= tables.MAX_MODEL_LINES:
        cells = page.models.table.read(page.image[y0:y1, x0:x1])
    html = tables.table_html(cells, moved)
    return Piece("table", html, atom.rect, score_of(atom.lines))


def rank_titles(pieces: Sequence[Piece], body: float, page_height: float) -> list[Piece]:
    """Titles with their `#`, by the height of their letters; the largest may be the page's own."""
    titles = [piece for piece in pieces if piece.label == "sub_title"]
    levels = labels.title_levels(
        [labels.Title(piece.rect, piece.height) for piece in titles], body, page_height
    )
    ranks = {id(piece): level for piece, level in zip(titles, levels, strict=True)}
    return [
        replace(
            piece,
            label="title" if ranks[id(piece)] == 1 else "sub_title",
            text=f"{'#' * ranks[id(piece)]} {piece.text}",
        )
        if id(piece) in ranks
        else piece
        for piece in pieces
    ]


def score_of(lines: Sequence[Line]) -> float | None:
    """The mean of the lines' scores, each weighted by its characters."""
    weight = sum(len(line.text) for line in lines)
    return sum(line.score * len(line.text) for line in lines) / weight if weight else None


def to_block(piece: Piece, width: int, height: int) -> Block:
    rect = piece.rect
    box = Box(
        min(1.0, max(0.0, rect.x0 / width)),
        min(1.0, max(0.0, rect.y0 / height)),
        min(1.0, max(0.0, rect.x1 / width)),
        min(1.0, max(0.0, rect.y1 / height)),
    )
    return Block(piece.label, piece.text, (box,), piece.score)
