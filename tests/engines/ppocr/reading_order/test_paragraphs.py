import pytest

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.paragraphs import (
    join_row,
    leading_of,
    split_paragraphs,
    starts_with_list_mark,
)

LONG = "every word of this line reaches the far edge"


def row(text: str, y: float, x0: float = 0, x1: float = 440, height: float = 20) -> Line:
    return Line(text, Rect(x0, y, x1, y + height), 1.0)


def firsts(rows: list[Line]) -> list[str]:
    return [part.rows[0].text for part in split_paragraphs(rows)]


def test_wide_gap_begins_a_paragraph() -> None:
    rows = [row(LONG, 0), row(LONG, 26), row("After " + LONG, 80), row(LONG, 106)]
    assert firsts(rows) == [LONG, "After " + LONG]


def test_indent_after_a_finished_row_begins_a_paragraph() -> None:
    rows = [
        row(LONG, 0),
        row("ends here.", 26, x1=100),
        row("New " + LONG, 52, x0=30),
        row(LONG, 78),
    ]
    assert firsts(rows) == [LONG, "New " + LONG]


def test_larger_letters_stand_alone() -> None:
    rows = [row("Heading", 0, x1=200, height=34), row(LONG, 40), row(LONG, 66)]
    assert firsts(rows) == ["Heading", LONG]


def test_raised_note_does_not_break_its_sentence() -> None:
    rows = [row(LONG, 0, height=28), row("and it " + LONG, 28), row(LONG, 54)]
    assert len(split_paragraphs(rows)) == 1


def test_list_items_are_paragraphs_and_their_rows_stay_together() -> None:
    rows = [row("1. " + LONG, 0), row("goes on", 26, x0=20, x1=90), row("2. " + LONG, 52)]
    assert firsts(rows) == ["1. " + LONG, "2. " + LONG]


def test_an_address_keeps_its_rows() -> None:
    rows = [
        row("Anna Vogel", 0, x1=110),
        row("7 Mill Lane", 26, x1=120),
        row("Nordhavn", 52, x1=95),
    ]
    rows += [row(LONG, 120), row(LONG, 146)]
    address, letter = split_paragraphs(rows)
    assert not address.flowing
    assert letter.flowing


def test_numbers_that_begin_a_sentence_are_no_marks() -> None:
    assert starts_with_list_mark("1. First")
    assert starts_with_list_mark("• point")
    assert starts_with_list_mark("（三）方案")
    assert not starts_with_list_mark("1990 was a good year")
    assert not starts_with_list_mark("3.14 is pi")


def test_short_centred_lines_keep_their_rows() -> None:
    rows = [
        row("ABC TRADING", 0, x0=60, x1=380),
        row("2 Harmony Road, Johor", 26, x0=10, x1=430),
        row("Unit 14", 52, x0=150, x1=290),
        row("07-355 2616", 78, x0=100, x1=340),
    ]
    assert not split_paragraphs(rows)[0].flowing


def test_a_justified_paragraph_with_a_short_last_row_still_flows() -> None:
    rows = [row(LONG, 0, x0=30), row(LONG, 26), row(LONG, 52), row("the end.", 78, x1=90)]
    assert split_paragraphs(rows)[0].flowing


def test_sloping_rows_are_as_tall_as_their_letters() -> None:
    sloping = [Line(LONG, Rect(0, y, 440, y + 48), 1.0, rise=28) for y in (0, 26, 78, 104)]
    assert [len(part.rows) for part in split_paragraphs(sloping)] == [2, 2]


def test_lines_far_apart_in_one_row_leave_a_wide_gap() -> None:
    near = join_row([row("Bill", 0, x1=60), row("No: 7", 0, x0=70, x1=150)])
    far = join_row([row("Tea", 0, x1=60), row("2.80", 0, x0=380)])
    assert not near.has_wide_gap
    assert far.has_wide_gap and far.text == "Tea 2.80"


def test_rows_of_labels_and_values_do_not_flow_though_each_reaches_the_edge() -> None:
    rows = [
        join_row([row("Name", y, x1=60), row("Anna Vogel, Nordhavn", y, x0=200)])
        for y in (0, 26, 52)
    ]
    assert [part.flowing for part in split_paragraphs(rows)] == [False]


def test_steps_of_code_keep_their_rows() -> None:
    rows = [row(LONG, 26 * i, x0=x0) for i, x0 in enumerate((0, 40, 80, 40, 0))]
    assert not split_paragraphs(rows)[0].flowing


def test_a_sender_set_to_the_right_keeps_its_rows() -> None:
    rows = [row("Anna Vogel", 0, x0=330), row("7 Mill Lane", 26, x0=325)]
    assert not split_paragraphs(rows)[0].flowing


def test_a_larger_row_that_ends_early_is_a_heading_though_hardly_larger() -> None:
    rows = [row("Wind and hay", 0, x1=150, height=24), row(LONG, 28), row(LONG, 54)]
    assert firsts(rows) == ["Wind and hay", LONG]


def test_a_few_rows_are_divided_by_the_leading_of_their_page() -> None:
    rows = [row("Yours sincerely, in some haste", 46 * i) for i in range(3)]
    assert len(split_paragraphs(rows, leading=1.3)) == 3
    assert len(split_paragraphs(rows, leading=2.3)) == 1


def test_leading_is_that_of_most_lines_of_every_column() -> None:
    lines = [row(LONG, 26 * i, x0=x0, x1=x0 + 440) for x0 in (0, 500) for i in range(5)]
    assert leading_of(lines) == pytest.approx(1.3)
    assert leading_of([]) > 1


def test_two_rows_of_a_heading_stay_together() -> None:
    rows = [
        row("Harbour decision", 0, x1=180, height=24),
        row("delayed again", 32, x1=150, height=24),
    ]
    rows += [row(LONG, 66 + 26 * i) for i in range(4)]
    assert firsts(rows) == ["Harbour decision", LONG]


def test_rows_that_begin_with_times_or_keys_keep_their_breaks() -> None:
    times = [row("9.00 Meeting of the staff", 0), row("11.30 Call to the carrier", 26)]
    keys = [row("Patient: Novak, Irena, of Graz", 0), row("Sample taken: 12.06.2024", 26)]
    prose = [
        row("9.00 is when the train leaves from", 0),
        row("the harbour, as it always did.", 26),
    ]

    assert [part.flowing for part in split_paragraphs(times)] == [False]
    assert [part.flowing for part in split_paragraphs(keys)] == [False]
    assert [part.flowing for part in split_paragraphs(prose)] == [True]


def test_entries_of_a_glossary_are_paragraphs_with_the_rows_that_they_wrap_into() -> None:
    rows = [
        row("Bilge: the lowest part of a ship, where water", 0),
        row("collects in harbour", 26, x1=180),
        row("Keel: the long beam along the bottom of a ship,", 52),
        row("below its frame", 78, x1=150),
        row("Sheet: a rope", 104, x1=130),
    ]
    parts = split_paragraphs(rows)

    assert [part.rows[0] for part in parts] == [rows[0], rows[2], rows[4]]
    assert all(part.flowing for part in parts)


def test_rows_of_prose_that_begin_with_a_word_and_a_colon_by_chance_flow() -> None:
    first = "Note: the office stays closed on Friday since the painters are in the house"
    rows = [
        row(first, 0, x1=750),
        row("Remedy: ask the porter, who has all the keys of this", 26, x1=520),
    ]
    assert [part.flowing for part in split_paragraphs(rows)] == [True]


def test_rows_set_to_the_right_keep_their_breaks() -> None:
    texts = (
        "Number of the invoice 20418",
        "Customer 10077 of ours",
        "Date of it 03.05.2024",
        "Due 4 May",
    )
    rows = [row(text, 24 * n, x0=440 - 11 * len(text)) for n, text in enumerate(texts)]
    (part,) = split_paragraphs(rows)
    assert not part.flowing
