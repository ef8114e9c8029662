"""From lines to blocks, with the real networks on pages drawn here."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from dsocr.engines.ppocr.blocks.compose import ComposedPage, compose_page
from dsocr.engines.ppocr.blocks.drafts import BlockDraft
from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.networks.network import Networks
from dsocr.engines.ppocr.networks.structure import StructureModels


@pytest.fixture(scope="module")
def models(networks: Networks) -> StructureModels:
    return StructureModels(networks)


class Sheet:
    """Draws lines, and keeps those that recognition would return."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (1000, 1300), "white")
        self.pen = ImageDraw.Draw(self.image)
        self.lines: list[Line] = []

    def write(self, x: float, y: float, text: str, size: int = 20) -> None:
        font = ImageFont.load_default(size)
        self.pen.text((x, y), text, font=font, fill="black")
        x0, y0, x1, y1 = self.pen.textbbox((x, y), text, font=font)
        self.lines.append(Line(text, Rect(x0 - 4, y0 - 4, x1 + 4, y1 + 4), 0.9))

    def compose(self, models: StructureModels) -> ComposedPage:
        return compose_page(np.asarray(self.image), self.lines, models=models)

    def blocks(self, models: StructureModels) -> list[BlockDraft]:
        return self.compose(models).blocks


def test_two_columns_are_read_one_after_the_other(models: StructureModels) -> None:
    sheet = Sheet()
    sheet.write(200, 40, "The Northern Gazette", size=54)
    for i in range(12):
        sheet.write(60, 160 + 30 * i, f"left row {i} has words up to the gutter")
        sheet.write(520, 160 + 30 * i, f"right row {i} has words up to the edge")
    blocks = sheet.blocks(models)
    text = "\n".join(block.text for block in blocks)
    assert blocks[0].label == "title"
    assert blocks[0].text == "# The Northern Gazette"
    assert text.index("left row 11") < text.index("right row 0")


def test_ruled_table_becomes_html(models: StructureModels) -> None:
    sheet = Sheet()
    sheet.write(100, 100, "The table below holds the figures of three years in full.")
    for row in range(8):
        for column in range(4):
            sheet.write(120 + 190 * column, 210 + 50 * row, f"r{row}c{column}")
    for row in range(9):
        sheet.pen.line((100, 195 + 50 * row, 860, 195 + 50 * row), fill="black", width=2)
    for column in range(5):
        sheet.pen.line((100 + 190 * column, 195, 100 + 190 * column, 595), fill="black", width=2)
    tables = [block.text for block in sheet.blocks(models) if block.label == "table"]
    assert len(tables) == 1
    assert "<tr><td>r7c0</td><td>r7c1</td><td>r7c2</td><td>r7c3</td></tr>" in tables[0]


def test_no_line_is_lost_and_boxes_lie_on_the_page(models: StructureModels) -> None:
    sheet = Sheet()
    for i in range(10):
        sheet.write(60, 300 + 60 * i, f"word{i}")
        sheet.write(700, 300 + 60 * i, f"price{i}")
    blocks = sheet.blocks(models)
    text = " ".join(block.text for block in blocks)
    assert all(f"word{i}" in text and f"price{i}" in text for i in range(10))
    for block in blocks:
        for rect in block.rects:
            assert 0 <= rect.x0 < rect.x1 <= 1000
            assert 0 <= rect.y0 < rect.y1 <= 1300
        assert block.score is None or block.score == pytest.approx(0.9)


def test_page_without_lines_has_no_text(models: StructureModels) -> None:
    assert all(not block.text for block in Sheet().blocks(models))


def test_lines_are_in_the_order_of_the_blocks_with_page_numbers(
    models: StructureModels,
) -> None:
    sheet = Sheet()
    sheet.write(480, 1260, "12")
    for i in range(12):
        sheet.write(520, 160 + 30 * i, f"right row {i} has words up to the edge")
        sheet.write(60, 160 + 30 * i, f"left row {i} has words up to the gutter")

    page = sheet.compose(models)

    texts = [line.text for line in page.lines]
    assert [text.split(" has")[0] for text in texts] == [
        *(f"left row {i}" for i in range(12)),
        *(f"right row {i}" for i in range(12)),
        "12",
    ]
    assert [(block.label, block.text) for block in page.blocks][-1] == ("page_number", "12")


def test_a_table_s_lines_come_row_by_row(models: StructureModels) -> None:
    sheet = Sheet()
    for column in range(3):
        for row in range(6):
            sheet.write(120 + 190 * column, 210 + 50 * row, f"{row}{column},500")

    page = sheet.compose(models)

    assert [block.label for block in page.blocks] == ["table"]
    assert [line.text for line in page.lines] == [
        f"{row}{column},500" for row in range(6) for column in range(3)
    ]
