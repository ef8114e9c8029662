from __future__ import annotations

import pytest

from dsocr.engines.ppocr.blocks.code import character_pitch, code_blocks
from dsocr.engines.ppocr.geometry import Line, Rect

PITCH, STEP, MARGIN = 12.0, 30.0, 6.0


def typed(text: str, *, narrow: bool = False) -> list[Line]:
    """Lines as they are detected: split at wide blanks, some pixels wider than their letters."""
    lines = []
    for number, row in enumerate(text.strip("\n").split("\n")):
        at = 0
        for part in row.split("   "):
            words = part.strip()
            if words:
                start = row.index(words, at)
                at = start + len(words)
                lines.append(_line(words, start, number, narrow=narrow))
    return lines


def _line(words: str, start: int, row: int, *, narrow: bool) -> Line:
    width = sum(PITCH * (0.5 if narrow and char in "iltfj.,: ()" else 1.0) for char in words)
    x0 = 50 + start * PITCH
    return Line(words, Rect(x0, row * STEP, x0 + width + MARGIN, row * STEP + 22), 0.9)


FUNCTION = """
int total(int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) {
        sum += i;
    }

    return sum;
}
"""


def test_code_keeps_its_indents_and_blank_rows() -> None:
    (block,) = code_blocks(typed(FUNCTION))
    assert block.text == f"```{FUNCTION}```"
    assert block.label == "code"


@pytest.mark.parametrize(
    "text",
    [
        "bells:\n  pier: low\n  inn:\n    door: high\n    yard: none",
        "$ ls -l boats\ntotal 3\n-rw-r--r-- 1 anna   22 oar\n-rw-r--r-- 1 anna   14 keel",
        "$ tail app.log\n2024-05-02 10:14:07 WARN  retry\n2024-05-02 10:14:12 ERROR gave up\nbye",
    ],
)
def test_settings_and_terminal_output_are_printed_as_they_stand(text: str) -> None:
    (block,) = code_blocks(typed(text))
    rows = block.text.split("\n")[1:-1]
    assert [row.split() for row in rows] == [row.split() for row in text.split("\n")]
    assert [len(row) - len(row.lstrip()) for row in rows] == [
        len(row) - len(row.lstrip()) for row in text.split("\n")
    ]


def test_a_typed_letter_and_a_receipt_are_no_code() -> None:
    letter = "Dear Sir,\nthe berth number nine is free.\nPlease call the office before\nyou come."
    receipt = "HARBOUR STORE\nMilk         1.20\nRope 5m     12.00\nTOTAL       13.20"
    assert code_blocks(typed(letter)) == []
    assert code_blocks(typed(receipt)) == []


def test_numbered_items_that_end_in_semicolons_are_no_code() -> None:
    claims = "1. the sum of 4.318,56;\n2. the interest of 97,03;\n3. the costs:\n     fees: 120,00"
    assert code_blocks(typed(claims)) == []


def test_letters_of_different_widths_have_no_pitch() -> None:
    text = "till it fell\nmammoth woods\nfill in the list\nwarm brown moss\nlittle fir tilts"
    assert character_pitch(typed(text)) == pytest.approx(PITCH)
    assert character_pitch(typed(text, narrow=True)) is None


def test_a_fence_is_longer_than_those_in_the_code() -> None:
    (block,) = code_blocks(typed('print("a");\nprint("```");\nprint("b");\nprint("cde");'))
    assert block.text.startswith("````\n")


def test_the_command_above_a_long_listing_has_letters() -> None:
    listing = """
$ 1s -1a /srv/data
total 24
-rw-r--r-- 1 root root 8192 May 4 index.db
$ 1s -1 | wc -1
"""
    (block,) = code_blocks(typed(listing))
    assert block.text.split("\n")[1] == "$ ls -la /srv/data"
    assert block.text.split("\n")[4] == "$ ls -l | wc -1"
