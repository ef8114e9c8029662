from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.prose import is_prose


def test_stacked_long_lines_are_prose_and_cells_are_not() -> None:
    text = "a line that is long enough to be prose"
    stacked = [Line(text, Rect(0, 24 * i, 300, 24 * i + 20), 1.0) for i in range(8)]
    cells = [Line("12,345", Rect(0, 24 * i, 60, 24 * i + 20), 1.0) for i in range(8)]
    assert is_prose(stacked)
    assert not is_prose(cells)
