"""From a page's lines to its blocks: the steps in their order, each in a module of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsocr.engines.ppocr.blocks import figures, frames, labels, margins, regions, table_regions
from dsocr.engines.ppocr.blocks.code import code_blocks
from dsocr.engines.ppocr.blocks.contents import contents_blocks
from dsocr.engines.ppocr.blocks.drafts import (
    BlockDraft,
    PageLayout,
    column_drafts,
    furniture_outside,
    overlay_draft,
    side_drafts,
)
from dsocr.engines.ppocr.blocks.finished import (
    FinishedBlock,
    all_assigned,
    outside_finished,
    without_taken,
)
from dsocr.engines.ppocr.blocks.layout_items import layout_items
from dsocr.engines.ppocr.blocks.line_numbers import line_numbers
from dsocr.engines.ppocr.blocks.regions import Assigned
from dsocr.engines.ppocr.blocks.titles import with_title_levels
from dsocr.engines.ppocr.blocks.turned_parts import compose_part, turned_parts, with_part
from dsocr.engines.ppocr.geometry import Line
from dsocr.engines.ppocr.networks.quads import Pixels
from dsocr.engines.ppocr.networks.structure import StructureModels
from dsocr.engines.ppocr.reading_order import paragraphs
from dsocr.engines.ppocr.reading_order.contents import apart_from_leaders
from dsocr.engines.ppocr.reading_order.drop_caps import with_drop_caps
from dsocr.engines.ppocr.reading_order.items import line_items
from dsocr.engines.ppocr.reading_order.line_order import lines_in_order
from dsocr.engines.ppocr.reading_order.text_joins import is_right_to_left
from dsocr.engines.ppocr.reading_order.title_rows import with_whole_titles
from dsocr.engines.ppocr.tables import rules
from dsocr.engines.ppocr.tables.month_sheets import month_sheets


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
    lines = with_whole_titles(lines, labels.body_height(lines))
    num_lines = len(lines)
    ruled = rules.ruled_tables(image, lines, labels.body_height(lines))
    lines, parts = turned_parts(lines, ruled, width=image.shape[1])
    apart = _set_apart(image, lines)
    if len(apart.lines) != num_lines:  # lines that were set apart belong to no table
        ruled = rules.ruled_tables(image, apart.lines, labels.body_height(lines))
    page, assigned, free = _page_layout(image, lines, models, apart, ruled)
    columns = page.arrange_page(layout_items(assigned, free, page.frames))
    drafts = [draft for column in columns for draft in column_drafts(column, page)]
    if apart.lines and not any(draft.text for draft in drafts) and not apart.finished:
        columns = page.arrange(line_items(apart.lines))  # what looks like a figure is all the text
        drafts = [draft for column in columns for draft in column_drafts(column, page)]
    drafts = [*furniture_outside(drafts), *side_drafts(apart.side)]
    blocks = with_title_levels(drafts, page.body, image.shape[0])
    ordered = lines_in_order(columns, page.arrange)
    characters = sum(len(line.text) for line in [*lines, *(x for p in parts for x in p.lines)])
    for part in parts:
        part_drafts, part_lines = compose_part(part, page)
        blocks = with_part(blocks, part, part_drafts, characters)
        ordered += part_lines
    stamped = [overlay_draft(line) for line in overlays]
    return ComposedPage([*blocks, *stamped], [*ordered, *apart.side, *apart.numbers, *overlays])


@dataclass(frozen=True, slots=True)
class _Apart:
    """What is found before the page's layout."""

    lines: list[Line]
    """The lines that need the layout."""
    finished: list[FinishedBlock]
    side: list[Line]
    """Upright ones in the margins."""
    numbers: list[Line]
    """Those that count the others, and those of leaders alone: no block shows them."""


def _set_apart(image: Pixels, lines: list[Line]) -> _Apart:
    body = labels.body_height(lines)
    lines, side = margins.split_side_lines(lines, page_width=image.shape[1], body=body)
    code = code_blocks(lines)
    lines = without_taken(lines, code)
    sheets = [
        FinishedBlock("table", sheet.rect, sheet.lines, sheet.html) for sheet in month_sheets(lines)
    ]
    lines = without_taken(lines, sheets)
    contents = contents_blocks(lines)
    lines = without_taken(lines, contents)
    lines, leaders = apart_from_leaders(lines)
    numbers = line_numbers(lines)
    lines = [line for line in lines if line not in numbers]
    return _Apart(lines, [*code, *sheets, *contents], side, [*numbers, *leaders])


def _page_layout(
    image: Pixels,
    every: Sequence[Line],
    models: StructureModels,
    apart: _Apart,
    ruled: tuple[rules.RuledTable, ...],
) -> tuple[PageLayout, Assigned, list[Line]]:
    """What is known about the page, its regions with their lines, and the lines in none."""
    lines, finished = apart.lines, apart.finished
    body = labels.body_height(every)
    right_to_left = is_right_to_left(line.text for line in lines)
    in_ruled, outside = table_regions.assign_ruled(ruled, lines)
    framed = frames.frames_of(image, lines, ruled, body)
    seen = outside_finished(models.layout.detect(image), finished)
    seen = figures.without_frames(margins.outside_margins(seen, apart.side), lines)
    seen = table_regions.outside_ruled(seen, ruled)
    seen = figures.without_false_figures(seen, lines, image)
    seen = frames.without_crossing(seen, framed)
    assigned, free = regions.assign_lines(seen, outside)
    assigned, free = table_regions.with_grids(
        assigned, free, right_to_left=right_to_left, frames=framed
    )
    page = PageLayout(
        image=image,
        models=models,
        regions=tuple(region for region, _ in assigned),
        ruled=ruled,
        frames=tuple(frames.without_tables(framed, assigned)),
        body=body,
        leading=paragraphs.leading_of(every),
        right_to_left=right_to_left,
        finished=tuple(finished),
    )
    return page, [*all_assigned(finished), *in_ruled, *assigned], free
