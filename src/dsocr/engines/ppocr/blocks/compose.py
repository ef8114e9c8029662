"""From a page's lines to its blocks: the steps, in order, each in a module of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median

import numpy as np
from numpy.typing import NDArray

from dsocr.engines.ppocr.blocks import figures, labels, regions
from dsocr.engines.ppocr.geometry import Line, Rect, Region
from dsocr.engines.ppocr.networks.layout import LayoutModel
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.table_model import TableModel
from dsocr.engines.ppocr.reading_order import columns, paragraphs
from dsocr.engines.ppocr.reading_order.columns import LayoutItem
from dsocr.engines.ppocr.reading_order.drop_caps import with_drop_caps
from dsocr.engines.ppocr.reading_order.escape import as_printed
from dsocr.engines.ppocr.reading_order.paragraphs import Paragraph
from dsocr.engines.ppocr.reading_order.text_joins import is_right_to_left, join_lines
from dsocr.engines.ppocr.tables import build, rules
from dsocr.types import Block, Box

Pixels = NDArray[np.uint8]

_TRUSTED_COVER = 0.7
_TABLE_MARGIN = 0.01
_FRAME = 0.7
_AROUND = 0.5
_STRUCTURES = ("figure", "table")


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
class BlockDraft:
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
    leading: float
    """From one row of it to the next, in heights of a row."""
    right_to_left: bool
    furniture_counts: bool = False
    """A page that says nothing but its running head still says that."""

    def arrange(self, atoms: Sequence[LayoutItem]) -> list[columns.Column]:
        return columns.arrange(atoms, right_to_left=self.right_to_left)


def compose_blocks(image: Pixels, lines: Sequence[Line], *, models: LayoutModels) -> list[Block]:
    """The page's blocks in reading order. `image` is (H, W, 3) RGB, lines are in its pixels."""
    height, width = image.shape[:2]
    lines = with_drop_caps([line for line in lines if line.text.strip()])
    body = labels.body_height(lines)
    right_to_left = is_right_to_left(line.text for line in lines)
    ruled = rules.ruled_tables(image, lines, body)
    drawn, outside = regions.in_ruled(ruled, lines)
    seen = without_frames(models.layout.detect(image), lines)
    seen = figures.without_false_figures(regions.beside_ruled(seen, ruled), lines, image)
    assigned, free = regions.settle(seen, outside)
    assigned, free = regions.with_grids(assigned, free, right_to_left=right_to_left)
    page = Page(
        image=image,
        models=models,
        regions=tuple(region for region, _ in assigned),
        ruled=ruled,
        body=body,
        leading=paragraphs.leading_of(lines),
        right_to_left=right_to_left,
    )
    assigned = [*drawn, *assigned]
    runs = page.arrange(atoms_of(assigned, free))
    pieces = [piece for run in runs for piece in pieces_of(run, page)]
    if lines and not any(piece.text for piece in pieces):
        page = replace(page, furniture_counts=True)
        pieces = [piece for run in runs for piece in pieces_of(run, page)]
    return [to_block(piece, width, height) for piece in rank_titles(pieces, page.body, height)]


def without_frames(found: Sequence[Region], lines: Sequence[Line]) -> list[Region]:
    """Without figures that hold most of the page's writing: a receipt on a table, a photo of one.

    Such a frame is the page itself; its lines are ordered like any other page's.
    """
    characters = sum(len(line.text) for line in lines)

    def held(region: Region) -> int:
        return sum(
            len(line.text) for line in lines if regions.share_inside(line.rect, region.rect) > 0.5
        )

    return [
        region
        for region in found
        if region.label != "figure" or held(region) <= _FRAME * characters or not characters
    ]


def atoms_of(assigned: regions.Assigned, free: Sequence[Line]) -> list[LayoutItem]:
    """What gets ordered. Text regions count as one thing only where the layout saw most lines."""
    covered = sum(len(inside) for _, inside in assigned)
    trusted = covered >= _TRUSTED_COVER * (covered + len(free))
    structures = [region.rect for region, _ in assigned if region.label in _STRUCTURES]
    lines = [*free, *(line for _, inside in assigned for line in inside)]
    atoms = [LayoutItem(line.rect, (line,)) for line in free]
    for region, inside in assigned:
        if region.label in _STRUCTURES:
            atoms.append(LayoutItem(region.rect, inside, region.label))
            continue
        rect = paragraphs.enclose([line.rect for line in inside])
        # Text above and below a table is one region where the layout took the table for text.
        around = any(_is_around(rect, structure) for structure in structures)
        if trusted and not around and is_one_thing(region, inside, lines):
            atoms.append(LayoutItem(rect, inside, region.label))
        else:
            atoms.extend(LayoutItem(line.rect, (line,)) for line in inside)
    return atoms


def is_one_thing(region: Region, inside: Sequence[Line], lines: Sequence[Line]) -> bool:
    """Whether a region of text can be ordered as a whole.

    Not one that holds several columns, the headings over them, or lines that are another's.
    """
    if region.label == "equation" and any(labels.has_words(line.text) for line in inside):
        return False
    rect = paragraphs.enclose([line.rect for line in inside])
    own = {id(line) for line in inside}
    if any(regions.share_inside(line.rect, rect) > 0.5 for line in lines if id(line) not in own):
        return False
    return len(columns.arrange([LayoutItem(line.rect, (line,)) for line in inside])) == 1


def _is_around(rect: Rect, structure: Rect) -> bool:
    """Whether text stands both above and below it: boxes need not be equally wide."""
    shared = min(rect.y1, structure.y1) - max(rect.y0, structure.y0)
    return rect.intersection(structure) > 0 and shared > _AROUND * structure.height


def pieces_of(run: columns.Column, page: Page) -> list[BlockDraft]:
    """One column's pieces: rows of text gathered to paragraphs, tables and figures in between."""
    pieces: list[BlockDraft] = []
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


def region_pieces(lines: Sequence[Line], page: Page) -> list[BlockDraft]:
    """The paragraphs of a region, which may hold several columns."""
    pieces: list[BlockDraft] = []
    for run in page.arrange([LayoutItem(line.rect, (line,)) for line in lines]):
        rows = [paragraphs.join_row([atom.lines[0] for atom in row]) for row in run]
        pieces.extend(text_pieces(rows, page))
    return pieces


def text_pieces(rows: Sequence[Line], page: Page) -> list[BlockDraft]:
    """Paragraphs of one column, the page's furniture left out."""
    height = page.image.shape[0]
    return [
        text_piece(part, labels.label_of(part, page.regions, page.body))
        for part in paragraphs.split(rows, leading=page.leading)
        if page.furniture_counts
        or not labels.is_furniture(part, page.regions, page_height=height, body=page.body)
    ]


def text_piece(part: Paragraph, label: str) -> BlockDraft:
    texts = [row.text.strip() for row in part.rows]
    height = median(row.height for row in part.rows)
    if part.flowing or label != "text":
        shown = paragraph_text(join_lines(texts), can_be_item=not part.rows[0].parted)
    else:
        shown = "  \n".join(as_printed(text) for text in texts)
    return BlockDraft(label, shown, part.rect, score_of(part.rows), height)


def paragraph_text(text: str, *, can_be_item: bool) -> str:
    """In markdown. A row of pieces far apart ("* 33.02   66.04") is no item of a list."""
    item = labels.as_list_item(text)
    if can_be_item and item.startswith("- "):
        return f"- {as_printed(item[2:])}"
    return as_printed(text)


def figure_pieces(atom: LayoutItem, page: Page) -> list[BlockDraft]:
    """The picture, then what is written in it; the labels of a small chart are left to the eye."""
    picture = BlockDraft("image", "", atom.rect, None)
    if not labels.is_worth_reading(atom.lines, page.body):
        return [picture]
    return [picture, *region_pieces(atom.lines, page)]


def table_piece(atom: LayoutItem, page: Page) -> BlockDraft:
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
        html = build.drawn_html(drawn.cells, atom.lines)
        return BlockDraft("table", html, atom.rect, score_of(atom.lines))
    html = build.table_html(lambda: page.models.table.read(page.image[y0:y1, x0:x1]), moved)
    return BlockDraft("table", html, atom.rect, score_of(atom.lines))


def rank_titles(pieces: Sequence[BlockDraft], body: float, page_height: float) -> list[BlockDraft]:
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


def to_block(piece: BlockDraft, width: int, height: int) -> Block:
    rect = piece.rect
    box = Box(
        min(1.0, max(0.0, rect.x0 / width)),
        min(1.0, max(0.0, rect.y0 / height)),
        min(1.0, max(0.0, rect.x1 / width)),
        min(1.0, max(0.0, rect.y1 / height)),
    )
    return Block(piece.label, piece.text, (box,), piece.score)
