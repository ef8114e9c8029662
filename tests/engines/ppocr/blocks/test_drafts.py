import pytest

from dsocr.engines.ppocr.blocks.drafts import paragraph_draft, paragraph_text
from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.reading_order.paragraphs import Paragraph


def test_a_bullet_makes_an_item_and_a_factor_in_a_row_of_prices_does_not() -> None:
    assert paragraph_text("\u2022 bread *fresh*", can_be_item=True) == "- bread \\*fresh\\*"
    assert paragraph_text("* 33.02 66.04", can_be_item=False) == "\\* 33.02 66.04"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (("Our ref. HM/117", "Tarbeck, 9 May"), "Our ref. HM/117  \nTarbeck, 9 May"),
        (("VAT no. GB 12", "Director: A. Moray"), "VAT no. GB 12  \nDirector: A. Moray"),
        (("This letter may be", "read by you alone."), "This letter may be read by you alone."),
    ],
)
def test_entries_of_a_footer_keep_their_rows_and_its_sentences_flow(
    rows: tuple[str, str], text: str
) -> None:
    lines = tuple(Line(row, Rect(0, 20 * i, 200, 20 * i + 15), 0.9) for i, row in enumerate(rows))
    assert paragraph_draft(Paragraph(lines, True), "footer").text == text
