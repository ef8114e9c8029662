"""What a person should know of a document that was read: its pages' flags in words."""

from __future__ import annotations

from collections.abc import Iterator

from dsocr.types import Document

_MEANINGS = {
    "hidden_text": "text that the page does not show is left out",
    "embedded_form": "the PDF is an XFA form; its content is in the form, which is not read",
    "attached_files": "the PDF is a portfolio; the attached files are not read",
    "low_confidence": "many words are probably wrong",
    "unread_text": "parts that look like text are not in the result",
    "unsupported_script": "the script cannot be recognized",
    "unchecked_text": "the PDF's text could not be compared with the picture",
}
_MAX_PAGES = 8
"""Page numbers in one note; of more only the count is given."""


def notes_of(document: Document) -> Iterator[str]:
    """A line for each flag that some page has, with the numbers of these pages."""
    for flag, meaning in _MEANINGS.items():
        numbers = [page.index + 1 for page in document.pages if flag in page.flags]
        if numbers:
            yield f"{_pages(numbers)}: {meaning}"


def _pages(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"page {numbers[0]}"
    if len(numbers) > _MAX_PAGES:
        return f"{len(numbers)} pages"
    return f"pages {', '.join(map(str, numbers))}"
