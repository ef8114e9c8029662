"""From a page's lines to its blocks: the steps in their order, each in a module of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dsocr.engines.ppocr.blocks import figures, labels, regions, table_regions
from dsocr.engines.ppocr.blocks.drafts import (
    BlockDraft,
    PageLayout,
    column_drafts,
    overlay_draft,
)
from dsocr.engines.ppocr.blocks.layout_items import layout_items
from dsocr.engines.ppocr.blocks.regions import Assigned
from dsocr.engines.ppocr.blocks.titles import with_title_levels
from dsocr.engines.ppocr.blocks.turned_parts import compose_part, turned_parts, with_part
from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.networks.structure import StructureModels
from dsocr.engines.ppocr.reading_order import paragraphs
from dsocr.engines.ppocr.reading_order.drop_caps import with_drop_caps
from dsocr.engines.ppocr.reading_order.items import line_items
from dsocr.engines.ppocr.reading_order.line_order import lines_in_order
from dsocr.engines.ppocr.reading_order.text_joins import is_right_to_left
from dsocr.engines.ppocr.tables import rules


@dataclass(frozen=True, slots=True)
class ComposedPage:
    """Blocks and lines in reading order, in pixels of the view."""

    blocks: list[BlockDraft]
    lines: list[Line]
    """All lines, those that no block shows among them."""


def compose_page(image: Pixels, lines: Sequence[Line], *, models: StructureModels) -> ComposedPage:
    """The page's blocks and lines. `lines` are in pixels of the image.

    A stamp's words come last: between the lines that it covers they would part a sentence.
    """
    overlays = [line for line in lines if line.is_overlay]
    lines = with_drop_caps([line for line in lines if line.text.strip() and not line.is_overlay])
    body = labels.body_height(lines)
    ruled = rules.ruled_tables(image, lines, body)
    lines, parts = turned_parts(lines, ruled, width=image.shape[1])
    page, assigned, free = _page_layout(image, lines, models, ruled)
    columns = page.arrange(layout_items(assigned, free))
    drafts = [draft for column in columns for draft in column_drafts(column, page)]
    if lines and not any(draft.text for draft in drafts):
        page = replace(page, keeps_furniture=True)
        columns = page.arrange(line_items(lines))
        drafts = [draft for column in columns for draft in column_drafts(column, page)]
    blocks = with_title_levels(drafts, page.body, image.shape[0])
    ordered = lines_in_order(columns, page.arrange)
    characters = sum(len(line.text) for line in [*lines, *(x for p in parts for x in p.lines)])
    for part in parts:
        part_drafts, part_lines = compose_part(part, page)
        blocks = with_part(blocks, part, part_drafts, characters)
        ordered += part_lines
    stamped = [overlay_draft(line) for line in overlays]
    return ComposedPage([*blocks, *stamped], [*ordered, *overlays])


def _page_layout(
    image: Pixels,
    lines: Sequence[Line],
    models: StructureModels,
    ruled: Sequence[rules.RuledTable],
) -> tuple[PageLayout, Assigned, list[Line]]:
    """What is known about the page, its regions with their lines, and the lines in none."""
    body = labels.body_height(lines)
    right_to_left = is_right_to_left(line.text for line in lines)
    in_ruled, outside = table_regions.assign_ruled(ruled, lines)
    seen = figures.without_frames(models.layout.detect(image), lines)
    seen = table_regions.outside_ruled(seen, ruled)
    seen = figures.without_false_figures(seen, lines, image)
    assigned, free = regions.assign_lines(seen, outside)
    assigned, free = table_regions.with_grids(assigned, free, right_to_left=right_to_left)
    page = PageLayout(
        image=image,
        models=models,
        regions=tuple(region for region, _ in assigned),
        ruled=tuple(ruled),
        body=body,
        leading=paragraphs.leading_of(lines),
        right_to_left=right_to_left,
    )
    return page, [*in_ruled, *assigned], free
