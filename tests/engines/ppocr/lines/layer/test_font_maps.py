"""Fonts of a text layer that draw other characters than they map to."""

from __future__ import annotations

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.layer.font_maps import has_font, lines_to_check, wrong_fonts

GOOD, BAD = 0, 1


def line(*parts: tuple[int, str], row: int = 0) -> Line:
    """A line of parts in different fonts."""
    fonts = tuple((font, len("".join(text.split()))) for font, text in parts)
    text = " ".join(text for _, text in parts)
    return Line(text, Rect(0, 20 * row, 300, 20 * row + 15), 1.0, from_layer=True, fonts=fonts)


def seen(text: str, score: float = 0.97) -> Line:
    return Line(text, Rect(0, 0, 300, 15), score)


def test_a_font_whose_digits_are_others_in_the_picture_is_wrong() -> None:
    lines = [line((GOOD, "Opening balance")), line((BAD, "4,537.83")), line((BAD, "683.33"))]
    assert wrong_fonts(lines, [seen("Opening balance"), seen("1,204.50"), seen("350.00")]) == {BAD}


def test_a_wrong_font_inside_a_line_is_found() -> None:
    lines = [line((GOOD, "Please call"), (BAD, "7788 992"), (GOOD, "before noon"))]
    assert wrong_fonts(lines, [seen("Please call 0155 341 before noon")]) == {BAD}
    assert has_font(lines[0], {BAD}) and not has_font(line((GOOD, "other")), {BAD})


def test_slips_of_recognition_do_not_condemn_a_font() -> None:
    lines = [line((GOOD, "Modern illustration of the coast")), line((GOOD, "ISBN 0-19-853453-1"))]
    shown = [seen("Modem i1lustration of the coast"), seen("ISBN O-19-853453-l")]
    assert wrong_fonts(lines, shown) == set()


def test_an_illegible_picture_proves_nothing() -> None:
    assert wrong_fonts([line((BAD, "4,537.83"))], [seen("1,204.50", score=0.7)]) == set()


def test_a_sign_or_two_are_too_few_to_judge_a_font() -> None:
    assert wrong_fonts([line((BAD, "n"))], [seen("•")]) == set()


def test_every_font_is_checked_with_a_few_short_lines() -> None:
    lines = [line((GOOD, f"An ordinary line {number}"), row=number) for number in range(20)]
    rare = line((GOOD, "Call"), (BAD, "0155 341"), row=30)
    checked = lines_to_check([*lines, rare])
    assert rare in checked and len(checked) == 3
