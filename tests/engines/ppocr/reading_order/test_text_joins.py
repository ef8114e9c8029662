import pytest

from dsocr.engines.ppocr.reading_order.text_joins import is_right_to_left, join_lines


@pytest.mark.parametrize(
    ("lines", "joined"),
    [
        (["the extra-", "ordinary plan"], "the extraordinary plan"),
        (["a well-", "known baker"], "a well-known baker"),
        (["a state-of-the-", "art plant"], "a state-of-the-art plant"),
        (["the Anglo-", "Saxon period"], "the Anglo-Saxon period"),
        (["in 1990-", "1994 only"], "in 1990- 1994 only"),
        (["extra\u00ad", "ordinary"], "extraordinary"),
        (["北岸大桥", "的方案"], "北岸大桥的方案"),
        (["北岸大桥 and", "the plan"], "北岸大桥 and the plan"),
        (["two", "words"], "two words"),
        (["  ", "alone"], "alone"),
    ],
)
def test_lines_become_running_text(lines: list[str], joined: str) -> None:
    assert join_lines(lines) == joined


def test_direction_follows_most_letters() -> None:
    assert is_right_to_left(["مرحبا بالعالم", "pdf"])
    assert not is_right_to_left(["hello", "12 — 14"])
