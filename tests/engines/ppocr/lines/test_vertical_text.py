from __future__ import annotations

import numpy as np

from dsocr.engines.ppocr.blocks.turned_parts import turned_parts
from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.vertical_text import as_level_line, joined


def column(heights: list[int], *, pitch: int = 40, width: int = 60) -> np.ndarray:  # type: ignore[type-arg]
    """Black squares of these heights, each in the middle of a cell."""
    picture = np.full((pitch * len(heights) + 20, width, 3), 255, np.uint8)
    for number, height in enumerate(heights):
        middle = 10 + pitch * number + pitch // 2
        picture[middle - height // 2 : middle + height // 2, 12:48] = 0
    return picture


def num_parts(level: np.ndarray) -> int:  # type: ignore[type-arg]
    inked = (level.min(axis=2) < 128).any(axis=0).astype(int)
    return int((np.diff(np.concatenate([[0], inked])) == 1).sum())


def test_characters_of_a_column_stand_side_by_side() -> None:
    level = as_level_line(column([34, 34, 4, 34, 34]))

    assert level is not None
    assert level.shape[1] > 3 * level.shape[0]
    assert num_parts(level) == 5


def test_a_solid_bar_is_no_column_of_characters() -> None:
    bar = np.full((300, 60, 3), 255, np.uint8)
    bar[10:290, 12:48] = 0

    assert as_level_line(bar) is None


def test_an_empty_column_is_no_line() -> None:
    assert as_level_line(np.full((300, 60, 3), 255, np.uint8)) is None


def test_characters_that_only_one_reading_has_are_kept() -> None:
    assert joined("船はもう、出た。", "船はもう出ていた") == "船はもう、出ていた。"


def sideways(text: str, x: float, *, turn: int = 90) -> Line:
    return Line(text, Rect(x, 50, x + 30, 400), 0.99, turn=turn)  # type: ignore[arg-type]


def test_neighbouring_columns_are_one_part_of_the_page() -> None:
    title = Line("町内会のお知らせ", Rect(50, 10, 300, 40), 0.99)
    lines = [title, sideways("雨の時は", 100), sideways("来月の第一日曜日", 150)]
    rest, parts = turned_parts(lines, (), width=400)

    assert rest == [title]
    assert [(part.turn, len(part.lines)) for part in parts] == [(90, 2)]


def test_a_single_sideways_line_stays_in_the_page() -> None:
    lines = [Line("text", Rect(50, 10, 300, 40), 0.99), sideways("axis", 190, turn=270)]

    assert turned_parts(lines, (), width=400) == (lines, [])
