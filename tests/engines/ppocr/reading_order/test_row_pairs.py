from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.row_pairs import belong_by_rows, bound_beside, repeats_list

PROSE = "running text that fills the column to its edge"


def stack(*texts: str, x: float = 0, pitch: float = 40, right: float | None = None) -> list[Line]:
    """Lines below one another from x, or up to `right`."""
    lines = []
    for number, text in enumerate(texts):
        start = x if right is None else right - 10 * len(text)
        rect = Rect(start, pitch * number, start + 10 * len(text), pitch * number + 20)
        lines.append(Line(text, rect, 1.0))
    return lines


GOODS = stack("Rope", "Lantern", "Tar, 2 kg", "Sail needle", "Pitch")
PRICES = ("4.50", "12.00", "8.25", "1.10", "6.00")


def test_prices_belong_to_their_goods_however_far_away() -> None:
    assert belong_by_rows(GOODS, stack(*PRICES, x=300))
    assert belong_by_rows(GOODS, stack(*PRICES, right=2000))


def test_words_beside_words_belong_together_where_rows_stand_apart() -> None:
    states = ("in stock", "sold out", "in stock", "on order", "sold out")

    assert belong_by_rows(GOODS, stack(*states, x=700))


def test_words_flush_right_belong_to_what_stands_before_them() -> None:
    states = ("in stock", "none", "on order", "two", "next week")

    assert belong_by_rows(GOODS, stack(*states, right=900))


def test_keys_belong_to_their_values() -> None:
    keys = stack("Name:", "Street:", "Place:", pitch=25)

    assert belong_by_rows(keys, stack("Hanna", "Mill Lane 3", "Thurso", x=500, pitch=25))


def test_addresses_side_by_side_are_columns() -> None:
    left = stack("Hanna Moe", "Mill Lane 3", "Thurso KW14", pitch=25)
    right = stack("Moe and Sons", "Quay Road 8", "Wick KW1 4YT", x=500, pitch=25)

    assert not belong_by_rows(left, right)


def test_running_text_has_no_values_beside_it() -> None:
    assert not belong_by_rows(stack(*[PROSE] * 8), stack(*[PROSE] * 8, x=600))
    assert not belong_by_rows(stack(*[PROSE] * 8), stack(*["17.5"] * 8, x=600))


def test_bulleted_lists_side_by_side_are_columns() -> None:
    left = stack("\u2022 Rope", "\u2022 Tar", "\u2022 Pitch")

    assert not belong_by_rows(left, stack("\u2022 Salt", "\u2022 Bread", "\u2022 Rum", x=400))


def test_two_lists_with_prices_are_two() -> None:
    first = [*GOODS, *stack(*PRICES, x=300)]
    second = [*stack("Bread", "Salt beef", "Rum", x=500), *stack("2.00", "9.75", "14.00", x=800)]

    assert not belong_by_rows(first, second)


def test_a_number_of_pieces_and_a_price_are_one_list() -> None:
    left = [[a, b] for a, b in zip(GOODS, stack("1", "2", "6", "3", "9", x=300), strict=True)]
    right = [
        [a, b] for a, b in zip(stack(*["each"] * 5, x=400), stack(*PRICES, x=500), strict=True)
    ]

    assert not repeats_list(left, right)


def test_a_total_that_stands_before_the_values_does_not_hide_them() -> None:
    total = Line("Total", Rect(250, 200, 290, 220), 1.0)

    assert belong_by_rows(GOODS, [*stack(*PRICES, x=320), total])


def test_what_stands_beside_lines_in_their_rows_is_found() -> None:
    prices = stack(*PRICES, x=600)

    assert bound_beside(GOODS, prices) == prices
    assert bound_beside(prices, GOODS) == GOODS


def test_dates_belong_to_entries_that_go_on_in_further_rows() -> None:
    dates = stack("02.03.", "05.03.", "16.03.", pitch=80)
    texts = stack("Rent", "Harbour Ltd", "Card", "Grocer", "Power", "Mandate M-77", x=200)
    amounts = [
        Line(amount, Rect(700, 80 * i, 800, 80 * i + 20), 1.0)
        for i, amount in enumerate(("845.00 -", "63.48 -", "112.00 -"))
    ]
    assert belong_by_rows(dates, [*texts, *amounts])
    assert not belong_by_rows(dates, texts)


def test_amounts_belong_to_long_names_of_goods() -> None:
    goods = stack(
        "Olive oil from the first pressing, 5 l",
        "Olive oil, 1 l, a box of fifteen",
        "Vinegar, 75 cl",
        "Delivery",
    )
    assert belong_by_rows(goods, stack("63,48", "118,40", "26,10", "9,00", x=600))


def test_entries_with_keys_of_their_own_are_no_values() -> None:
    address = stack("18 Tanner Street", "Bristol BS1 6QT", "VAT GB 294 1182 07")
    dates = stack("No. 2024-1187", "Date: 14/03/2024", "Due: 13/04/2024", x=600)
    assert not belong_by_rows(address, dates)


def test_telephone_numbers_and_accounts_have_keys_of_their_own() -> None:
    owner = stack("Musterfirma Holzbau", "Hafenweg 12", "24103 Kiel", pitch=22)
    numbers = stack("Tel. 0431 556677", "Fax 0431 556678", "info@muster.de", x=400, pitch=22)
    bank = stack("Sparkasse", "IBAN DE12 2105 0170", "BIC NOLADE21", x=400, pitch=22)

    assert not belong_by_rows(owner, numbers)
    assert not belong_by_rows(owner, bank)


def test_addresses_side_by_side_are_two_however_open_they_are_set() -> None:
    own = stack("14 Quay Road", "Whitby YO21 3PU", "Tel: 01947 555 010", "VAT no. GB 123 456")
    other = stack("Invoice to", "Harbour Office", "3 Pier Street", "Scarborough YO11", x=400)

    assert not belong_by_rows(own, other)


def test_large_amounts_and_dates_are_values_without_keys_of_their_own() -> None:
    amounts = ("EUR 1 200 000", "EUR 3 450 000", "EUR 2 750 500", "EUR 9 100 000", "EUR 8 000 000")
    dates = ("Mon 12-05-2024", "Tue 13-05-2024", "Wed 14-05-2024", "May 12 2024", "May 13 2024")

    assert belong_by_rows(GOODS, stack(*amounts, x=400))
    assert belong_by_rows(GOODS, stack(*dates, x=400))
