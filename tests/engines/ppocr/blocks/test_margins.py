from __future__ import annotations

from dsocr.engines.ppocr.blocks.margins import outside_margins, side_groups, split_side_lines
from dsocr.engines.ppocr.geometry import Line, Rect, Region

TEXT = [
    Line("words of a column", Rect(150, 40 * row, 900, 40 * row + 22), 0.9) for row in range(20)
]
LEFT = Line("preprint 2403", Rect(40, 300, 70, 700), 0.9)
RIGHT = Line("printed in Leith", Rect(940, 300, 970, 700), 0.9)


def split(*lines: Line) -> list[Line]:
    return split_side_lines([*TEXT, *lines], page_width=1000, body=22)[1]


def test_upright_lines_in_the_margins_are_set_apart() -> None:
    assert split(LEFT, RIGHT) == [LEFT, RIGHT]


def test_upright_lines_inside_the_text_stay_in_it() -> None:
    assert split(Line("label", Rect(500, 900, 530, 1200), 0.9)) == []


def test_a_page_of_upright_lines_has_no_margin() -> None:
    upright = [Line("\u6f6e", Rect(900 - 60 * n, 50, 930 - 60 * n, 900), 0.9) for n in range(9)]
    assert split_side_lines(upright, page_width=1000, body=22)[1] == []


def test_pieces_of_one_margin_are_one_group() -> None:
    below = Line("4 Mar", Rect(42, 710, 68, 900), 0.9)
    assert side_groups([below, RIGHT, LEFT]) == [[LEFT, below], [RIGHT]]


def test_a_figure_seen_in_the_margin_is_none() -> None:
    text = Region("text", Rect(150, 0, 900, 800), 0.9)
    strip = Region("figure", Rect(935, 290, 975, 710), 0.9)
    assert outside_margins([text, strip], [RIGHT]) == [text]
