from __future__ import annotations

import pytest

from dsocr.exports.captions import is_caption, numbered_kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Figure 3: a cat", "figure"),
        ("Fig 3. A cat", "figure"),
        ("Abb. 4a – Eine Katze", "figure"),
        ("図 2。猫", "figure"),
        ("Table 12 | sums", "table"),
        ("Таблица 1. Суммы", "table"),
        ("Table 3 shows the sums", None),
        ("Tables are below", None),
    ],
)
def test_number_and_sign_tell_what_a_caption_is_of(text: str, kind: str | None) -> None:
    assert numbered_kind(text) == kind


def test_without_a_sign_only_a_short_paragraph_is_a_caption() -> None:
    assert is_caption("Table 3 Sums of all years")
    assert not is_caption("Table 3 shows the sums of all years and how they came to be so high.")
