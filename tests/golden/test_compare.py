"""What a golden allows, and what it does not."""

from __future__ import annotations

import pytest

from tests.golden.compare import differences, settled

GOLDEN = {"engine": "rapidocr", "pages": [{"text": "one", "confidence": 0.5}, {"text": "two"}]}


def test_added_keys_and_the_new_name_are_allowed() -> None:
    pages = [{"text": "one", "confidence": 0.5, "lines": []}, {"text": "two"}]
    assert differences({"engine": "ppocr", "pages": pages, "new": 1}, GOLDEN) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"engine": "native"}, ".engine"),
        ({"pages": GOLDEN["pages"][:1]}, ".pages has 1 items"),
        ({"pages": [{"text": "one", "confidence": 0.501}, {"text": "two"}]}, ".confidence"),
        ({"pages": [{"text": "one", "confidence": 0.5}, {"text": "too"}]}, ".pages[1].text"),
        ({"pages": [{"text": "one"}, {"text": "two"}]}, ".pages[0].confidence is missing"),
    ],
)
def test_everything_else_is_told(change: dict[str, object], place: str) -> None:
    (told,) = differences({**GOLDEN, **change}, GOLDEN)
    assert place in told


def test_a_tolerance_is_for_confidences_alone() -> None:
    pages = [{"text": "one", "confidence": 0.5001}, {"text": "two"}]
    assert differences({**GOLDEN, "pages": pages}, GOLDEN, tolerance=1e-3) == []
    assert differences({"x": 0.5001}, {"x": 0.5}, tolerance=1e-3) != []


def test_of_volatile_values_the_kind_is_compared() -> None:
    golden = settled({"finishedAt": "2026-01-31T12:00:00.000Z", "durationMs": 12.5})
    assert differences(settled({"finishedAt": "now", "durationMs": 1.0}), golden) == []
    assert differences(settled({"finishedAt": None, "durationMs": 1.0}), golden) != []
