"""Which lines belong to which region, by boxes made here."""

from __future__ import annotations

from dsocr.engines.ppocr.blocks.regions import assign_lines, drop_duplicates
from dsocr.engines.ppocr.geometry import Line, Rect, Region


def at(words: str, x: float, y: float, width: float = 60) -> Line:
    return Line(words, Rect(x, y, x + width, y + 20), 1.0)


def test_table_survives_a_text_box_inside_it() -> None:
    table = Region("table", Rect(0, 0, 100, 100), 0.5)
    inner = Region("text", Rect(10, 10, 90, 90), 0.9)
    assert drop_duplicates([inner, table]) == [table]


def test_prose_that_flows_around_a_table_is_not_in_it() -> None:
    prose = [at("a line of running text in a column", 0, 30 * row, 300) for row in range(12)]
    facts = [at(f"{row}{c}", 340 + 80 * c, 30 * row) for row in range(12) for c in range(2)]
    box = Region("table", Rect(330, 0, 500, 360), 0.5)
    whole = Region("table", Rect(0, 0, 500, 360), 0.6)

    assigned, free = assign_lines([whole, box], [*prose, *facts])

    assert [(region.label, lines) for region, lines in assigned] == [("table", tuple(facts))]
    assert free == prose
