from dsocr.engines.embedded.line import Line, Rect
from dsocr.engines.embedded.paragraphs import join_row, split, starts_with_mark

LONG = "every word of this line reaches the far edge"


def row(text: str, y: float, x0: float = 0, x1: float = 440, height: float = 20) -> Line:
    return Line(text, Rect(x0, y, x1, y + height), 1.0)


def firsts(rows: list[Line]) -> list[str]:
    return [part.rows[0].text for part in split(rows)]


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
    assert len(split(rows)) == 1


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
    address, letter = split(rows)
    assert not address.flowing
    assert letter.flowing


def test_numbers_that_begin_a_sentence_are_no_marks() -> None:
    assert starts_with_mark("1. First")
    assert starts_with_mark("• point")
    assert starts_with_mark("（三）方案")
    assert not starts_with_mark("1990 was a good year")
    assert not starts_with_mark("3.14 is pi")


def test_centred_rows_keep_their_lines() -> None:
    rows = [
        row("THE HARBOUR KITCHEN", 0, x0=60, x1=380),
        row("No: 28, Mill Lane, the old town", 26, x0=20, x1=420),
        row("41050 Nordhavn", 52, x0=110, x1=330),
        row("Tel: 03-3362 4395 Fax: 03-3362 4395", 78),
    ]
    header = split(rows)
    assert [part.flowing for part in header] == [False]


def test_justified_rows_flow_though_the_last_is_short() -> None:
    assert split([row(LONG, 0), row(LONG, 26), row(LONG, 52, x1=300)])[0].flowing


def test_rows_that_lean_are_as_tall_as_their_print() -> None:
    leaning = [Line(LONG, Rect(0, y, 440, y + 48), 1.0, lean=28) for y in (0, 26, 52 + 26, 78 + 26)]
    assert [len(part.rows) for part in split(leaning)] == [2, 2]


def test_pieces_far_apart_on_one_row_mark_it_as_parted() -> None:
    near = join_row([row("Bill", 0, x1=60), row("No: 7", 0, x0=70, x1=150)])
    far = join_row([row("Tea", 0, x1=60), row("2.80", 0, x0=380)])
    assert not near.parted
    assert far.parted and far.text == "Tea 2.80"


def test_rows_of_labels_and_values_do_not_flow_though_each_reaches_the_edge() -> None:
    rows = [
        join_row([row("Name", y, x1=60), row("Anna Vogel, Nordhavn", y, x0=200)])
        for y in (0, 26, 52)
    ]
    assert [part.flowing for part in split(rows)] == [False]
