"""A page's text as its listener gets it, across repeated attempts."""

from __future__ import annotations

from dsocr.process.text_stream import TextStream


def test_text_arrives_as_it_is_added() -> None:
    pieces: list[str] = []
    stream = TextStream(pieces.append)
    for piece in ("a", "", "bc"):
        stream.add(piece)
    assert pieces == ["a", "bc"]


def test_a_second_attempt_repeats_nothing_that_was_passed_on() -> None:
    pieces: list[str] = []
    stream = TextStream(pieces.append)
    stream.add("abc")
    stream.restart()
    for piece in ("ab", "cd", "e"):
        stream.add(piece)
    assert pieces == ["abc", "d", "e"]
    assert stream.text == "abcde"


def test_nothing_is_passed_on_of_a_second_attempt_with_other_text() -> None:
    pieces: list[str] = []
    stream = TextStream(pieces.append)
    stream.add("abc")
    stream.restart()
    stream.add("abX and more")
    assert pieces == ["abc"]
    assert stream.text == "abX and more"
