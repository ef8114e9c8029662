"""What belongs to a table, by boxes made here."""

from __future__ import annotations

from dsocr.engines.ppocr.blocks.table_regions import heading_above, with_grids
from dsocr.engines.ppocr.geometry import Line, Rect, Region


def at(words: str, x: float, y: float, width: float = 60) -> Line:
    return Line(words, Rect(x, y, x + width, y + 20), 1.0)


TABLE = [
    at(f"{row}{column},500", 150 * column, 200 + 30 * row)
    for row in range(5)
    for column in range(4)
]


def test_headings_right_above_a_table_belong_to_it() -> None:
    upper = [at("Price", 150, 150), at("Total", 300, 150)]
    lower = [at("audited", 450, 172)]
    far = [at("Summary", 0, 60), at("Page", 300, 60)]

    taken = heading_above(TABLE, [*upper, *lower, *far])

    assert sorted(line.text for line in taken) == ["Price", "Total", "audited"]


def test_a_line_of_prose_above_a_table_is_not_its_heading() -> None:
    prose = at("These figures were audited by the office in the spring of the year", 0, 172, 510)
    label = at("Figures", 0, 172)

    assert heading_above(TABLE, [prose]) == []
    assert heading_above(TABLE, [label]) == []


def test_a_heading_at_the_left_over_numbers_at_the_right_belongs_to_the_table() -> None:
    heading = [at("Pos", -35, 170), at("Qty", 150, 170), at("Price", 300, 170)]

    assert len(heading_above(TABLE, heading)) == 3


def test_a_title_and_rows_of_other_columns_are_no_headings() -> None:
    heading = [at("Qty", 0, 170), at("Price", 300, 170)]
    title = Line("Invoice", Rect(0, 130, 120, 164), 1.0)
    address = [at("4 Mill Lane", 0, 105), at("Date 4 May", 300, 105)]
    keys = [at("Weight in all", 40, 145, 130), at("180 kg", 240, 145), at("Post", 400, 145)]

    assert heading_above(TABLE, [*heading, title, *address]) == heading
    assert heading_above(TABLE, [*heading, *keys]) == heading


def test_an_address_above_a_table_is_left_out_of_it() -> None:
    address = [at("14 Canal Street", 0, 40, 110), at("Westport", 0, 65)]
    region = Region("table", Rect(0, 30, 520, 360), 0.9)

    kept, free = with_grids([(region, (*address, *TABLE))], [], right_to_left=False)

    assert free == address
    assert kept[0][1] == tuple(TABLE)


def test_numbers_in_rows_are_a_table_in_an_equation_region() -> None:
    region = Region("equation", Rect(0, 190, 520, 360), 0.9)

    ((found, lines),), _ = with_grids([(region, tuple(TABLE))], [], right_to_left=False)

    assert found.label == "table"
    assert len(lines) == len(TABLE)


def test_a_heading_may_be_wider_than_its_numbers() -> None:
    heading = [at("Pos", 0, 172), at("Qty", 150, 172), at("Unit price in euro", 230, 172, 130)]
    heading.append(at("Total", 450, 172))

    assert heading_above(TABLE, heading) == heading


def test_tables_in_frames_side_by_side_stay_apart() -> None:
    goods = [at(f"Goods of kind {row}", 0, 200 + 30 * row, 140) for row in range(5)]
    used = [*goods, *(at(f"{row},500", 200, 200 + 30 * row) for row in range(5))]
    paid = [at(f"{row}.80", 500, 200 + 30 * row) for row in range(5)]
    region = Region("table", Rect(0, 200, 260, 340), 0.9)
    framed = (Rect(-10, 190, 270, 350), Rect(400, 190, 600, 350))

    kept, _ = with_grids([(region, tuple(used))], paid, right_to_left=False, frames=framed)
    joined, _ = with_grids([(region, tuple(used))], paid, right_to_left=False)

    assert [len(lines) for _, lines in kept] == [10]
    assert [len(lines) for _, lines in joined] == [15]


def invoice(*, x: float = 300) -> list[Line]:
    """Goods at the left, their numbers in columns far away."""
    rows = [("Goods", "Hours", "Rate", "Sum"), ("Pump seal", "2.5", "48.00", "120.00")]
    rows += [("Gasket kit", "1", "36.40", "36.40"), ("Test run", "1.5", "48.00", "72.00")]
    places = (0, x, x + 200, x + 400)
    return [
        at(text, place, 200 + 30 * number, 40 + 5 * len(text))
        for number, row in enumerate(rows)
        for place, text in zip(places, row, strict=True)
    ]


def test_rows_of_an_invoice_are_a_table_though_the_columns_of_the_page_run_through_them() -> None:
    words = ("Quay Road", "Whitby harbour", "The old smithy", "Northwind repairs")
    address = [at(text, x, 30 * number, 150) for number, text in enumerate(words) for x in (0, 500)]
    lines = invoice()

    tables, free = with_grids([], [*address, *lines], right_to_left=False)

    assert [set(map(id, own)) for _, own in tables] == [set(map(id, lines))]
    assert free == address


def test_two_tables_with_titles_over_them_are_two() -> None:
    rows = [
        at(f"{row}{column},5", 150 * column, 200 + 30 * row)
        for row in range(4)
        for column in range(6)
    ]
    titles = [
        Line("Best sellers", Rect(0, 165, 110, 190), 1.0),
        Line("Regions", Rect(450, 165, 540, 190), 1.0),
    ]

    tables, free = with_grids([], [*titles, *rows], right_to_left=False)

    assert [len(own) for _, own in tables] == [12, 12]
    assert free == titles
