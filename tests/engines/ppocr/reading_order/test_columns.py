from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.columns import arrange
from dsocr.engines.ppocr.reading_order.items import LayoutItem

PROSE = "running text of a column"


def line(text: str, x0: float, y0: float, x1: float, height: float = 20) -> LayoutItem:
    rect = Rect(x0, y0, x1, y0 + height)
    return LayoutItem(rect, (Line(text, rect, 1.0),))


def column(name: str, x0: float, top: float, rows: int, width: float = 300) -> list[LayoutItem]:
    return [line(f"{name}{i} {PROSE}", x0, top + 26 * i, x0 + width) for i in range(rows)]


def order_of(items: list[LayoutItem], **options: bool) -> list[str]:
    columns = arrange(items, **options)
    return [item.lines[0].text.split()[0] for rows in columns for row in rows for item in row]


def test_left_column_comes_before_the_right_one() -> None:
    assert order_of(column("b", 340, 0, 4) + column("a", 0, 0, 4)) == [
        *("a0", "a1", "a2", "a3"),
        *("b0", "b1", "b2", "b3"),
    ]


def test_headline_across_divides_the_page_into_bands() -> None:
    headline = line("HEAD across both of the columns", 0, 110, 640, 40)
    above = column("a", 0, 0, 4) + column("b", 340, 0, 4)
    below = column("c", 0, 160, 4) + column("d", 340, 160, 4)
    order = order_of([*below, headline, *above])
    assert order.index("b3") < order.index("HEAD") < order.index("c0")
    assert order.index("c3") < order.index("d0")


def test_headline_over_two_of_three_columns_leaves_the_third_whole() -> None:
    headline = line("HEAD over two columns", 0, 0, 640, 40)
    page = [headline, *column("a", 0, 52, 5), *column("b", 340, 52, 5), *column("c", 680, 0, 7)]
    order = order_of(page)
    assert order[0] == "HEAD"
    assert order.index("a4") < order.index("b0")
    assert order[-7:] == [f"c{i}" for i in range(7)]


def test_prices_stay_beside_their_goods() -> None:
    page = []
    for i, goods in enumerate(["Rye bread", "Milk", "Candles", "Soap"]):
        page += [line(f"{i}-{goods}", 0, 30 * i, 120), line(f"{i}.50", 400, 30 * i, 450)]
    assert order_of(page) == [
        "0-Rye",
        "0.50",
        "1-Milk",
        "1.50",
        "2-Candles",
        "2.50",
        "3-Soap",
        "3.50",
    ]


def test_right_to_left_pages_begin_with_the_right_column() -> None:
    page = column("left", 0, 0, 4) + column("right", 340, 0, 4)
    assert order_of(page, right_to_left=True)[0] == "right0"


def test_boxes_of_close_columns_may_touch() -> None:
    page = column("a", 0, 0, 5, width=306) + column("b", 304, 0, 5)
    assert order_of(page)[:5] == ["a0", "a1", "a2", "a3", "a4"]


def test_references_with_numbers_are_a_column_beside_two_addresses() -> None:
    texts = (
        ("Hartwell Joinery", "14 Mill Lane", "Tavistock PL19 8AB", "VAT No. GB 1234"),
        ("Bill to the buyer", "Eleanor Pryce", "The Old Forge", "Lydford EX20 4BH"),
        ("Invoice 2024-08", "Date 14 May 2024", "Order PO-5519", "Due 13 June 2024"),
    )
    items = [
        line(text, 360 * side, 26 * row, 360 * side + 11 * len(text))
        for side, rows in enumerate(texts)
        for row, text in enumerate(rows)
    ]

    assert order_of(items) == [text.split()[0] for rows in texts for text in rows]


def test_a_heading_above_the_right_column_stays_with_its_text_and_list() -> None:
    left = [line(f"and so the story went on {row}", 0, 40 + 26 * row, 300) for row in range(6)]
    heading = line("Repairs", 340, 0, 430, height=30)
    text = [
        line(f"the bridge was closed in May {row}", 340, 46 + 26 * row, 640) for row in range(2)
    ]
    goods = [line(f"- Stone {row}", 340, 110 + 26 * row, 430) for row in range(4)]

    order = order_of([heading, *left, *text, *goods])

    assert order.index("Repairs") == len(left)


def test_a_heading_over_a_line_across_stands_below_both_columns() -> None:
    fields = column("a", 0, 0, 3) + column("b", 340, 0, 3)
    heading = line("HEAD", 0, 100, 90, 26)
    across = line("TEXT across both of the columns of the form", 0, 140, 640)
    assert order_of([*fields, heading, across])[-3:] == ["b2", "HEAD", "TEXT"]


def test_the_last_row_of_a_longer_column_stays_in_it() -> None:
    longer = column("a", 0, 0, 4) + column("b", 340, 0, 3)
    across = line("TEXT across both of the columns of the page", 0, 140, 640)
    order = order_of([*longer, across])
    assert order.index("a3") < order.index("b0")


def price_list(x: float, y: float, names: tuple[str, ...]) -> list[LayoutItem]:
    heading, *goods = names
    items = [line(heading, x, y, x + 70)]
    for row, name in enumerate(goods, 1):
        items.append(line(name, x, y + 32 * row, x + 11 * len(name)))
        items.append(line(f"{row}.50", x + 250, y + 32 * row, x + 300))
    return items


def test_price_lists_side_by_side_need_no_level_rows() -> None:
    left = price_list(0, 0, ("Cuts", "Short", "Long", "Fringe", "Beard"))
    right = price_list(360, 13, ("Care", "Oil", "Scalp", "Mask", "Rinse"))
    order = order_of([*left, *right])
    assert order.index("Beard") < order.index("Care") < order.index("Oil")


def test_a_line_well_below_two_lists_of_keys_follows_both() -> None:
    left = [line("From:", 0, 0, 70), line("1-July", 200, 0, 280)]
    left += [line("Zone:", 0, 34, 70), line("B", 200, 34, 215)]
    right = [line("until:", 360, 0, 430), line("30-June", 500, 0, 590)]
    right += [line("Fee:", 360, 34, 410), line("65.00", 500, 34, 570)]
    below = line("Reason: I live in the zone", 0, 84, 275)
    assert order_of([*left, *right, below])[-1] == "Reason:"


def test_addresses_below_a_letterhead_are_columns_of_their_own() -> None:
    head = [line(text, 0, 24 * row, 180) for row, text in enumerate(("Pike Ltd", "18 Street"))]
    head += [line(text, 900, 24 * row, 1060) for row, text in enumerate(("INVOICE", "No. 2024-11"))]
    bill = [line(f"bill-to the joiner {row}", 0, 110 + 24 * row, 190) for row in range(4)]
    ship = [line(f"ship-to the joiner {row}", 560, 110 + 24 * row, 750) for row in range(4)]
    order = order_of([*head, *bill, *ship])
    assert [word for word in order if word.endswith("-to")] == ["bill-to"] * 4 + ["ship-to"] * 4


def test_bank_details_beside_the_sums_are_read_first() -> None:
    page = []
    bank = ("Pay to:", "Bank: Whitby Savings", "Code: 20-11-43", "Account: 5566 7788")
    sums = (("Subtotal", "228.40"), ("VAT", "45.68"), ("Paid", "0.00"), ("Total", "274.08"))
    for i, (left, (label, value)) in enumerate(zip(bank, sums, strict=True)):
        page += [line(left, 0, 30 * i, 200), line(label, 500, 30 * i, 580)]
        page.append(line(value, 700, 30 * i, 760))

    assert order_of(page) == [
        *("Pay", "Bank:", "Code:", "Account:"),
        *("Subtotal", "228.40", "VAT", "45.68", "Paid", "0.00", "Total", "274.08"),
    ]


def test_an_address_found_as_one_region_stands_beside_a_list() -> None:
    page = []
    for i, (key, value) in enumerate(
        [("No", "10233"), ("Date", "14.03.2024"), ("Due", "28.03.2024")]
    ):
        page += [line(key, 500, 30 * i, 560), line(value, 700, 30 * i, 800)]
    rows = tuple(
        line(text, 0, 30 * i, 120).lines[0] for i, text in enumerate(("Frau", "Petersen", "Husum"))
    )
    address = LayoutItem(Rect(0, 0, 120, 80), rows, "text")

    assert order_of([*page, address]) == [
        "Frau",
        "No",
        "10233",
        "Date",
        "14.03.2024",
        "Due",
        "28.03.2024",
    ]
