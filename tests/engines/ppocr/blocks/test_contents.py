from __future__ import annotations

from dsocr.engines.ppocr.blocks.contents import contents_blocks
from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.contents import apart_from_leaders


def row(entry: str, page: str, place: int, page_height: float = 24) -> list[Line]:
    y = 50.0 * place
    return [
        Line(entry, Rect(80, y, 80 + 12 * len(entry), y + 26), 0.9),
        Line(page, Rect(900 - 14 * len(page), y + 26 - page_height, 900, y + 26), 0.9),
    ]


def test_leaders_are_left_out_of_contents() -> None:
    rows = [row("Preface .....", "ix", 0), row("1 The bell .", "1", 1), row("Index", "120", 2)]
    (block,) = contents_blocks([line for lines in rows for line in lines])
    assert block.text == "Preface ix  \n1 The bell 1  \nIndex 120"


def test_a_small_v_is_told_from_a_capital_by_its_height() -> None:
    rows = [row("Preface ...", "V", 0, 18), row("Plates ...", "X", 1, 26), row("Index", "9", 2)]
    (block,) = contents_blocks([line for lines in rows for line in lines])
    assert block.text.split("  \n")[:2] == ["Preface v", "Plates X"]


def test_a_table_without_leaders_is_no_contents() -> None:
    rows = [
        row(name, count, place)
        for place, (name, count) in enumerate([("Oars", "4"), ("Keels", "2"), ("Sails", "7")])
    ]
    assert contents_blocks([line for lines in rows for line in lines]) == []


def test_an_entry_in_one_line_with_its_leaders_and_page_is_split() -> None:
    whole = Line("1.2 Sand ............ 9", Rect(80, 50, 900, 76), 0.9)
    rows = [*row("1.1 Clay ...", "3", 0), whole, *row("2 Water", ".17", 2)]
    (block,) = contents_blocks(rows)
    assert block.text == "1.1 Clay 3  \n1.2 Sand 9  \n2 Water 17"
    assert whole in block.lines


def test_leaders_of_a_price_list_are_set_apart_and_a_dotted_rule_is_not() -> None:
    dots = [Line(". . . . . .", Rect(200, 50.0 * n, 500, 50.0 * n + 26), 0.9) for n in range(2)]
    dishes = [Line("Soup", Rect(80, 50.0 * n, 190, 50.0 * n + 26), 0.9) for n in range(2)]
    whole = Line("Stew . . . . .", Rect(80, 100, 500, 126), 0.9)
    rule = Line("............", Rect(80, 400, 900, 410), 0.9)
    entries, leaders = apart_from_leaders([*dishes, *dots, whole, rule])

    assert [line.text for line in entries] == ["Soup", "Soup", "Stew", "............"]
    assert leaders == dots
