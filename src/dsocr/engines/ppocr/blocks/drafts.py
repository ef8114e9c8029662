"""Builds blocks from the items of a column: paragraphs, tables, figures with the text in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from dsocr.engines.ppocr.blocks import labels
from dsocr.engines.ppocr.blocks.finished import FinishedBlock
from dsocr.engines.ppocr.blocks.margins import side_groups
from dsocr.engines.ppocr.geometry import Line, Rect, Region, mean_score
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.networks.structure import StructureModels
from dsocr.engines.ppocr.reading_order import columns, paragraphs
from dsocr.engines.ppocr.reading_order.escape import escape_markdown
from dsocr.engines.ppocr.reading_order.framed import arrange_framed
from dsocr.engines.ppocr.reading_order.items import Column, LayoutItem, line_items
from dsocr.engines.ppocr.reading_order.paragraphs import Paragraph
from dsocr.engines.ppocr.reading_order.text_joins import join_lines
from dsocr.engines.ppocr.tables import build, rules

_TABLE_MARGIN = 0.01  # of the page's width
_LONG_ENTRY = 50  # characters: longer rows of a header or footer are sentences


@dataclass(frozen=True, slots=True)
class BlockDraft:
    """A block in pixels of the view."""

    label: str
    text: str
    rects: tuple[Rect, ...]
    score: float | None
    height: float = 0.0
    """Of its letters: titles are ranked by it."""


@dataclass(frozen=True, slots=True)
class PageLayout:
    """What the steps need to know about the page."""

    image: Pixels
    models: StructureModels
    regions: tuple[Region, ...]
    ruled: tuple[rules.RuledTable, ...]
    frames: tuple[Rect, ...]
    """Drawn around text that belongs together."""
    body: float
    """Height of a line of its running text."""
    leading: float
    """From one row of it to the next, in heights of a row."""
    right_to_left: bool
    finished: tuple[FinishedBlock, ...] = ()
    """Blocks that were found from their lines."""

    def arrange(self, items: Sequence[LayoutItem]) -> list[Column]:
        return columns.arrange(items, right_to_left=self.right_to_left)

    def arrange_page(self, items: Sequence[LayoutItem]) -> list[Column]:
        """As `arrange`, with what a frame holds in one place."""
        return arrange_framed(items, self.frames, self.arrange)


def column_drafts(column: Column, page: PageLayout) -> list[BlockDraft]:
    """One column's blocks: rows of text joined to paragraphs, tables and figures between them."""
    drafts: list[BlockDraft] = []
    rows: list[Line] = []
    for row in column:
        if all(item.label is None for item in row):
            rows.append(paragraphs.join_row([item.lines[0] for item in row]))
            continue
        drafts.extend(text_drafts(rows, page))
        rows = []
        for item in row:
            drafts.extend(_item_drafts(item, page))
    return [*drafts, *text_drafts(rows, page)]


def side_drafts(side: Sequence[Line]) -> list[BlockDraft]:
    """The text along the page's sides, a block a margin."""
    return [
        BlockDraft(
            "text",
            escape_markdown(" ".join(line.text.strip() for line in group)),
            tuple(line.rect for line in group),
            mean_score(group),
        )
        for group in side_groups(side)
    ]


def furniture_outside(drafts: Sequence[BlockDraft]) -> list[BlockDraft]:
    """Headers first and footers last, so that none interrupts text that goes on in a column."""
    furniture = [draft for draft in drafts if draft.label in labels.FURNITURE]
    body = [draft for draft in drafts if draft.label not in labels.FURNITURE]
    if not body:
        return furniture
    top = min(draft.rects[0].y0 for draft in body)
    above = [draft for draft in furniture if draft.rects[0].centre_y < top]
    others = [draft for draft in furniture if draft not in above]
    return [*above, *body, *others]


def _item_drafts(item: LayoutItem, page: PageLayout) -> list[BlockDraft]:
    finished = next((block for block in page.finished if block.rect == item.rect), None)
    if finished is not None:
        score = mean_score(finished.lines)
        return [BlockDraft(finished.label, finished.text, (finished.rect,), score)]
    if item.label == "table":
        return [table_draft(item, page)]
    if item.label == "figure":
        return figure_drafts(item, page)
    return region_drafts(item.lines, page)


def region_drafts(lines: Sequence[Line], page: PageLayout) -> list[BlockDraft]:
    """The paragraphs of a region, which may hold several columns."""
    drafts: list[BlockDraft] = []
    for column in page.arrange(line_items(lines)):
        rows = [paragraphs.join_row([item.lines[0] for item in row]) for row in column]
        drafts.extend(text_drafts(rows, page))
    return drafts


def text_drafts(rows: Sequence[Line], page: PageLayout) -> list[BlockDraft]:
    """Paragraphs of one column."""
    height = page.image.shape[0]
    drafts: list[BlockDraft] = []
    for part in paragraphs.split_paragraphs(rows, leading=page.leading):
        label = labels.furniture_label(part, page.regions, page_height=height, body=page.body)
        label = label or labels.label_of(part, page.regions, page.body)
        drafts.append(paragraph_draft(part, label))
    return drafts


def paragraph_draft(part: Paragraph, label: str) -> BlockDraft:
    texts = [row.text.strip() for row in part.rows]
    height = median(row.height for row in part.rows)
    flows = part.flowing and not (label in labels.FURNITURE and _are_entries(texts))
    if flows or label not in ("text", *labels.FURNITURE):
        text = paragraph_text(join_lines(texts), can_be_item=not part.rows[0].has_wide_gap)
    else:
        text = "  \n".join(escape_markdown(text) for text in texts)
    return BlockDraft(label, text, (part.rect,), mean_score(part.rows), height)


def _are_entries(texts: Sequence[str]) -> bool:
    """Whether each row of a header or footer stands for itself: none goes on from the one above."""
    return not any(
        len(text) > _LONG_ENTRY or text[:1].islower() or text.endswith(("-", "\u00ad", ","))
        for text in texts
    )


def overlay_draft(line: Line) -> BlockDraft:
    """A line of a stamp as a block of its own."""
    text = escape_markdown(line.text)
    return BlockDraft("text", text, (line.rect,), line.score, line.height)


def paragraph_text(text: str, *, can_be_item: bool) -> str:
    """In markdown. A row with wide gaps ("* 33.02   66.04") is no item of a list."""
    item = labels.as_list_item(text)
    if can_be_item and item.startswith("- "):
        return f"- {escape_markdown(item[2:])}"
    return escape_markdown(text)


def figure_drafts(item: LayoutItem, page: PageLayout) -> list[BlockDraft]:
    """The picture, then its text; the labels of a small chart are left out."""
    picture = BlockDraft("image", "", (item.rect,), None)
    if not labels.is_worth_reading(item.lines, page.body):
        return [picture]
    return [picture, *region_drafts(item.lines, page)]


def table_draft(item: LayoutItem, page: PageLayout) -> BlockDraft:
    """The table as HTML, from its picture and its lines."""
    ruled = next((table for table in page.ruled if table.rect == item.rect), None)
    if ruled is not None:
        html = build.ruled_html(ruled.cells, item.lines)
    else:
        html = _unruled_html(item, page)
    return BlockDraft("table", html, (item.rect,), mean_score(item.lines))


def _unruled_html(item: LayoutItem, page: PageLayout) -> str:
    """The lines move into the pixels of the table's own picture, as the table model's cells are."""
    height, width = page.image.shape[:2]
    margin = _TABLE_MARGIN * width
    x0, y0 = max(0, int(item.rect.x0 - margin)), max(0, int(item.rect.y0 - margin))
    x1, y1 = min(width, int(item.rect.x1 + margin)), min(height, int(item.rect.y1 + margin))
    moved = [replace(line, rect=line.rect.shifted(-x0, -y0)) for line in item.lines]
    picture = page.image[y0:y1, x0:x1]
    return build.table_html(lambda: page.models.table.detect_cells(picture), moved)
