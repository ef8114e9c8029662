from dsocr.engines.ppocr.blocks import labels
from dsocr.engines.ppocr.geometry import Line, Rect, Region
from dsocr.engines.ppocr.reading_order.paragraphs import Paragraph


def paragraph(text: str, y: float, height: float = 20) -> Paragraph:
    return Paragraph((Line(text, Rect(0, y, 300, y + height), 1.0),), True)


def furniture(text: str, y: float, *regions: Region) -> str | None:
    return labels.furniture_label(paragraph(text, y), regions, page_height=1000, body=20)


def test_a_number_at_the_foot_may_be_the_page_s() -> None:
    assert furniture("- 12 -", 960) == "page_number"
    assert furniture("Page 3 of 10", 960) == "page_number"


def test_number_in_the_middle_of_the_page_is_text() -> None:
    assert furniture("12", 500) is None


def test_headers_and_footers_are_in_the_outer_tenth() -> None:
    regions = [Region("header", Rect(0, y, 400, y + 40), 0.9) for y in (10, 490, 955)]
    assert furniture("Results", 500, *regions) is None
    assert furniture("Journal of Rivers", 20, *regions) == "header"
    assert furniture("Journal of Rivers", 960, *regions) == "footer"


def test_the_head_of_a_letter_is_no_running_head() -> None:
    assert furniture("12 Mill Lane", 40, Region("header", Rect(0, 10, 400, 95), 0.9)) is None


def test_captions_are_found_by_their_first_word() -> None:
    assert labels.label_of(paragraph("Figure 3: The reservoir", 0), [], 20) == "image_caption"
    assert labels.label_of(paragraph("表 2 货物", 0), [], 20) == "table_caption"
    assert labels.label_of(paragraph("Figures differ", 0), [], 20) == "text"


def test_large_words_are_a_title_and_large_numbers_are_not() -> None:
    assert labels.label_of(paragraph("Winter timetable", 0, 34), [], 20) == "sub_title"
    assert labels.label_of(paragraph("4,262.50", 0, 34), [], 20) == "text"


def test_large_labels_with_values_are_no_title() -> None:
    rows = [
        Line(text, Rect(0, y, 300, y + 34), 1.0, has_wide_gap=True)
        for y, text in ((0, "House door 2"), (40, "Flat door 3"))
    ]

    assert labels.label_of(Paragraph(tuple(rows), False), [], 20) == "text"


def test_bullets_of_any_shape_become_one() -> None:
    assert labels.as_list_item("\u25aa apples") == "- apples"
    assert labels.as_list_item("- apples") == "- apples"
    assert labels.as_list_item("-5 degrees") == "-5 degrees"


def test_ticks_of_a_chart_are_not_worth_reading_and_words_of_a_slide_are() -> None:
    ticks = [Line(str(i), Rect(0, 20 * i, 10, 20 * i + 10), 1.0) for i in range(10)]
    words = [Line("words on a slide", Rect(0, 40 * i, 300, 40 * i + 20), 1.0) for i in range(4)]
    assert not labels.is_worth_reading(ticks, 20)
    assert labels.is_worth_reading(words, 20)


def test_large_formula_is_no_title() -> None:
    assert labels.label_of(paragraph("f(x) dx = F(b) \u2212 F(a)", 0, 34), [], 20) == "text"
    assert labels.label_of(paragraph("What a = b means", 0, 34), [], 20) == "sub_title"


def test_a_sentence_no_larger_than_the_text_is_no_title_in_a_title_region() -> None:
    region = [Region("title", Rect(0, 0, 400, 40), 0.9)]
    assert labels.label_of(paragraph("It reads a file and counts.", 0, 20), region, 20) == "text"
    assert labels.label_of(paragraph("Counting words", 0, 20), region, 20) == "sub_title"


def test_a_bullet_is_an_item_however_large() -> None:
    assert labels.label_of(paragraph("\u2022 Cellars flood", 0, 40), [], 20) == "text"


def test_a_star_before_numbers_is_no_bullet() -> None:
    assert labels.as_list_item("* RM 33.02") == "* RM 33.02"
    assert labels.as_list_item("* *") == "* *"
    assert labels.as_list_item("* two eggs") == "- two eggs"


def test_words_in_an_equation_region_are_text() -> None:
    region = [Region("equation", Rect(0, 0, 400, 40), 0.9)]
    assert labels.label_of(paragraph("Wind and hay", 0), region, 20) == "text"
    assert labels.label_of(paragraph("x2 + y2 = z2", 0), region, 20) == "equation"


def test_an_address_in_the_size_of_the_text_is_no_title() -> None:
    texts = ["Maria Castellano", "12 Mill Lane", "Oldbury"]
    region = Region("title", Rect(0, 0, 300, 80), 0.9)

    def address(height: float) -> Paragraph:
        rows = (Line(x, Rect(0, 25 * i, 300, 25 * i + height), 1) for i, x in enumerate(texts))
        return Paragraph(tuple(rows), False)

    assert labels.label_of(address(20), [region], 20) == "text"
    assert labels.label_of(address(20), [region], 10) == "sub_title"
