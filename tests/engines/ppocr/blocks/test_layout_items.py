from dsocr.engines.ppocr.blocks.layout_items import layout_items
from dsocr.engines.ppocr.geometry import Line, Rect, Region


def test_text_above_and_below_a_table_is_not_ordered_as_one() -> None:
    head = Line("Corner Market", Rect(100, 0, 300, 20), 0.9)
    cell = Line("Butter 9.18", Rect(0, 100, 400, 120), 0.9)
    thanks = Line("Thank you", Rect(150, 300, 250, 320), 0.9)
    text = (Region("text", Rect(100, 0, 300, 320), 0.9), (head, thanks))
    table = (Region("table", Rect(90, 60, 310, 280), 0.9), (cell,))
    assert [item.lines for item in layout_items([table, text], [])] == [(cell,), (head,), (thanks,)]
    assert [item.lines for item in layout_items([text], [])] == [(head, thanks)]


def test_a_text_region_over_two_columns_is_not_ordered_as_one() -> None:
    words = "words of a column up to its edge"
    left = tuple(Line(words, Rect(0, 30 * i, 300, 30 * i + 20), 0.9) for i in range(4))
    right = tuple(Line(words, Rect(340, 30 * i, 640, 30 * i + 20), 0.9) for i in range(4))
    both = Region("text", Rect(0, 0, 640, 120), 0.9)
    assert len(layout_items([(both, (*left, *right))], [])) == 8
    assert len(layout_items([(both, left)], [])) == 1


def test_a_text_region_around_a_line_of_another_is_not_ordered_as_one() -> None:
    rows = tuple(Line("the text goes on", Rect(0, y, 300, y + 20), 0.9) for y in (0, 30, 90))
    heading = Line("2 Method", Rect(0, 60, 100, 80), 0.9)
    assigned = [(Region("text", Rect(0, 0, 300, 110), 0.9), rows)]
    assigned += [(Region("title", Rect(0, 60, 100, 80), 0.9), (heading,))]
    assert [item.lines for item in layout_items(assigned, [])][:3] == [(row,) for row in rows]
