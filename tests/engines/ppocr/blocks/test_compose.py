"""The chain from lines to blocks, with the real networks on pages drawn here."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dsocr.engines.ppocr.blocks.compose import (
    LayoutModels,
    atoms_of,
    compose_blocks,
    paragraph_text,
    without_frames,
)
from dsocr.engines.ppocr.geometry import Line, Rect, Region
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.types import Block


@pytest.fixture(scope="module")
def models() -> LayoutModels:
    return LayoutModels(Networks(2))


class Sheet:
    """Draws lines and remembers what recognition would hand over."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (1000, 1300), "white")
        self.pen = ImageDraw.Draw(self.image)
        self.lines: list[Line] = []

    def write(self, x: float, y: float, text: str, size: int = 20) -> None:
        font = ImageFont.load_default(size)
        self.pen.text((x, y), text, font=font, fill="black")
        x0, y0, x1, y1 = self.pen.textbbox((x, y), text, font=font)
        self.lines.append(Line(text, Rect(x0 - 4, y0 - 4, x1 + 4, y1 + 4), 0.9))

    def read(self, models: LayoutModels) -> list[Block]:
        return compose_blocks(np.asarray(self.image), self.lines, models=models)


def test_two_columns_are_read_one_after_the_other(models: LayoutModels) -> None:
    sheet = Sheet()
    sheet.write(200, 40, "The Northern Gazette", size=54)
    for i in range(12):
        sheet.write(60, 160 + 30 * i, f"left row {i} has words up to the gutter")
        sheet.write(520, 160 + 30 * i, f"right row {i} has words up to the edge")
    blocks = sheet.read(models)
    text = "\n".join(block.text for block in blocks)
    assert blocks[0].label == "title"
    assert blocks[0].text == "# The Northern Gazette"
    assert text.index("left row 11") < text.index("right row 0")


def test_ruled_table_becomes_html(models: LayoutModels) -> None:
    sheet = Sheet()
    sheet.write(100, 100, "The table below holds the figures of three years in full.")
    for row in range(8):
        for column in range(4):
            sheet.write(120 + 190 * column, 210 + 50 * row, f"r{row}c{column}")
    for row in range(9):
        sheet.pen.line((100, 195 + 50 * row, 860, 195 + 50 * row), fill="black", width=2)
    for column in range(5):
        sheet.pen.line((100 + 190 * column, 195, 100 + 190 * column, 595), fill="black", width=2)
    tables = [block.text for block in sheet.read(models) if block.label == "table"]
    assert len(tables) == 1
    assert "<tr><td>r7c0</td><td>r7c1</td><td>r7c2</td><td>r7c3</td></tr>" in tables[0]


def test_no_line_is_lost_and_boxes_are_fractions(models: LayoutModels) -> None:
    sheet = Sheet()
    for i in range(10):
        sheet.write(60, 300 + 60 * i, f"word{i}")
        sheet.write(700, 300 + 60 * i, f"price{i}")
    blocks = sheet.read(models)
    text = " ".join(block.text for block in blocks)
    assert all(f"word{i}" in text and f"price{i}" in text for i in range(10))
    for block in blocks:
        for box in block.boxes:
            assert 0 <= box.x0 < box.x1 <= 1
            assert 0 <= box.y0 < box.y1 <= 1
        assert block.confidence is None or block.confidence == pytest.approx(0.9)


def test_page_without_lines_has_no_text(models: LayoutModels) -> None:
    assert all(not block.text for block in Sheet().read(models))


def test_a_frame_around_most_of_the_writing_is_no_figure() -> None:
    lines = [Line("words on a receipt", Rect(50, 40 * i, 400, 40 * i + 20), 0.9) for i in range(9)]
    frame = Region("figure", Rect(20, 0, 500, 400), 0.9)
    logo = Region("figure", Rect(40, 0, 450, 60), 0.9)
    assert without_frames([frame, logo], lines) == [logo]
    assert without_frames([frame], []) == [frame]


def test_a_bullet_makes_an_item_and_a_factor_in_a_row_of_prices_does_not() -> None:
    assert paragraph_text("\u2022 bread *fresh*", can_be_item=True) == "- bread \\*fresh\\*"
    assert paragraph_text("* 33.02 66.04", can_be_item=False) == "\\* 33.02 66.04"


def test_text_above_and_below_a_table_is_not_ordered_as_one() -> None:
    head = Line("Corner Market", Rect(100, 0, 300, 20), 0.9)
    cell = Line("Butter 9.18", Rect(0, 100, 400, 120), 0.9)
    thanks = Line("Thank you", Rect(150, 300, 250, 320), 0.9)
    text = (Region("text", Rect(100, 0, 300, 320), 0.9), (head, thanks))
    table = (Region("table", Rect(90, 60, 310, 280), 0.9), (cell,))
    assert [atom.lines for atom in atoms_of([table, text], [])] == [(cell,), (head,), (thanks,)]
    assert [atom.lines for atom in atoms_of([text], [])] == [(head, thanks)]


def test_a_text_region_over_two_columns_is_not_ordered_as_one() -> None:
    words = "words of a column up to its edge"
    left = tuple(Line(words, Rect(0, 30 * i, 300, 30 * i + 20), 0.9) for i in range(4))
    right = tuple(Line(words, Rect(340, 30 * i, 640, 30 * i + 20), 0.9) for i in range(4))
    both = Region("text", Rect(0, 0, 640, 120), 0.9)
    assert len(atoms_of([(both, (*left, *right))], [])) == 8
    assert len(atoms_of([(both, left)], [])) == 1


def test_a_text_region_around_a_line_of_another_is_not_ordered_as_one() -> None:
    rows = tuple(Line("the text goes on", Rect(0, y, 300, y + 20), 0.9) for y in (0, 30, 90))
    heading = Line("2 Method", Rect(0, 60, 100, 80), 0.9)
    assigned = [(Region("text", Rect(0, 0, 300, 110), 0.9), rows)]
    assigned += [(Region("title", Rect(0, 60, 100, 80), 0.9), (heading,))]
    assert [atom.lines for atom in atoms_of(assigned, [])][:3] == [(row,) for row in rows]
