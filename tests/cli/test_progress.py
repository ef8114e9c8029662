import io

import pytest
from rich.console import Console

from dsocr.cli.progress import Bar, duration


def test_the_bar_estimates_the_pages_of_documents_not_opened_yet() -> None:
    shown = io.StringIO()
    bar = Bar(4, Console(file=shown, force_terminal=True, width=120, color_system=None))
    bar.document_opened(3)
    bar.page_done()
    bar.info("a.pdf -> a.md")
    bar.close()
    last = shown.getvalue()
    assert "1/12 pages" in last
    assert "pages/s" in last
    assert "left" in last
    assert "a.pdf -> a.md" in last


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59, "59 s"), (60, "1:00"), (245, "4:05"), (7380, "2:03:00")],
)
def test_durations_are_formatted_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
