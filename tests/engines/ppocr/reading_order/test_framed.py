from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.columns import arrange
from dsocr.engines.ppocr.reading_order.framed import arrange_framed
from dsocr.engines.ppocr.reading_order.items import line_items


def card(name: str, x: float, y: float, rows: int = 3) -> list[Line]:
    return [
        Line(f"{name}{i} words", Rect(x + 20, y + 20 + 30 * i, x + 140, y + 40 + 30 * i), 1.0)
        for i in range(rows)
    ]


def order_of(lines: list[Line], frames: list[Rect]) -> list[str]:
    columns = arrange_framed(line_items(lines), frames, arrange)
    return [item.lines[0].text.split()[0] for rows in columns for row in rows for item in row]


def test_cards_in_a_grid_are_read_row_by_row() -> None:
    places = {"a": (0, 0), "b": (200, 0), "c": (0, 150), "d": (200, 150)}
    lines = [line for name, place in places.items() for line in card(name, *place)]
    frames = [Rect(x, y, x + 180, y + 130) for x, y in places.values()]

    assert order_of(lines, frames) == [f"{name}{i}" for name in "abcd" for i in range(3)]


def test_a_frame_in_a_frame_is_read_in_its_place() -> None:
    lines = [*card("a", 0, 0), *card("b", 20, 130), *card("c", 0, 300)]
    frames = [Rect(0, 0, 220, 270), Rect(20, 130, 200, 260)]

    assert order_of(lines, frames) == [f"{name}{i}" for name in "abc" for i in range(3)]


def test_a_frame_without_text_changes_nothing() -> None:
    assert order_of(card("a", 0, 0), [Rect(500, 500, 600, 600)]) == ["a0", "a1", "a2"]
