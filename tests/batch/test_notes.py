from __future__ import annotations

from dsocr.batch.notes import notes_of
from dsocr.types import Document, OcrOptions, PageResult


def document(*flags: tuple[str, ...]) -> Document:
    pages = [PageResult(index, 1, 1, flags=own) for index, own in enumerate(flags)]
    return Document("a.pdf", "ppocr", "", OcrOptions("markdown", "gundam", ""), pages)


def test_each_flag_is_a_line_with_its_pages() -> None:
    read = document(("unread_text", "hidden_text"), (), ("hidden_text",))

    assert list(notes_of(read)) == [
        "pages 1, 3: text that the page does not show is left out",
        "page 1: parts that look like text are not in the result",
    ]


def test_many_pages_are_counted() -> None:
    (note,) = notes_of(document(*[("embedded_form",)] * 40))
    assert note.startswith("40 pages: the PDF is an XFA form")


def test_flags_that_say_no_problem_are_left_out() -> None:
    assert list(notes_of(document(("turned_90", "blank")))) == []
