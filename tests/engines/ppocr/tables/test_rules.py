"""Tables drawn with rules, on pictures drawn here."""

import cv2
import numpy as np

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.tables import build, rules

HEIGHT = 20.0


def page_with_grid(xs: list[int], ys: list[int]) -> np.ndarray:  # type: ignore[type-arg]
    page = np.full((400, 700, 3), 255, np.uint8)
    for x in xs:
        cv2.line(page, (x, ys[0]), (x, ys[-1]), (0, 0, 0), 1)
    for y in ys:
        cv2.line(page, (xs[0], y), (xs[-1], y), (0, 0, 0), 1)
    return page


def at(text: str, x: float, y: float) -> Line:
    return Line(text, Rect(x, y, x + 9 * len(text), y + HEIGHT), 0.99)


def test_cells_are_those_that_the_rules_draw() -> None:
    page = page_with_grid([50, 250, 450], [50, 90, 130])
    lines = [at("Town", 60, 60), at("People", 260, 60), at("Ulm", 60, 100), at("126", 260, 100)]

    (table,) = rules.ruled_tables(page, lines, HEIGHT)

    assert build.to_html(build.ruled_entries(table.cells, lines)) == (
        "<table><tr><td>Town</td><td>People</td></tr><tr><td>Ulm</td><td>126</td></tr></table>"
    )


def test_a_missing_rule_makes_a_cell_span() -> None:
    page = page_with_grid([50, 250, 450], [50, 90, 130])
    page[52:89, 249:252] = 255
    lines = [at("Both", 60, 60), at("Ulm", 60, 100), at("126", 260, 100)]

    (table,) = rules.ruled_tables(page, lines, HEIGHT)

    assert [(cell.row, cell.column, cell.colspan) for cell in table.cells] == [
        (0, 0, 2),
        (1, 0, 1),
        (1, 1, 1),
    ]


def test_a_frame_or_an_empty_grid_is_no_table() -> None:
    words = [at("A note in a frame", 60, 60)]

    assert rules.ruled_tables(page_with_grid([50, 450], [50, 130]), words, HEIGHT) == ()
    assert rules.ruled_tables(page_with_grid([50, 250, 450], [50, 90, 130]), [], HEIGHT) == ()


def test_rows_without_rules_between_them_are_split() -> None:
    page = page_with_grid([50, 250, 450], [50, 90, 160])
    lines = [at("Town", 60, 60), at("People", 260, 60)]
    lines += [at("Ulm", 60, 95), at("126", 260, 95), at("Trier", 60, 130), at("111", 260, 130)]

    (table,) = rules.ruled_tables(page, lines, HEIGHT)

    assert build.to_html(build.ruled_entries(table.cells, lines)).endswith(
        "<tr><td>Ulm</td><td>126</td></tr><tr><td>Trier</td><td>111</td></tr></table>"
    )
