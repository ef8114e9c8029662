import os
import stat
from pathlib import Path

import pytest

from dsocr.batch.storage import write_atomically
from dsocr.errors import BadRequest


def test_a_file_is_replaced_completely_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.md"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert os.listdir(path.parent) == ["a.md"]


def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.md", b"one")
    (tmp_path / "b.md").write_bytes(b"one")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_an_output_that_cannot_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    taken = tmp_path / "a.md"
    (taken / "inside").mkdir(parents=True)
    with pytest.raises(BadRequest, match="cannot be written"):
        write_atomically(taken, b"one")
    assert os.listdir(tmp_path) == ["a.md"]
