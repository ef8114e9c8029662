import io
import os
import stat
from pathlib import Path

import pytest
from rich.console import Console

from dsocr.cli.output import Bar, duration, write_whole
from dsocr.errors import BadRequest


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.md"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["a.md"]


def test_a_file_has_the_rights_that_any_new_file_has(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.md", b"one")
    (tmp_path / "b.md").write_bytes(b"one")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    taken = tmp_path / "a.md"
    (taken / "inside").mkdir(parents=True)
    with pytest.raises(BadRequest, match="cannot be written"):
        write_whole(taken, b"one")
    assert os.listdir(tmp_path) == ["a.md"]


def test_the_bar_guesses_the_pages_of_documents_not_opened_yet() -> None:
    shown = io.StringIO()
    bar = Bar(4, Console(file=shown, force_terminal=True, width=120, color_system=None))
    bar.opened(3)
    bar.page_done()
    bar.say("a.pdf -> a.md")
    bar.close()
    last = shown.getvalue()
    assert "1/12 pages" in last
    assert "pages/s" in last
    assert "left" in last
    assert "a.pdf -> a.md" in last


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59, "59 s"), (60, "1:00"), (245, "4:05"), (7380, "2:03:00")],
)
def test_times_are_told_as_people_tell_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words
