from __future__ import annotations

import pytest

from dsocr.engines.ppocr.geometry import Line, Rect
from dsocr.engines.ppocr.lines.signs import with_signs


@pytest.mark.parametrize(
    ("read", "printed"),
    [
        ("\u00bd4 spoon", "\u00bc spoon"),
        ("\u00bd cup", "\u00bd cup"),
        ("12 %o", "12 \u2030"),
        ("0.5%0 salt", "0.5\u2030 salt"),
        ("12 % of it", "12 % of it"),
        ("50%off", "50%off"),
    ],
)
def test_signs_are_written_as_they_are_printed(read: str, printed: str) -> None:
    line = Line(read, Rect(0, 0, 10, 10), 0.9)
    assert [found.text for found in with_signs([line])] == [printed]
